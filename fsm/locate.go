package fsm

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// SettleTime is how long all replicas must have answered 'uninitialized' before an open intent
// counts as failed. A Vault that is still busy with an earlier sys/init needs up to 9 s on raft
// storage.
const SettleTime = 30 * time.Second

// Locate returns the state that the observation amounts to. It fails with a transient error when
// that cannot be known yet, and with a terminal one when a person is needed. If it returns both a
// state and an error, the cluster has reached at least that state, and the error is why no more is
// known.
func Locate(o Observation) (State, error) {
	if err := judge(o); err != nil {
		return "", err
	}
	initialized := o.Replicas.with(Health.Initialized)
	if len(initialized) == 0 {
		return locateEmpty(o)
	}
	switch o.Keys {
	case NoKeys:
		return "", unknownVault(initialized)
	case MissingKeys:
		return "", keysMissing(o, initialized)
	case SpooledAnswer:
		return "", answerNotStored(o)
	case OpenIntent:
		if o.Trouble != nil { // nothing is called lost that could not be read
			return "", o.Trouble
		}
		if o.Maker.Grace > 0 {
			return "", waitForMaker(o)
		}
		return "", KeysLost(initialized, o.Maker.Name)
	}
	return locateOurs(o)
}

// answerNotStored is about an init response that is spooled. If it is known why it cannot be
// stored, that is the trouble.
func answerNotStored(o Observation) error {
	if o.Trouble != nil {
		return o.Trouble
	}
	return fault.Wait(errors.New("the init response is spooled and not stored yet"),
		"Waiting for the run that holds the lease to store it.")
}

// waitForMaker is about an initialized Vault whose keys another process may still deliver: one that
// was suspended or cut off holds them in memory.
func waitForMaker(o Observation) error {
	return fault.Wait(fmt.Errorf("initialized, and the process that asked for it (%s) may still store the keys", o.Maker.Name),
		fmt.Sprintf("Waiting for it for up to %s. Check that process first: as long as it or its pod exists, the keys are not lost.", o.Maker.Grace.Round(time.Second)))
}

// judge turns symptoms into terminal errors.
func judge(o Observation) error {
	for _, symptom := range o.Symptoms {
		switch symptom.Kind {
		case StorageHasState:
			return HalfInitialized(symptom)
		case SharesRefused:
			return ForeignShares(symptom)
		case AuditBlocks:
			return AuditBlocksUnseal(symptom)
		case InitRefused:
			// Vault also answers 400 to failures after it has written its first key: the
			// refusal counts only if there is still nothing.
			if len(o.Replicas.with(is(NotInitialized))) == len(o.Replicas) {
				return InitializationRefused(symptom)
			}
		}
	}
	return nil
}

// locateEmpty is about a Vault no replica of which reports that it is initialized.
func locateEmpty(o Observation) (State, error) {
	if o.Keys == KeysElsewhere && len(o.Replicas) > 0 {
		return locateEmptyElsewhere(o)
	}
	silent := o.Replicas.with(is(NoAnswer))
	if len(silent) > 0 || len(o.Replicas) == 0 {
		return "", waitForAnswers(silent, len(o.Replicas))
	}
	switch o.Keys {
	case StoredKeys, NoShares:
		return "", KeysWithoutVault(o.Replicas)
	case SpooledAnswer:
		return "", answerNotStored(o)
	case OpenIntent:
		if o.Trouble != nil {
			return "", o.Trouble
		}
		if o.UninitializedFor < SettleTime {
			return "", fault.Wait(fmt.Errorf("an earlier attempt to initialize is on record, and the replicas have been uninitialized for only %s",
				o.UninitializedFor.Round(time.Second)),
				fmt.Sprintf("Waiting until they have been uninitialized for %s: Vault may still be processing the earlier request.", SettleTime))
		}
	}
	return Uninitialized, nil
}

// locateEmptyElsewhere is about a Vault that somebody else is to initialize.
func locateEmptyElsewhere(o Observation) (State, error) {
	waiting := fault.Wait(fmt.Errorf("waiting for somebody else to initialize it (%s)", describe(o.Replicas)),
		"With --keys=none we never do: its keys would be ours. Initialize it ('vault operator init'), or have it initialize itself (OpenBao, 'vault-bootstrap seed self-init').")
	if len(o.Replicas.with(is(NotInitialized))) < len(o.Replicas) {
		return "", waiting // a silent replica may be initialized
	}
	return Uninitialized, waiting
}

// locateOurs is about an initialized Vault whose keys we hold, or that is ours to configure.
func locateOurs(o Observation) (State, error) {
	active, found := o.Replicas.Active()
	if !found {
		return locateWithoutActive(o)
	}
	if o.ClusterID != "" && active.ClusterID != "" && o.ClusterID != active.ClusterID {
		return "", foreignCluster(o, active)
	}
	if o.Root != LiveRoot && o.Login == LoginRefused {
		return Unsealed, lockedOut(o)
	}
	if o.Trouble != nil {
		return Unsealed, o.Trouble
	}
	if o.Plan != PlanEmpty {
		return Unsealed, nil
	}
	// A stored root token, live or dead, keeps the cluster from being hardened: the act harden
	// removes it. Where the act seed has removed it, harden confirms that the controls hold.
	if o.Root == NoRoot && o.Login == LoginWorks && o.Controls == ControlsHold {
		return Hardened, nil
	}
	return Seeded, nil
}

func locateWithoutActive(o Observation) (State, error) {
	if sealed := o.Replicas.SealedOnPurpose(); len(sealed) > 0 && !o.Replicas.open() {
		return "", SealedOnPurpose(sealed)
	}
	if len(o.Replicas.ToUnseal()) > 0 {
		return locateSealed(o)
	}
	if secondary := o.Replicas.with(is(DRSecondary)); len(secondary) > 0 {
		return "", DisasterRecoverySecondary(secondary)
	}
	removed := o.Replicas.Lost()
	if len(removed) > 0 && len(removed) == len(o.Replicas.with(Health.Initialized)) {
		return "", AllRemoved(removed)
	}
	return "", waitForActive(o)
}

// locateSealed is about sealed replicas without an active one beside them.
func locateSealed(o Observation) (State, error) {
	switch {
	case !o.Remembered.Before(Unsealed) && o.Replicas.open():
		// Replicas come up one after another: a cluster that is partly unsealed was not sealed; it
		// has no active node yet.
		return Unsealed, waitForActive(o)
	case o.Keys == KeysElsewhere:
		return Initialized, waitForUnseal(o)
	case o.RecoveryKeys:
		return Initialized, waitForSeal(o)
	default:
		return Initialized, o.Custodians
	}
}

func waitForUnseal(o Observation) error {
	return fault.Wait(fmt.Errorf("waiting for its seal, or for somebody else, to unseal it (%s)", describe(o.Replicas.with(is(Sealed)))),
		"If a seal is to open it, check the server's log: the KMS may be unreachable. Otherwise whoever holds its keys unseals it: with --keys=none we have none.")
}

func waitForSeal(o Observation) error {
	return fault.Wait(fmt.Errorf("waiting for auto-unseal (%s)", describe(o.Replicas.with(is(Sealed)))),
		"The seal opens it, not our keys. If it stays sealed, check the server's log: the KMS or the other Vault may be unreachable.")
}

func waitForActive(o Observation) error {
	return fault.Wait(fmt.Errorf("no replica is active (%s)", describe(o.Replicas)),
		"Waiting for Vault to elect an active node. If it elects none, check the servers' logs: a raft cluster needs more than half of its members, and no server stays active that can set up none of its audit devices ('failed to setup audit table').")
}

func waitForAnswers(silent Replicas, total int) error {
	if total == 0 {
		return fault.Wait(errors.New("no replica is known"), "Waiting for the replicas to appear.")
	}
	return fault.Wait(fmt.Errorf("waiting for an answer from %d of %d replicas (%s)", len(silent), total, describe(silent)),
		"Nothing is initialized while a replica is silent, since it may hold data. Check that the addresses are right, the servers are running and the network lets us through.")
}

// Describe lists the replicas with what they answered, for messages.
func (all Replicas) Describe() string { return describe(all) }

// describe lists replicas with what they answered, for messages.
func describe(replicas Replicas) string {
	parts := make([]string, 0, len(replicas))
	for _, replica := range replicas {
		part := replica.Address + ": " + string(replica.Health)
		if replica.Answer != "" {
			part += ", " + replica.Answer
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
