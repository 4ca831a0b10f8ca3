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
