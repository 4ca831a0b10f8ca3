package product

// HasMlock reports whether the server can lock its memory, so that nothing of it is swapped out.
// OpenBao cannot: it has taken that out in 2.0.0.
func (p Product) HasMlock() bool { return p.Kind != OpenBao }

// AuditByConfiguration reports whether audit devices are made by stanzas of the server's
// configuration. OpenBao refuses to make them by the API since 2.3.2, unless it is configured to,
// and has the stanza since 2.4.0.
func (p Product) AuditByConfiguration() bool { return p.is(OpenBao, "2.4.0") }

// TakesNoRecoveryShares reports whether the server can be initialized without recovery keys, where
// it unseals itself. OpenBao can since 2.6.0.
func (p Product) TakesNoRecoveryShares() bool { return p.is(OpenBao, "2.6.0") }
