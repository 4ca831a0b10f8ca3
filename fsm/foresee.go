package fsm

// Forecast is what a run would do, and how it would end, as far as can be known without doing it.
type Forecast struct {
	// State is the state in which the run would find Vault, or the least that it can be; empty if
	// that is not known.
	State State
	// Events are what the run would do, in order. What is inside a sealed Vault shows only when it is
	// unsealed, so the events after that are those of a Vault that has not changed since the last run.
	Events []Event
	// Tends is whether the run would join or unseal replicas of a cluster that is open.
	Tends bool
	// Err is why the run would not reach its goal; nil if nothing is known to keep it from that.
	Err error
}

// Foresee returns what a run to goal would do that begins with an observation. It takes for granted
// what a run waits for and time alone brings, and that what is unsettled can be settled. What only an
// attempt brings out, such as key shares that do not fit, it cannot know.
func Foresee(o Observation, goal State) Forecast {
	if o.Keys == OpenIntent {
		o.UninitializedFor = SettleTime
	}
	if o.Keys == SpooledAnswer && o.Trouble == nil {
		o.Keys = StoredKeys
	}
	state, err := Locate(o)
	f := Forecast{State: state, Tends: o.Tends(state, goal), Err: err}
	_, active := o.Replicas.Active()
	switch {
	case err == nil:
		f.Events = eventsTo(state, o.Remembered, goal)
	case state != "" && !state.Before(goal) && (active || state == Initialized):
		f.Err = nil // the goal lies in what is known
	}
	return f
}

// eventsTo returns the events that lead from a state to a goal. A sealed Vault that was seeded before
// is so still.
func eventsTo(state, remembered, goal State) []Event {
	var events []Event
	for event, ahead := Next(state, goal); ahead; event, ahead = Next(state, goal) {
		events = append(events, event)
		state = after(event)
		if event == Unseal && !remembered.Before(Seeded) {
			state = remembered
		}
	}
	return events
}

// after returns the state that an event leads to.
func after(event Event) State {
	for _, edge := range Table() {
		if edge.Event == event {
			return edge.To
		}
	}
	return ""
}
