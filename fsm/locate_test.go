package fsm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func replicas(health ...Health) []Replica {
	list := make([]Replica, len(health))
	for i, h := range health {
		list[i] = Replica{Address: "https://vault-" + string(rune('0'+i)) + ":8200", Health: h}
		if h.Unsealed() {
			list[i].ClusterID = "c1"
		}
	}
	return list
}

// onPurpose marks the sealed replicas as sealed by somebody, except the restarted ones.
func onPurpose(list []Replica, restarted ...int) []Replica {
	for i := range list {
		list[i].OnPurpose = list[i].Health == Sealed && !slices.Contains(restarted, i)
	}
	return list
}

// ours sets the keys to stored, and adds an active replica if there are no replicas.
func ours(o Observation) Observation {
	o.Keys = StoredKeys
	if o.Replicas == nil {
		o.Replicas = replicas(Active)
	}
	return o
}

// elsewhere sets the keys to those of somebody else, and adds an active replica if there are no
// replicas.
func elsewhere(o Observation) Observation {
	o = ours(o)
	o.Keys = KeysElsewhere
	return o
}

// located is a row of the table: an observation and what it amounts to.
type located struct {
	name  string
	o     Observation
	state State
	// kind and failure describe the error, where there is one: failure is the
	// terminal error's name, or a part of a transient one's message.
	kind    fault.Kind
	failure string
}

func locateRows() []located {
	found := func(kind SymptomKind, health Health) Observation {
		return Observation{Replicas: replicas(health), Keys: StoredKeys,
			Symptoms: []Symptom{{Kind: kind, Replica: "a", Err: errors.New("as Vault said it")}}}
	}
	return []located{
		// any | some replica does not answer, none says initialized
		{"silent, no keys", Observation{Replicas: replicas(NotInitialized, NoAnswer)}, "", fault.Transient, "1 of 2"},
		{"silent, intent", Observation{Replicas: replicas(NoAnswer), Keys: OpenIntent, UninitializedFor: time.Hour}, "", fault.Transient, "1 of 1"},
		{"silent, keys", Observation{Replicas: replicas(NoAnswer, NotInitialized), Keys: StoredKeys}, "", fault.Transient, "1 of 2"},
		{"no replica known", Observation{}, "", fault.Transient, "no replica"},
		// nothing | all uninitialized
		{"fresh", Observation{Replicas: replicas(NotInitialized, NotInitialized, NotInitialized)}, Uninitialized, 0, ""},
		// open intent | all uninitialized
		{"intent, not settled", Observation{Replicas: replicas(NotInitialized), Keys: OpenIntent, UninitializedFor: SettleTime - 1}, "", fault.Transient, "earlier attempt"},
		{"intent, settled", Observation{Replicas: replicas(NotInitialized), Keys: OpenIntent, UninitializedFor: SettleTime}, Uninitialized, 0, ""},
		// open intent, nothing to recover | initialized
		{"keys lost, sealed", Observation{Replicas: replicas(Sealed, NotInitialized), Keys: OpenIntent}, "", fault.Terminal, NameKeysLost},
		{"intent that cannot be read, sealed", Observation{Replicas: replicas(Sealed), Keys: OpenIntent, Trouble: fault.Wait(errors.New("locked"), "wait")}, "", fault.Transient, "locked"},
		{"intent that cannot be read, empty", Observation{Replicas: replicas(NotInitialized), Keys: OpenIntent, UninitializedFor: SettleTime, Trouble: fault.Wait(errors.New("locked"), "wait")}, "", fault.Transient, "locked"},
		{"keys lost, a replica silent", Observation{Replicas: replicas(Sealed, NoAnswer), Keys: OpenIntent}, "", fault.Terminal, NameKeysLost},
		{"intent, and its maker may still bring the keys", Observation{Replicas: replicas(Sealed), Keys: OpenIntent, Maker: Maker{Name: "pod-1", Grace: time.Minute}}, "", fault.Transient, "pod-1"},
		// open intent, its answer is spooled | any
		{"spooled, initialized", Observation{Replicas: replicas(Sealed), Keys: SpooledAnswer}, "", fault.Transient, "spooled"},
		{"spooled, empty", Observation{Replicas: replicas(NotInitialized), Keys: SpooledAnswer, UninitializedFor: time.Hour}, "", fault.Transient, "spooled"},
		{"spooled, and cannot be stored", Observation{Replicas: replicas(Sealed), Keys: SpooledAnswer, Trouble: fault.Wait(errors.New("the store is away"), "wait")}, "", fault.Transient, "the store is away"},
		{"intent, but somebody has opened it", Observation{Replicas: replicas(Active), Keys: OpenIntent}, "", fault.Terminal, NameNotOurs},
		// keys | somebody has sealed it, and that is respected
		{"sealed on purpose", ours(Observation{Replicas: onPurpose(replicas(Sealed, Sealed))}), "", fault.Terminal, NameSealedOnPurpose},
		{"sealed on purpose, another restarted", ours(Observation{Replicas: onPurpose(replicas(Sealed, Sealed), 1)}), "", fault.Terminal, NameSealedOnPurpose},
		{"one sealed on purpose, waiting for an election", ours(Observation{Replicas: onPurpose(replicas(Sealed, Standby))}), "", fault.Transient, "no replica is active"},
		{"one sealed on purpose, another active", ours(Observation{Replicas: onPurpose(replicas(Sealed, Active)), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
		// any | init answers 'cluster already has state'
		{"initialization refused, and still empty", Observation{Replicas: replicas(NotInitialized), Keys: OpenIntent,
			Symptoms: []Symptom{{Kind: InitRefused, Replica: "a", Err: errors.New("no")}}}, "", fault.Usage, ""},
		{"initialization refused, and initialized all the same", Observation{Replicas: replicas(Sealed), Keys: OpenIntent,
			Symptoms: []Symptom{{Kind: InitRefused, Replica: "a", Err: errors.New("no")}}}, "", fault.Terminal, NameKeysLost},
		{"half-initialized, no keys", Observation{Replicas: replicas(NotInitialized),
			Symptoms: []Symptom{{Kind: StorageHasState, Replica: "a", Err: errors.New("cluster already has state")}}}, "", fault.Terminal, NameHalfInitialized},
		{"half-initialized, intent", Observation{Replicas: replicas(NotInitialized), Keys: OpenIntent,
			Symptoms: []Symptom{{Kind: StorageHasState, Replica: "a", Err: errors.New("cluster already has state")}}}, "", fault.Terminal, NameHalfInitialized},
		// keys | all uninitialized
		{"keys without a Vault", Observation{Replicas: replicas(NotInitialized, NotInitialized), Keys: StoredKeys}, "", fault.Terminal, NameKeysWithoutVault},
		// keys | some initialized: the empty ones join
		{"scaled up, sealed", ours(Observation{Replicas: replicas(Sealed, NotInitialized)}), Initialized, 0, ""},
		{"scaled up, hardened", ours(Observation{Replicas: replicas(Active, NotInitialized), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
		// nothing | initialized
		{"not ours, sealed", Observation{Replicas: replicas(Sealed)}, "", fault.Terminal, NameNotOurs},
		{"not ours, active", Observation{Replicas: replicas(Active, NoAnswer)}, "", fault.Terminal, NameNotOurs},
		// a checkpoint that knows a Vault, and no keys | initialized
		{"keys missing, sealed", Observation{Replicas: replicas(Sealed, NotInitialized), Keys: MissingKeys, Trouble: KeysMissing("vb-keys", "c1"), ClusterID: "c1", Remembered: Hardened}, "", fault.Terminal, NameKeysMissing},
		{"keys missing, active", Observation{Replicas: replicas(Active, Sealed), Keys: MissingKeys, Trouble: KeysMissing("vb-keys", "c1"), ClusterID: "c1", Remembered: Hardened}, "", fault.Terminal, NameKeysMissing},
		{"keys missing, and never unsealed", Observation{Replicas: replicas(Sealed), Keys: MissingKeys, Trouble: KeysMissing("vb-keys", "c1"), Remembered: Initialized}, "", fault.Terminal, NameKeysMissing},
		{"keys missing, and another cluster is open", Observation{Replicas: replicas(Active), Keys: MissingKeys, Trouble: KeysMissing("vb-keys", "c1"), ClusterID: "c0", Remembered: Hardened}, "", fault.Terminal, NameNotOurs},
		{"keys missing, a replica silent", Observation{Replicas: replicas(NotInitialized, NoAnswer), Keys: MissingKeys, Trouble: KeysMissing("vb-keys", "c1"), ClusterID: "c1", Remembered: Hardened}, "", fault.Transient, "1 of 2"},
		{"keys missing, and every replica is empty", Observation{Replicas: replicas(NotInitialized, NotInitialized), Keys: MissingKeys, Trouble: KeysMissing("vb-keys", "c1"), ClusterID: "c1", Remembered: Hardened}, Uninitialized, 0, ""},
		// keys | sealed
		{"sealed", ours(Observation{Replicas: replicas(Sealed, Sealed, Sealed)}), Initialized, 0, ""},
		{"sealed, a replica silent", ours(Observation{Replicas: replicas(NoAnswer, Sealed, Sealed)}), Initialized, 0, ""},
		{"sealed, and people hold the shares", ours(Observation{Replicas: replicas(Sealed), Custodians: fault.Stop("custodians must unseal", errors.New("alice"), "ask them")}), Initialized, fault.Terminal, "custodians must unseal"},
		{"sealed, and its seal opens it", ours(Observation{Replicas: replicas(Sealed), RecoveryKeys: true}), Initialized, fault.Transient, "auto-unseal"},
		{"a part is sealed since it was open", ours(Observation{Replicas: replicas(Standby, Sealed, Sealed), Remembered: Hardened}), Unsealed, fault.Transient, "no replica is active"},
		{"all are sealed since it was open", ours(Observation{Replicas: replicas(Sealed, Sealed), Remembered: Hardened}), Initialized, 0, ""},
		{"sealed without quorum", ours(Observation{Replicas: replicas(Standby, Sealed, Sealed)}), Initialized, 0, ""},
		{"shares refused", found(SharesRefused, Sealed), "", fault.Terminal, NameForeignCluster},
		{"another cluster", ours(Observation{ClusterID: "c0", Login: LoginWorks}), "", fault.Terminal, NameForeignCluster},
		// keys | unsealing fails with 'failed to setup audit table'
		{"audit blocks", found(AuditBlocks, Sealed), "", fault.Terminal, NameAuditBlocks},
		// keys, root | unsealed, seed not or only partly applied
		{"root, plan unknown", ours(Observation{Root: LiveRoot}), Unsealed, 0, ""},
		{"root, plan has changes", ours(Observation{Root: LiveRoot, Plan: PlanChanges}), Unsealed, 0, ""},
		{"root makes a refused login harmless", ours(Observation{Root: LiveRoot, Login: LoginRefused, Plan: PlanChanges}), Unsealed, 0, ""},
		{"root, plan empty", ours(Observation{Root: LiveRoot, Plan: PlanEmpty, Controls: ControlsHold}), Seeded, 0, ""},
		// keys, no root | unsealed, login fails for good
		{"locked out", ours(Observation{Login: LoginRefused, LoginAnswer: "invalid role"}), Unsealed, fault.Terminal, NameLockedOut},
		{"locked out with a dead root", ours(Observation{Root: DeadRoot, Login: LoginRefused}), Unsealed, fault.Terminal, NameLockedOut},
		// keys, dead root | login works
		{"dead root to drop", ours(Observation{Root: DeadRoot, Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Seeded, 0, ""},
		// keys | login works, plan empty
		{"drifted", ours(Observation{Login: LoginWorks, Plan: PlanChanges}), Unsealed, 0, ""},
		{"seeded", ours(Observation{Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsFail}), Seeded, 0, ""},
		{"root has just ended", ours(Observation{Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsUnconfirmed}), Seeded, 0, ""},
		{"hardened", ours(Observation{Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
		{"a sealed standby does not change the state", ours(Observation{Replicas: replicas(Sealed, Active, NoAnswer), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
		// a server without recovery keys
		{"no shares, sealed", Observation{Replicas: replicas(Sealed), Keys: NoShares, RecoveryKeys: true}, Initialized, fault.Transient, "auto-unseal"},
		{"no shares, empty", Observation{Replicas: replicas(NotInitialized), Keys: NoShares, RecoveryKeys: true}, "", fault.Terminal, NameKeysWithoutVault},
		{"no shares, locked out", Observation{Replicas: replicas(Active), Keys: NoShares, RecoveryKeys: true, Login: LoginRefused}, Unsealed, fault.Terminal, NameLockedOut},
		{"no shares, hardened", Observation{Replicas: replicas(Active), Keys: NoShares, RecoveryKeys: true, Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}, Hardened, 0, ""},
		// the keys are elsewhere
		{"elsewhere, fresh", elsewhere(Observation{Replicas: replicas(NotInitialized, NotInitialized)}), Uninitialized, fault.Transient, "somebody else to initialize"},
		{"elsewhere, fresh and silent", elsewhere(Observation{Replicas: replicas(NotInitialized, NoAnswer)}), "", fault.Transient, "somebody else to initialize"},
		{"elsewhere, no replica known", Observation{Keys: KeysElsewhere}, "", fault.Transient, "no replica"},
		{"elsewhere, sealed", elsewhere(Observation{Replicas: replicas(Sealed, Sealed)}), Initialized, fault.Transient, "to unseal it"},
		{"elsewhere, a part is open", elsewhere(Observation{Replicas: replicas(Standby, Sealed), Remembered: Hardened}), Unsealed, fault.Transient, "no replica is active"},
		{"elsewhere, open", elsewhere(Observation{Login: LoginWorks, Plan: PlanChanges}), Unsealed, 0, ""},
		{"elsewhere, seeded", elsewhere(Observation{Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsFail}), Seeded, 0, ""},
		{"elsewhere, hardened", elsewhere(Observation{Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
		{"elsewhere, a person's token is in use", elsewhere(Observation{Root: LiveRoot, Plan: PlanEmpty, Controls: ControlsHold}), Seeded, 0, ""},
		{"elsewhere, login refused", elsewhere(Observation{Login: LoginRefused, LoginAnswer: "invalid role"}), Unsealed, fault.Terminal, NameLockedOut},
		{"elsewhere, login refused and a token", elsewhere(Observation{Root: LiveRoot, Login: LoginRefused, Plan: PlanChanges}), Unsealed, 0, ""},
		{"elsewhere, another cluster", elsewhere(Observation{ClusterID: "c0", Login: LoginWorks}), "", fault.Terminal, NameForeignCluster},
		// what the table leaves open
		{"trouble inside", ours(Observation{Login: LoginWorks, Trouble: fault.Stop("x", errors.New("mount type differs"), "mend it")}), Unsealed, fault.Terminal, "x"},
		{"election", ours(Observation{Replicas: replicas(Standby, Standby, NoAnswer)}), "", fault.Transient, "no replica is active"},
		{"cut off", ours(Observation{Replicas: replicas(StandbyCutOff, Standby)}), "", fault.Transient, "no replica is active"},
		{"performance standbys only", ours(Observation{Replicas: replicas(PerformanceStandby)}), "", fault.Transient, "no replica is active"},
		{"performance standby beside active", ours(Observation{Replicas: replicas(PerformanceStandby, Active), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
		{"DR secondary", ours(Observation{Replicas: replicas(DRSecondary, DRSecondary)}), "", fault.Terminal, NameDRSecondary},
		{"all removed", ours(Observation{Replicas: replicas(Removed)}), "", fault.Terminal, NameRemoved},
		{"one removed", ours(Observation{Replicas: replicas(Removed, Active), Login: LoginWorks, Plan: PlanEmpty, Controls: ControlsHold}), Hardened, 0, ""},
	}
}

func TestLocate(t *testing.T) {
	for _, test := range locateRows() {
		t.Run(test.name, func(t *testing.T) {
			state, err := Locate(test.o)
			if state != test.state {
				t.Errorf("state %q, want %q (%v)", state, test.state, err)
			}
			if test.failure == "" && test.kind != fault.Usage {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			if got, want := fault.KindOf(err), test.kind; got != want {
				t.Errorf("kind %v, want %v", got, want)
			}
			if fault.RemedyOf(err) == "" {
				t.Error("the error has no remedy")
			}
			if (test.o.Keys == KeysElsewhere || test.o.Keys == NoShares) && strings.Contains(err.Error()+fault.RemedyOf(err), "break-glass") {
				t.Errorf("break-glass takes keys, and there are none: %v (%s)", err, fault.RemedyOf(err))
			}
			if test.kind == fault.Terminal && fault.NameOf(err) != test.failure {
				t.Errorf("error is called %q, want %q", fault.NameOf(err), test.failure)
			}
			if test.kind == fault.Transient && !strings.Contains(err.Error(), test.failure) {
				t.Errorf("error %q does not say %q", err, test.failure)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		health                Health
		initialized, unsealed bool
	}{
		{NoAnswer, false, false}, {Active, true, true}, {Standby, true, true}, {DRSecondary, true, true},
		{PerformanceStandby, true, true}, {StandbyCutOff, true, true}, {NotInitialized, false, false},
		{Sealed, true, false}, {Removed, true, false},
	} {
		if got := test.health.Initialized(); got != test.initialized {
			t.Errorf("%s.Initialized() = %v", test.health, got)
		}
		if got := test.health.Unsealed(); got != test.unsealed {
			t.Errorf("%s.Unsealed() = %v", test.health, got)
		}
	}
}

// FuzzLocate holds Locate to what must be true of any observation: it returns
// a state or an error, both only if a part is known, and never calls a Vault uninitialized
// that might hold data or for which keys are stored.
func FuzzLocate(f *testing.F) {
	f.Add([]byte{1, 5}, byte(0), byte(0), byte(0), byte(0), byte(0), int64(0))
	all := []Health{NoAnswer, Active, Standby, DRSecondary, PerformanceStandby, StandbyCutOff, NotInitialized, Sealed, Removed}
	f.Fuzz(func(t *testing.T, healths []byte, keys, root, login, plan, controls byte, since int64) {
		o := Observation{
			Keys: KeyStatus(keys % 7), Root: RootStatus(root % 3), Login: LoginStatus(login % 3),
			Plan: PlanStatus(plan % 3), Controls: ControlStatus(controls % 3), UninitializedFor: time.Duration(since),
		}
		empty := true
		for _, b := range healths {
			health := all[int(b)%len(all)]
			empty = empty && health == NotInitialized
			o.Replicas = append(o.Replicas, Replica{Address: "a", Health: health})
		}
		state, err := Locate(o)
		if state == "" && err == nil || state != "" && err != nil && state != Unsealed && state != Initialized && (state != Uninitialized || o.Keys != KeysElsewhere) {
			t.Fatalf("state %q and error %v", state, err)
		}
		if state == Uninitialized && (!empty || len(healths) == 0 || o.Keys == StoredKeys || o.Keys == NoShares || o.Keys == SpooledAnswer) {
			t.Fatalf("%+v is called uninitialized", o)
		}
		if state == Hardened && o.Root != NoRoot {
			t.Fatal("hardened with a root token in the store")
		}
	})
}
