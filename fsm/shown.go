package fsm

// Shown returns the least state that the replicas' health alone tells, without any
// token: that there is a Vault, and whether it is open. What was seeded and hardened
// no server says of itself. It is empty if no replica answers.
func Shown(replicas []Replica) State {
	shown := State("")
	for _, replica := range replicas {
		switch {
		case replica.Health == Active || replica.Health == Standby || replica.Health == PerformanceStandby:
			return Unsealed
		case replica.Health.Initialized():
			shown = Initialized
		case replica.Health == NotInitialized && shown == "":
			shown = Uninitialized
		}
	}
	return shown
}
