package store

// Opens names what in the record opens a Vault, or may do so once it is complete. It is empty for a
// record that holds only the epoch and the key of the hashes.
func (k Keys) Opens() []string {
	var found []string
	for _, each := range []struct {
		what  string
		there bool
	}{
		{"a set of keys", k.Set != nil},
		{"sets of keys that were put away", len(k.Old) > 0},
		{"an attempt to initialize", k.Attempt != nil || len(k.Past) > 0},
		{"a root token", k.Root != nil},
		{"a break-glass", k.RootGrant != nil},
		{"a rotation of keys", k.Rotation != nil},
		{"the secret ID of an AppRole", k.AppRole != nil},
	} {
		if each.there {
			found = append(found, each.what)
		}
	}
	return found
}

// InClear names what in the record opens a Vault, or a part of it, and can be read without any key;
// nil if that is nothing, as in a record that is encrypted. Key shares that are encrypted to
// operators are not among it, and the key of the hashes opens nothing.
func (k Keys) InClear() []string {
	if k.Sealing != nil {
		return nil
	}
	shares := k.Set != nil && len(k.Set.Shares) > 0
	for _, old := range k.Old {
		shares = shares || len(old.Shares) > 0
	}
	private := false
	for _, attempt := range k.Attempts() {
		private = private || !attempt.PrivateKey.Empty()
	}
	root := k.Root != nil && !k.Root.Token.Empty()
	if k.RootGrant != nil {
		root, private = root || !k.RootGrant.Token.Empty(), private || !k.RootGrant.PrivateKey.Empty()
	}
	if k.Rotation != nil {
		shares, private = shares || k.Rotation.Set != nil && len(k.Rotation.Set.Shares) > 0, private || !k.Rotation.PrivateKey.Empty()
	}
	credential := k.AppRole != nil && !k.AppRole.SecretID.Empty() || k.Ceremony != nil && !k.Ceremony.SecretID.Empty()
	var found []string
	for _, each := range []struct {
		what  string
		there bool
	}{{"key shares", shares}, {"root token", root}, {"private key of an answer", private}, {"secret ID", credential}} {
		if each.there {
			found = append(found, each.what)
		}
	}
	return found
}
