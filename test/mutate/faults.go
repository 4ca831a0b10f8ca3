package main

// fault is a mistake in the code of the program, and where it must be noticed.
type fault struct {
	// Name says what the program does wrong with it.
	Name string
	// File is the file, from the root of the repository. Old is a text that it holds exactly
	// once, and New what stands there instead.
	File, Old, New string
	// Package holds the tests, from the root of the repository; one below test/ runs in that
	// module. Run is their -run pattern.
	Package, Run string
}

// faults are mistakes that compile, that a reviewer could miss, and that would lose keys,
// leave a root token behind, or write what nobody asked for.
var faults = []fault{
	// What may write the records, and when.
	{
		Name: "an update does not compare the epoch: a holder that was suspended still writes",
		File: "internal/store/fencing/session.go",
		Old:  "stored != s.epoch && !reflect.DeepEqual(record, nothing)", New: "stored > s.epoch+1 && !reflect.DeepEqual(record, nothing)",
		Package: "./internal/store/fencing", Run: "TestConformance",
	},
	{
		Name: "a new epoch ignores that of the checkpoint, which may be the greater one",
		File: "internal/store/fencing/begin.go",
		Old:  "s.epoch = max(keys.Epoch, checkpoint.Epoch) + 1", New: "s.epoch = keys.Epoch + 1",
		Package: "./internal/store/fencing", Run: "TestConformance",
	},
	{
		Name: "a Secret is written without the revision as a precondition",
		File: "internal/store/kubestore/secrets.go",
		Old:  `map[string]any{"resourceVersion": string(w.revision), "labels": meta.Labels}`, New: `map[string]any{"labels": meta.Labels}`,
		Package: "./internal/store/kubestore", Run: "TestConformance",
	},
	{
		Name: "a file is written whatever its revision is by now",
		File: "internal/store/filestore/store.go",
		Old:  "if stored != revision {", New: `if revision == "" && stored != revision {`,
		Package: "./internal/store/filestore", Run: "TestFileConformance",
	},
	{
		Name:    "the Lease is not renewed: each renewal writes the time of the claim again",
		File:    "internal/store/kubestore/held.go",
		Old:     "\treturn l.write(ctx, func(lease *coordinationv1.Lease, sent time.Time) {\n\t\tstamp := metav1.NewMicroTime(sent)\n\t\tlease.Spec.RenewTime = &stamp\n\t})",
		New:     "\treturn l.write(ctx, func(lease *coordinationv1.Lease, sent time.Time) {\n\t\tlease.Spec.RenewTime = lease.Spec.AcquireTime\n\t})",
		Package: "./internal/store/kubestore", Run: "TestRenewalsAreSeen",
	},
	{
		Name: "another's claim to the Lease expires by our own duration, not by the holder's",
		File: "internal/store/kubestore/lease.go",
		Old:  "if spec.LeaseDurationSeconds != nil {", New: "if spec.LeaseDurationSeconds != nil && duration == 0 {",
		Package: "./internal/store/kubestore", Run: "TestAClaimExpires|TestAnOldClaim",
	},
	{
		Name: "a new piece of the ledger goes where the piece in force is",
		File: "internal/store/kubestore/pieces.go",
		Old:  `if before != nil && before.Slot == "a" {`, New: `if before != nil && before.Slot == "b" {`,
		Package: "./internal/store/kubestore", Run: "TestPieces",
	},
	{
		Name:    "the stored form of a set of keys forgets which attempt it came from",
		File:    "internal/store/wire/keys.go",
		Old:     "\t\tCustody:   each(s.Custody, func(c wireCustody) store.CustodyShare { return store.CustodyShare(c) }),\n\t\tAttempt:   s.Attempt,",
		New:     "\t\tCustody:   each(s.Custody, func(c wireCustody) store.CustodyShare { return store.CustodyShare(c) }),",
		Package: "./internal/store/wire", Run: "TestEveryFieldSurvives",
	},
	{
		Name: "a file is not synced before it counts as written",
		File: "internal/durable/durable.go",
		Old:  "return file.Sync()", New: "return nil",
		Package: "./internal/durable", Run: "TestASyncThatFails",
	},

	// The acts.
	{
		Name: "sys/init is cut off by the end of the run's time, and its answer lost",
		File: "states/initialize.go",
		Old:  "target.Initialize(context.WithoutCancel(ctx),", New: "target.Initialize(ctx,",
		Package: "./states", Run: "TestWhatVaultIsAskedFor",
	},
	{
		Name: "Vault is initialized although the store has refused a rehearsal of the keys",
		File: "states/initialize.go",
		Old:  "if err := i.rehearse(ctx, target.Address(), pair, split); err != nil {", New: "if err := i.rehearse(ctx, target.Address(), pair, split); err != nil && ctx.Err() != nil {",
		Package: "./states", Run: "TestInitializeAsksForNothing",
	},
	{
		Name: "the threshold that Vault is asked for is one less than declared",
		File: "states/responses.go",
		Old:  "vault.InitRequest{Shares: split.Shares, Threshold: split.Threshold,", New: "vault.InitRequest{Shares: split.Shares, Threshold: max(split.Threshold-1, 1),",
		Package: "./states", Run: "TestWhatVaultIsAskedFor",
	},
	{
		Name: "the spool is emptied before the keys are stored",
		File: "states/deliver.go",
		Old:  "\t\tlast = d.store(ctx, entry)\n", New: "\t\td.unspool(entry.Attempt)\n\t\tlast = d.store(ctx, entry)\n",
		Package: "./states", Run: "TestSpoolIsKept",
	},
	{
		Name: "keys that are stored are not read back",
		File: "states/deliver.go",
		Old:  "return d.readBack(ctx, entry)", New: "return nil",
		Package: "./states", Run: "TestStoredKeysAreReadBack",
	},
	{
		Name: "a late answer replaces the set of keys in force",
		File: "states/deliver.go",
		Old:  "if keys.Set != nil || attempt.Emptied != nil {", New: "if attempt.Emptied != nil {",
		Package: "./states", Run: "TestLateAnswerReplacesNothing",
	},
	{
		Name: "the root token is forgotten without being revoked",
		File: "states/harden.go",
		Old:  "if look.Observation.Root == fsm.LiveRoot {", New: "if look.Observation.Root == fsm.LiveRoot && keys.Root == nil {",
		Package: "./states", Run: "TestHarden",
	},
	{
		Name: "the root token goes before it is proven that our own login suffices",
		File: "states/harden_prove.go",
		Old:  "if len(seen.missing) > 0 {", New: "if len(seen.missing) > 0 && err != nil {",
		Package: "./states", Run: "TestHarden",
	},
	{
		Name: "the root token counts as dead while it still works",
		File: "states/harden_prove.go",
		Old:  "if !dead {", New: "if !dead && err != nil {",
		Package: "./states", Run: "TestHardenKeepsRoot",
	},
	{
		Name: "objects are created before the ledger knows of them",
		File: "states/seed.go",
		Old:  "own(c, ids, store.Intended)", New: "own(c, nil, store.Intended)",
		Package: "./states", Run: "TestSeed",
	},
	{
		Name:    "a replica that somebody has sealed on purpose is unsealed",
		File:    "fsm/replicas.go",
		Old:     "return slices.DeleteFunc(all.with(is(Sealed)), func(r Replica) bool { return r.OnPurpose })",
		New:     "return all.with(is(Sealed))",
		Package: "./fsm", Run: ".",
	},

	// What is done with key shares.
	{
		Name: "new key shares are put in force although they cannot be read back",
		File: "states/ceremony/rotate.go",
		Old:  "if err := r.readNewBack(ctx); err != nil {", New: "if err := r.readNewBack(ctx); err != nil && ctx.Err() != nil {",
		Package: "./states/ceremony", Run: "TestRotateReadsNewSharesBack",
	},
	{
		Name: "a rekey of somebody else is taken for ours and called off",
		File: "states/ceremony/rotate_settle.go",
		Old:  "\t\treturn status.Nonce == left.Nonce\n", New: "\t\treturn status.Nonce != \"\"\n",
		Package: "./states/ceremony", Run: "TestSettleRotationLeavesOthersAlone",
	},
	{
		Name: "the shares that a rotation replaces are not put away",
		File: "states/ceremony/rotate_finish.go",
		Old:  "append([]store.KeySet{*keys.Set}, keys.Rotation.Rivals...)...)", New: "keys.Rotation.Rivals...)",
		Package: "./states/ceremony", Run: "TestRotate",
	},
	{
		Name: "a break-glass takes its root token for dead while it still works",
		File: "states/ceremony/breakglass_end.go",
		Old:  "if dead, err = session.Dead(ctx); err == nil && !dead {", New: "if dead, err = session.Dead(ctx); err == nil && !dead && ctx.Err() != nil {",
		Package: "./states/ceremony", Run: "TestRootTokenThatSurvives",
	},
	{
		Name: "a root token that was found after a kill is forgotten and not revoked",
		File: "states/ceremony/breakglass_end.go",
		Old:  "if token.Path == rootPath && !token.Created.Before(left.Finishing.Add(-time.Second))", New: "if token.Path == rootPath && token.Created.Before(left.Finishing.Add(-time.Second))",
		Package: "./states/ceremony", Run: "TestLostRootToken",
	},
	{
		Name: "keys are put away although a replica does not answer",
		File: "states/ceremony/retire.go",
		Old:  "case replica.Health == fsm.NoAnswer:", New: "case replica.Health == fsm.NoAnswer && len(replicas) == 0:",
		Package: "./states/ceremony", Run: "TestRetire",
	},

	// The seed.
	{
		Name:    "what has a tombstone is deleted although we did not create it",
		File:    "internal/seed/reconcile/prune.go",
		Old:     "slices.DeleteFunc(slices.Clone(g.Owned), func(id object.ID) bool { return wanted[id] || renamed.Hold(id) })",
		New:     "slices.DeleteFunc(slices.Clone(g.Owned), func(id object.ID) bool { return wanted[id] || renamed.Hold(id) })\n\tfor _, t := range g.Prune.Tombstones {\n\t\tgone = append(gone, t.ID)\n\t}\n\tgone = slices.Compact(gone)",
		Package: "./internal/seed", Run: "TestTombstone",
	},
	{
		Name: "a mount that may hold data is deleted without a tombstone",
		File: "internal/seed/reconcile/prune.go",
		Old:  "case at.HoldsData() && !buried && (there ||", New: "case at.HoldsData() && !buried && (!there ||",
		Package: "./internal/seed", Run: "TestMountInNamespaceStays|TestPrune",
	},
	{
		Name: "a value that the seed does not have is not seen to be too much",
		File: "internal/seed/reconcile/diff.go",
		Old:  "for _, name := range o.Surplus(shown) {", New: "for _, name := range o.Surplus(nil) {",
		Package: "./internal/seed", Run: "TestSurplusValues|TestValuesAreComparedToTheLetter",
	},
	{
		Name: "a text that Vault shows in another spelling of true and false counts as the same everywhere",
		File: "internal/seed/value/same.go",
		Old:  "errA == nil && errB == nil && truthA == truthB && len(a)+len(b) > 2", New: "errA == nil && errB == nil && truthA == truthB || len(a) == len(b)",
		Package: "./internal/seed/value", Run: "TestSame",
	},
	{
		Name: "a seed is applied although its ledger could not be written ahead",
		File: "internal/seed/reconcile/apply.go",
		Old:  "if err := a.options.BeforeCreate(ctx, ids); err != nil {", New: "if err := a.options.BeforeCreate(ctx, ids); err != nil && ctx.Err() != nil {",
		Package: "./internal/seed", Run: "TestApply",
	},
	{
		Name: "an error quotes a secret that Vault has quoted",
		File: "internal/seed/reconcile/redact.go",
		Old:  "if len(spelling) >= scrubLength {", New: "if len(spelling) >= scrubLength<<3 {",
		Package: "./internal/seed", Run: "TestErrorsHoldNoSecrets|TestNoSecretIsShown",
	},
	{
		Name: "an object is made before those of its stage that it refers to",
		File: "internal/seed/order.go",
		Old:  "deepest = max(deepest, 1+depth(at))", New: "deepest = max(deepest, depth(at))",
		Package: "./internal/seed", Run: "TestGroupsComeAfterTheirMembers",
	},
	{
		Name: "our own policy lacks the right to tune the auth methods that it enables",
		File: "internal/seed/policy/needs.go",
		Old:  "\t\t\tset.add(id+\"/tune\", \"update\", \"sudo\")\n", New: "",
		Package: "./internal/seed", Run: "TestNeedsOfTheExample",
	},
	{
		Name: "a policy with a path that Vault refuses is taken",
		File: "internal/seed/policy/check.go",
		Old:  `case strings.Contains(path, "+*"):`, New: `case strings.Contains(path, "+**"):`,
		Package: "./internal/seed", Run: "TestLoadRefuses|TestPolicyWarnings",
	},

	// What the made-up seeds find.
	{
		Name: "a list of a mount's settings with a reference in it is never the same as what Vault shows",
		File: "internal/seed/object/mounts.go",
		Old:  "\twant = value.Reveal(want)\n", New: "",
		Package: "./test/prop", Run: "TestSeeds",
	},
	{
		Name: "what Vault cannot delete stays in the ledger, and in every plan",
		File: "internal/seed/reconcile/prune.go",
		Old:  "p.Forget = append(p.Forget, id)\n\t\t\tcontinue", New: "continue",
		Package: "./test/prop", Run: "TestSeeds",
	},
	// What opens a wrap of the keys, and whose.
	{
		Name: "a wrap opens for another record, where the service has no additional data",
		File: "internal/keyring/context.go",
		Old:  "if subtle.ConstantTimeCompare(digest[:], []byte(content[:len(digest)])) != 1 {", New: "if len(digest) == 0 {",
		Package: "./internal/keyring/agekey", Run: "TestRecipients",
	},
	{
		Name: "a ciphertext of Google's that was changed on the way is stored",
		File: "internal/keyring/gcpkms/gcpkms.go",
		Old:  "keyring.CheckWrap(answer.Ciphertext) != nil || answer.CiphertextSum.String() != sum(answer.Ciphertext)", New: "keyring.CheckWrap(answer.Ciphertext) != nil",
		Package: "./internal/keyring/gcpkms", Run: "TestChecksums",
	},
	{
		Name: "the wrap of a key in somebody else's Azure Key Vault is stored",
		File: "internal/keyring/azurekv/azurekv.go",
		Old:  "!strings.EqualFold(id[:len(prefix)], prefix) || ", New: "",
		Package: "./internal/keyring/azurekv", Run: "TestStrangeAnswers",
	},
	{
		Name: "whoever can write the record has it opened with an AWS key of their own",
		File: "internal/keyring/awskms/awskms.go",
		Old:  "if got != want {", New: "if got == \"\" {",
		Package: "./internal/keyring/awskms", Run: "TestAnotherKey",
	},
}
