package store

// ForgetVault takes from the checkpoint all that is about one Vault, before another one takes its
// place. The history stays.
func (c *Checkpoint) ForgetVault() {
	c.ClusterID, c.Namespace, c.SeedDigest = "", "", ""
	c.Ledger, c.Hashes, c.Open = nil, nil, nil
}
