package product

// HasMlock reports whether the server can lock its memory, so that nothing of it is swapped out.
// OpenBao cannot: it has taken that out in 2.0.0.
func (p Product) HasMlock() bool { return p.Kind != OpenBao }

// TakesNoRecoveryShares reports whether the server can be initialized without recovery keys, where
// it unseals itself. OpenBao can since 2.6.0.
func (p Product) TakesNoRecoveryShares() bool { return p.is(OpenBao, "2.6.0") }
