package states

import (
	"context"
	"net"
	"net/url"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/fsm"
	"github.com/vault-bootstrap/vault-bootstrap/states/cluster"
)

// joining has replicas join the raft cluster.
type joining struct {
	setting *Setting
	cluster *cluster.Cluster
	alone   waiters // empty replicas beside an active node
}

// joinPatience is how long a replica beside an active node has to join by itself (retry_join takes
// about 2 s), and how long we wait between two tries.
const joinPatience = 10 * time.Second

// waiters remembers since when each replica has been empty beside an active node.
type waiters map[string]time.Time

// due returns the replicas that have waited long enough, and restarts their wait.
func (w *waiters) due(empty []fsm.Replica, now time.Time) []string {
	before := *w
	*w = waiters{}
	var due []string
	for _, replica := range empty {
		since, known := before[replica.Address]
		if !known {
			since = now
		}
		if now.Sub(since) >= joinPatience {
			due = append(due, replica.Address)
			since = now
		}
		(*w)[replica.Address] = since
	}
	return due
}

// join has replicas join the raft cluster, if they do not by themselves: empty ones with raft
// storage, and unsealed ones that use raft for ha_storage only. A replica that does not join does
// not hold up the others: it is logged, and tried again.
func (j *joining) join(ctx context.Context, replicas fsm.Replicas) {
	due := j.alone.due(replicas.ToJoin(), j.setting.Now())
	active, found := replicas.Active()
	if !found || len(due) == 0 {
		return
	}
	leader, err := j.leaderAddress(ctx, active.Address)
	if err != nil {
		j.setting.Log.Warn("replicas cannot be joined: the active node does not report its address", "error", err.Error())
		return
	}
	for _, address := range due {
		j.joinOne(ctx, j.cluster.At(address), leader)
	}
}

func (j *joining) joinOne(ctx context.Context, replica cluster.Replica, leader string) {
	status, err := replica.SealStatus(ctx)
	switch {
	case err != nil:
		j.setting.Log.Warn("this replica cannot be joined: its storage is not known", "replica", replica.Address(), "error", err.Error())
		return
	case status.Initialized && (status.Sealed || status.Storage == "raft"):
		return // it has joined meanwhile, or is still electing
	case status.Initialized:
		leader = "" // it shares its storage with the active node, and finds the leader there
	case status.Storage != "raft":
		j.setting.Log.Warn("this replica is empty, and its storage is not raft: it is not a part of the cluster", "replica", replica.Address(), "storage", status.Storage)
		return
	}
	if err := replica.Join(ctx, leader); err != nil {
		j.setting.Log.Warn("this replica could not be joined, trying again", "replica", replica.Address(), "leader", leader, "error", err.Error())
		return
	}
	j.setting.done.note((*Changes).joined, replica.Address())
	j.setting.Log.Info("joined", "replica", replica.Address(), "leader", leader)
}

// leaderAddress returns the address at which replicas reach the active node: the one that we use,
// whose certificate we have verified by name. A loopback address means this machine (a
// port-forward), and something else to a replica: then it is the address that the active node gives
// to its peers.
func (j *joining) leaderAddress(ctx context.Context, address string) (string, error) {
	if !loopback(address) {
		return address, nil
	}
	return j.cluster.At(address).Leader(ctx)
}

func loopback(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(parsed.Hostname())
	return parsed.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
