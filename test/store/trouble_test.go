package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
	"github.com/vault-bootstrap/vault-bootstrap/internal/kube"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/fencing"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/kubestore"
	"github.com/vault-bootstrap/vault-bootstrap/internal/store/storetest"
)

// A quota that has no room for the Secrets is known before Vault is touched.
func TestPreflightFindsAQuota(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	quotas := controlPlane.Client.CoreV1().ResourceQuotas(s.namespace)
	none := corev1.ResourceList{"count/secrets": resource.MustParse("0")}
	quota, err := quotas.Create(within(t), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: none},
	}, metav1.CreateOptions{})
	check(t, err)
	// There is no controller to do this.
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	_, err = quotas.UpdateStatus(within(t), quota, metav1.UpdateOptions{})
	check(t, err)
	records := s.open(t)
	poll(t, "the quota to count", func(ctx context.Context) error {
		if err = records.Preflight(ctx); err == nil {
			return errors.New("the preflight passes")
		}
		return nil
	})
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "quota") || strings.Contains(fault.RemedyOf(err), "verbs") {
		t.Errorf("the preflight says %v (%s); remedy: %s", err, fault.KindOf(err), fault.RemedyOf(err))
	}
	if _, revision, err := records.Keys(within(t)); err != nil || revision != "" {
		t.Errorf("the preflight left %q, %v", revision, err)
	}
}

func TestPreflightFindsAnImmutableSecret(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	immutable := true
	_, err := controlPlane.Client.CoreV1().Secrets(s.namespace).Create(within(t), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: s.name + "-state"}, Immutable: &immutable,
	}, metav1.CreateOptions{})
	check(t, err)
	err = s.open(t).Preflight(within(t))
	if fault.NameOf(err) != store.RecordImmutable || !errors.Is(err, store.ErrImmutable) {
		t.Errorf("the preflight says %v (%s)", err, fault.KindOf(err))
	}
}

func TestARecordThatDoesNotFit(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	big := store.Checkpoint{ClusterID: strings.Repeat("x", 1<<20)}
	_, err := s.open(t).SaveCheckpoint(within(t), big, "")
	if fault.KindOf(err) != fault.Terminal || fault.NameOf(err) != kube.RecordRefused {
		t.Errorf("saving it ends with %v (%s)", err, fault.KindOf(err))
	}
}

func TestTheAPIServerCannotBeAsked(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	refusing := rest.CopyConfig(s.config)
	refusing.Host = "https://" + nowhere.Addr().String()
	check(t, nowhere.Close())
	foreign := rest.CopyConfig(s.config)
	foreign.CAFile = ""
	stranger := rest.CopyConfig(s.config)
	stranger.BearerToken = "nobody"

	for name, test := range map[string]struct {
		config *rest.Config
		says   string
	}{
		"nobody listens":  {refusing, "does not answer"},
		"another CA":      {foreign, "does not answer"},
		"a token of none": {stranger, "credentials"},
	} {
		records := openWith(t, test.config, s)
		_, _, readErr := records.Keys(within(t))
		_, writeErr := records.SaveKeys(within(t), store.Keys{}, "")
		_, leaseErr := records.Acquire(within(t), storetest.LeaseOptions("h"))
		_, mirrorErr := records.LeaseMirror(within(t))
		for what, err := range map[string]error{
			"preflight": records.Preflight(within(t)), "reading": readErr, "writing": writeErr, "lease": leaseErr, "mirror": mirrorErr,
		} {
			if err == nil || fault.KindOf(err) != fault.Transient || !strings.Contains(fault.RemedyOf(err), test.says) {
				t.Errorf("%s, %s: %v (%s); remedy: %s", name, what, err, fault.KindOf(err), fault.RemedyOf(err))
			}
		}
	}
}

func TestANamespaceThatIsNotThere(t *testing.T) {
	t.Parallel()
	records, err := kubestore.New(controlPlane.AdminConfig(), "not-there", defaultName)
	check(t, err)
	err = records.Preflight(within(t))
	if fault.KindOf(err) != fault.Usage || !strings.Contains(fault.RemedyOf(err), "kubectl get namespace not-there") {
		t.Errorf("the preflight says %v (%s); remedy: %s", err, fault.KindOf(err), fault.RemedyOf(err))
	}
	if _, err := kubestore.New(controlPlane.AdminConfig(), "", defaultName); fault.KindOf(err) != fault.Usage {
		t.Errorf("no namespace: %v", err)
	}
	if _, err := kubestore.New(controlPlane.AdminConfig(), "default", "No Name"); fault.KindOf(err) != fault.Usage {
		t.Errorf("no name: %v", err)
	}
}

// A holder that is cut off stops within its renew deadline, before anybody else may
// start; back on the network it can write until a later session has begun.
func TestAHolderThatIsCutOff(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	var n network
	options := storetest.LeaseOptions("cut off")
	session, err := fencing.Begin(within(t), openWith(t, n.through(s.config), s), options)
	check(t, err)
	defer func() { _ = session.Close() }()
	n.cut.Store(true)
	begin := time.Now()
	heir := make(chan time.Time, 1)
	go func() {
		later, err := fencing.Begin(within(t), s.open(t), storetest.LeaseOptions("heir"))
		if err != nil {
			t.Error(err)
		} else {
			defer func() { _ = later.Close() }()
		}
		heir <- time.Now()
	}()
	storetest.Receive(t, session.Context().Done(), "the end of the session's context")
	stopped := time.Now()
	cause := context.Cause(session.Context())
	if !errors.Is(cause, store.ErrLeaseLost) || !strings.Contains(cause.Error(), "the network is cut") {
		t.Errorf("the cause is %v", cause)
	}
	started := storetest.Receive(t, heir, "the heir")
	t.Logf("cut off: stopped after %s, the heir began after %s", stopped.Sub(begin), started.Sub(begin))
	if !stopped.Before(started) {
		t.Errorf("the heir began %s before the holder stopped", stopped.Sub(started))
	}
	n.cut.Store(false)
	for what, err := range map[string]error{
		"keys":       session.UpdateKeys(within(t), func(*store.Keys) error { return nil }),
		"checkpoint": session.UpdateCheckpoint(within(t), func(*store.Checkpoint) error { return nil }),
	} {
		if !errors.Is(err, fencing.ErrFenced) {
			t.Errorf("%s: a late write ends with %v", what, err)
		}
	}
	if err := session.Alive(); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("back on the network the session says %v", err)
	}
}

// A short absence of the API server is no reason to stop.
func TestAShortAbsence(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	var n network
	held, err := openWith(t, n.through(s.config), s).Acquire(within(t), storetest.LeaseOptions("h"))
	check(t, err)
	defer func() { _ = held.Release(context.Background()) }()
	renewed := func() time.Time {
		lease, err := controlPlane.Client.CoordinationV1().Leases(s.namespace).Get(within(t), s.name, metav1.GetOptions{})
		check(t, err)
		return lease.Spec.RenewTime.Time
	}
	n.cut.Store(true)
	n.isNoticed(t)
	before := renewed()
	n.cut.Store(false)
	poll(t, "a renewal", func(context.Context) error {
		if now := renewed(); !now.After(before) {
			return fmt.Errorf("renewed at %s", now)
		}
		return nil
	})
	if err := held.Alive(); err != nil {
		t.Error(err)
	}
	if err := held.Context().Err(); err != nil {
		t.Error(err)
	}
}

// One who waits for the Lease waits on while the API server is away.
func TestAnAbsenceWhileWaiting(t *testing.T) {
	t.Parallel()
	s := readySite(t)
	held, err := s.open(t).Acquire(within(t), storetest.LeaseOptions("h"))
	check(t, err)
	defer func() { _ = held.Release(context.Background()) }()
	var n network
	options := storetest.LeaseOptions("waiter")
	told := make(chan string, 10)
	options.Waiting = func(holder string) { told <- holder }
	result := make(chan error, 1)
	waiter := openWith(t, n.through(s.config), s)
	go func() {
		next, err := waiter.Acquire(within(t), options)
		if err == nil {
			err = next.Release(context.Background())
		}
		result <- err
	}()
	if holder := storetest.Receive(t, told, "the holder's name"); holder != "h" {
		t.Errorf("told that %q holds the Lease", holder)
	}
	n.cut.Store(true)
	n.isNoticed(t)
	check(t, held.Release(within(t)))
	n.cut.Store(false)
	check(t, storetest.Receive(t, result, "the Lease"))
}
