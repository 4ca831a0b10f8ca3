package kubestore

import (
	"errors"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"

	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
)

func claimOf(holder string, renewed time.Time, duration time.Duration) coordinationv1.LeaseSpec {
	lease := &coordinationv1.Lease{}
	claim(lease, store.LeaseOptions{Holder: holder, Duration: duration}, renewed)
	return lease.Spec
}

// What a holder writes into the Lease comes from its own clock, which may be wrong
// by any amount: only how long we have watched it counts.
func TestAClaimExpiresByTheTimeWeWatchedIt(t *testing.T) {
	const duration = 10 * time.Second
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, skew := range []time.Duration{-24 * time.Hour, -time.Minute, 0, time.Minute, 24 * time.Hour} {
		var o observed
		// Written every 2 s by a clock that is off by skew: never expires.
		for tick := range 20 {
			at := now.Add(time.Duration(tick) * 2 * time.Second)
			if o.see(claimOf("a", at.Add(skew), duration), at, time.Hour) {
				t.Fatalf("skew %s: a claim expired that is being renewed", skew)
			}
		}
		last := now.Add(38 * time.Second)
		spec := claimOf("a", last.Add(skew), duration)
		if o.see(spec, last.Add(duration-1), time.Hour) {
			t.Errorf("skew %s: the claim expired early", skew)
		}
		if !o.see(spec, last.Add(duration), time.Hour) {
			t.Errorf("skew %s: the claim did not expire", skew)
		}
	}
}

func TestAnOldClaimIsWatchedForItsWholeDuration(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	spec := claimOf("a", now.Add(-time.Hour), 10*time.Second)
	var o observed
	if o.see(spec, now, time.Second) {
		t.Error("a claim seen for the first time has expired")
	}
	if o.see(spec, now.Add(9*time.Second), time.Second) {
		t.Error("our own duration was used instead of the holder's")
	}
	spec.LeaseDurationSeconds = nil
	o = observed{}
	_ = o.see(spec, now, time.Second)
	if !o.see(spec, now.Add(time.Second), time.Second) {
		t.Error("a claim without a duration does not expire after ours")
	}
}

func TestTransitionsCountHolders(t *testing.T) {
	lease := &coordinationv1.Lease{}
	now := time.Now()
	for i, holder := range []string{"a", "a", "b", "a"} {
		claim(lease, store.LeaseOptions{Holder: holder, Duration: time.Second}, now)
		if want := []int32{1, 1, 2, 3}[i]; *lease.Spec.LeaseTransitions != want {
			t.Errorf("claim %d by %s: %d transitions, want %d", i, holder, *lease.Spec.LeaseTransitions, want)
		}
	}
}

// A process that was suspended past its renew deadline knows so when it first asks, before any
// timer has run.
func TestAliveAsksTheClock(t *testing.T) {
	now := time.Now()
	l := &kubeLease{
		leases:  leases{site: site{in: kube.Namespace{Name: "ns"}, name: "x"}, now: func() time.Time { return now }},
		options: store.LeaseOptions{Holder: "a", Duration: 15 * time.Second, RenewDeadline: 10 * time.Second},
		renewed: now,
	}
	now = now.Add(10*time.Second - 1)
	if err := l.Alive(); err != nil {
		t.Errorf("just before the deadline: %v", err)
	}
	now = now.Add(1)
	if err := l.Alive(); !errors.Is(err, store.ErrLeaseLost) || fault.KindOf(err) != fault.Busy {
		t.Errorf("at the deadline: %v", err)
	}
}

func TestMirrorSurvivesAnnotations(t *testing.T) {
	mirror := store.Mirror{State: "seeded", Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), SeedDigest: "sha256:1"}
	meta := metav1.ObjectMeta{Annotations: map[string]string{"theirs": "kept"}}
	mark(mirror, &meta)
	annotations := meta.Annotations
	if got := meta.Labels[LabelState]; got != mirror.State {
		t.Errorf("the label says %q", got)
	}
	if got := mirrorOf(annotations); got != mirror {
		t.Errorf("got %+v, want %+v", got, mirror)
	}
	if annotations["theirs"] != "kept" || len(annotations) != 4 {
		t.Errorf("annotations are %v", annotations)
	}
	if got := mirrorOf(nil); got != (store.Mirror{}) {
		t.Errorf("no annotations show %+v", got)
	}
	if got := mirrorOf(map[string]string{AnnotationSince: "yesterday"}); !got.Since.IsZero() {
		t.Errorf("a time that cannot be read shows as %v", got.Since)
	}
}

func TestLeaseTimesAreChecked(t *testing.T) {
	good := store.LeaseOptions{Holder: "a", Duration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}
	if err := good.Check(); err != nil || store.DefaultLeaseOptions("a").Check() != nil {
		t.Errorf("good times are refused: %v", err)
	}
	for name, spoil := range map[string]func(*store.LeaseOptions){
		"no holder":                func(o *store.LeaseOptions) { o.Holder = "" },
		"no retry":                 func(o *store.LeaseOptions) { o.RetryPeriod = 0 },
		"retry as long as renew":   func(o *store.LeaseOptions) { o.RetryPeriod = o.RenewDeadline },
		"renew as long as all":     func(o *store.LeaseOptions) { o.RenewDeadline = o.Duration },
		"duration of half seconds": func(o *store.LeaseOptions) { o.Duration += time.Second / 2 },
	} {
		o := good
		spoil(&o)
		if err := o.Check(); fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
