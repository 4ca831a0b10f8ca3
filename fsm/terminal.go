package fsm

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// The names of the terminal errors: docs/runbook.md has a section on each.
const (
	NameKeysLost         = "keys lost"
	NameHalfInitialized  = "half-initialized"
	NameKeysWithoutVault = "keys without a Vault"
	NameKeysMissing      = "keys missing"
	NameNotOurs          = "not ours"
	NameDevelopment      = "development server"
	NameForeignCluster   = "foreign cluster"
	NameAuditBlocks      = "audit blocks unseal"
	NameLockedOut        = "locked out"
	NameDRSecondary      = "DR secondary"
	NameRemoved          = "removed"
	NameSealedOnPurpose  = "sealed on purpose"
)

// KeysLost is about a Vault that was initialized while the answer to our attempt reached nobody. An
// unsealed Vault was unsealed by somebody who has its keys, so its keys do not count as lost.
func KeysLost(replicas Replicas, maker string) error {
	for _, replica := range replicas {
		if replica.Health.Unsealed() {
			return fault.Stop(NameNotOurs,
				fmt.Errorf("an attempt of ours to initialize is on record without an answer, and Vault is open (%s): somebody else has initialized it, or has its keys", describe(replicas)),
				"Delete nothing, since this Vault may be in use, and ask who initialized it. With its keys it can be taken over: vault-bootstrap adopt (docs/runbook.md, 'not ours').")
		}
	}
	return fault.Stop(NameKeysLost,
		fmt.Errorf("this Vault was initialized, most likely by an attempt of ours whose answer was never stored (%s)", describe(replicas)),
		fmt.Sprintf("First check whether the process that made the attempt (%s) has left the answer in its spool directory or its pod's termination message, "+
			"which 'vault-bootstrap keys recover' stores, and whether somebody else has initialized this Vault. ", maker)+
			"If neither, its keys are gone and nobody has ever used it: delete the data of every replica and run again, or have --on-keys-lost=reset do it in Kubernetes (docs/runbook.md, 'keys lost').")
}

// InitializationRefused is about a Vault that refuses what it was asked for, and has written
// nothing.
func InitializationRefused(s Symptom) error {
	return fault.Misuse(fmt.Errorf("%s refuses to initialize: %w", s.Replica, s.Err),
		"Check --key-shares and --key-threshold (--recovery-shares and --recovery-threshold with auto-unseal), and the server's log.")
}

// HalfInitialized is about a Vault that died in the middle of its initialization.
func HalfInitialized(s Symptom) error {
	return fault.Stop(NameHalfInitialized,
		fmt.Errorf("%s says that it is uninitialized, and refuses to initialize: %w", s.Replica, s.Err),
		"Vault was killed in the middle of an earlier initialization, which it can neither finish nor repeat, and nobody has ever used it. "+
			"Delete the data of this replica (with the Helm chart: its PersistentVolumeClaim, then its pod) and run again.")
}

// KeysWithoutVault is about keys whose Vault has no data.
func KeysWithoutVault(replicas Replicas) error {
	return fault.Stop(NameKeysWithoutVault,
		fmt.Errorf("keys are stored, but every replica is uninitialized (%s)", describe(replicas)),
		"Check the addresses, and if this Vault has lost its storage, bring that back (volume, snapshot): the stored keys open it. "+
			"To start over with an empty Vault, put the keys away first, since they are all that opens a backup ('vault-bootstrap keys retire'), and run again.")
}

// keysMissing is about an initialized Vault and a checkpoint whose keys record is gone. A sealed
// Vault does not show its cluster ID, so the checkpoint decides; an open one that shows another ID is
// not the Vault of the checkpoint.
func keysMissing(o Observation, initialized Replicas) error {
	active, open := o.Replicas.Active()
	if open && o.ClusterID != "" && active.ClusterID != "" && active.ClusterID != o.ClusterID {
		return NotOurs(initialized)
	}
	return cmp.Or(o.Trouble, KeysMissing("NAME-keys", o.ClusterID))
}

// KeysMissing is about a Vault that the checkpoint knows, and whose keys record is gone. record is
// the name of that record, cluster the ID on record, which may be empty.
func KeysMissing(record, cluster string) error {
	known := "the checkpoint shows that this Vault is ours"
	if cluster != "" {
		known = fmt.Sprintf("the checkpoint shows that we set up the cluster %s", cluster)
	}
	return fault.Stop(NameKeysMissing, fmt.Errorf("%s, and its keys record %q holds nothing", known, record),
		fmt.Sprintf("Restore your copy of %s, or store its key shares with 'vault-bootstrap adopt': docs/runbook.md, 'keys missing'. ", record)+
			"If the keys were never ours to store, give --keys=none as before.")
}

// NotOurs is about a Vault that somebody else has initialized.
func NotOurs(replicas Replicas) error {
	return fault.Stop(NameNotOurs,
		fmt.Errorf("this Vault is initialized, but not by us: no keys are stored (%s)", describe(replicas)),
		"If the keys are stored elsewhere, say where with --store, --name and --namespace; if somebody else holds them, take this Vault over with 'vault-bootstrap adopt' (docs/runbook.md, 'not ours'). "+
			"If its keys are to stay where they are, or if nobody has any, configure it without them: --keys=none (docs/without-keys.md).")
}

// unknownVault is about a Vault that somebody else has initialized, or that has initialized itself in
// memory.
func unknownVault(replicas Replicas) error {
	for _, replica := range replicas {
		if !replica.InMemory {
			return NotOurs(replicas)
		}
	}
	return fault.Stop(NameDevelopment,
		fmt.Errorf("this server keeps its data in memory and was open from its start, as 'vault server -dev' is (%s): it has nothing to be initialized or unsealed, and forgets everything when it stops", describe(replicas)),
		"To try out what this program does, start a server that keeps its data: docs/tutorial.md has one in a few lines. "+
			"To apply a seed to this one all the same, give its root token, and a login that needs nothing stored: 'vault-bootstrap run --keys=none --token-file=FILE --login=userpass --login-password-file=FILE'.")
}

// ForeignShares is about a sealed Vault that the stored keys do not open.
func ForeignShares(s Symptom) error {
	return fault.Stop(NameForeignCluster,
		fmt.Errorf("the stored key shares do not unseal %s: %w", s.Replica, s.Err),
		"Check the addresses, --store, --name and --namespace: the keys may belong to another Vault. "+
			"If this one was rekeyed by somebody else, store its present shares in the keys record: docs/runbook.md, 'foreign cluster'.")
}

// ForeignCluster is about an unsealed Vault that is not the one whose keys we hold.
func ForeignCluster(stored string, active Replica) error {
	return fault.Stop(NameForeignCluster,
		fmt.Errorf("%s belongs to the cluster %s, the stored keys to %s", active.Address, active.ClusterID, stored),
		"Check the addresses, --store, --name and --namespace: they name two different Vaults. Nothing was changed in either.")
}

// foreignCluster is about an unsealed Vault that is not the one on record.
func foreignCluster(o Observation, active Replica) error {
	if o.Keys == KeysElsewhere {
		return ForeignToCheckpoint(o.ClusterID, active)
	}
	return ForeignCluster(o.ClusterID, active)
}

// ForeignToCheckpoint is about an unsealed Vault that is not the one that the checkpoint is about,
// where no keys say which one is ours.
func ForeignToCheckpoint(recorded string, active Replica) error {
	return fault.Stop(NameForeignCluster,
		fmt.Errorf("%s belongs to the cluster %s, and our checkpoint to %s", active.Address, active.ClusterID, recorded),
		"Nothing was sent to it: check the addresses, --store, --name and --namespace, which may name two different Vaults. "+
			"If this Vault was made anew on purpose, delete the checkpoint, which is about the former one, and run again (docs/runbook.md, 'foreign cluster').")
}

// AuditBlocksUnseal is about a Vault that stays sealed because an audit device
// cannot be set up.
func AuditBlocksUnseal(s Symptom) error {
	cause := fmt.Errorf("%s does not unseal: %w", s.Replica, s.Err)
	if strings.Contains(s.Err.Error(), "modifications to audit devices are not allowed") {
		return fault.Stop(NameAuditBlocks, cause,
			"The configuration of that server declares an audit device otherwise than it was made, and OpenBao changes none: put its stanza back as it was, restart the server, and run again. "+
				"To replace the device, remove the stanza, send the servers SIGHUP, which disables it, then add the new stanza and send SIGHUP again.")
	}
	return fault.Stop(NameAuditBlocks, cause,
		"Make the device's target work again on that server (a file: its directory exists, Vault's user may write there, the disk is not full), then run again: Vault stays sealed while it can set up none of its audit devices. "+
			"A second audit device of another kind keeps this from happening.")
}

// loginRefused stands in for an answer that Vault did not explain.
const loginRefused = "the login was refused"

// LockedOut is about a Vault that refuses the login of later runs, with no root
// token left.
func LockedOut(answer string) error {
	answer = cmp.Or(answer, loginRefused)
	return fault.Stop(NameLockedOut,
		fmt.Errorf("no live root token is stored, and Vault refuses our login: %w", errors.New(answer)),
		"Somebody has removed or changed the auth method, the role or the policy that this program logs in with, or the credential is wrong. "+
			"An administrator can restore them, or the key shares: 'vault-bootstrap break-glass run --reason=WHY' with the flags of this run generates a root token, repairs everything, and revokes the token.")
}

// lockedOut is LockedOut, with the remedy for those who have no keys.
func lockedOut(o Observation) error {
	switch {
	case o.Keys == NoShares:
		return fault.Stop(NameLockedOut, fmt.Errorf("no live root token is stored, and Vault refuses our login: %w", errors.New(cmp.Or(o.LoginAnswer, loginRefused))),
			"Somebody has removed or changed the auth method, the role or the policy that this program logs in with, or the credential is wrong. "+
				"An administrator can restore them, and nobody else: this server has no recovery keys, from which a root token could be generated.")
	case o.Keys != KeysElsewhere:
		return LockedOut(o.LoginAnswer)
	}
	return fault.Stop(NameLockedOut,
		fmt.Errorf("no token is given, and Vault refuses our login: %w", errors.New(cmp.Or(o.LoginAnswer, loginRefused))),
		"The auth method, the role or the policy that this program logs in with is not there yet, or was changed, or the credential is wrong. "+
			"An administrator's token makes or repairs them, and is stored nowhere: 'vault-bootstrap run --keys=none --token-file=FILE' with the flags of this run; "+
			"an OpenBao makes them at its first start ('vault-bootstrap seed self-init').")
}

// SealedOnPurpose is about a cluster that was sealed while its servers kept running.
func SealedOnPurpose(replicas Replicas) error {
	return fault.Stop(NameSealedOnPurpose,
		fmt.Errorf("somebody has sealed this cluster (%s): it was unsealed before, its servers were not restarted since, and --respect-seal leaves it sealed", describe(replicas)),
		"Ask who sealed it, and why. To unseal it, run once without --respect-seal, or unseal it by hand; a server that restarts is unsealed as usual.")
}

// DisasterRecoverySecondary is about replicas that replicate another cluster.
func DisasterRecoverySecondary(replicas Replicas) error {
	return fault.Stop(NameDRSecondary,
		fmt.Errorf("this is a disaster recovery secondary (%s)", describe(replicas)),
		"It takes its keys and its configuration from the primary cluster: run against that one.")
}

// AllRemoved is about replicas that have all been removed from their cluster.
func AllRemoved(replicas Replicas) error {
	return fault.Stop(NameRemoved,
		fmt.Errorf("every replica that answers was removed from its raft cluster (%s)", describe(replicas)),
		"Give the addresses of the members that are left. A removed server comes back only with empty storage.")
}
