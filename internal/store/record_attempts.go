package store

// Attempts returns all attempts on record, oldest first.
func (k *Keys) Attempts() []*Attempt {
	attempts := make([]*Attempt, 0, len(k.Past)+1)
	for i := range k.Past {
		attempts = append(attempts, &k.Past[i])
	}
	if k.Attempt != nil {
		attempts = append(attempts, k.Attempt)
	}
	return attempts
}

// AttemptOf returns the attempt on record with an ID; nil if there is none.
func (k *Keys) AttemptOf(id string) *Attempt {
	for _, attempt := range k.Attempts() {
		if attempt.ID == id {
			return attempt
		}
	}
	return nil
}

// Origin returns the attempt whose answer the set in force is; nil if there is none, or if it is no
// longer on record.
func (k *Keys) Origin() *Attempt {
	switch {
	case k.Set == nil:
		return nil
	case k.Set.Attempt != "":
		return k.AttemptOf(k.Set.Attempt)
	case k.Attempt != nil && k.Attempt.Status == AttemptStored:
		return k.Attempt // a record of an earlier version
	default:
		return nil
	}
}
