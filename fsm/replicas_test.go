package fsm

import "testing"

func TestLeastState(t *testing.T) {
	for _, test := range []struct {
		health []Health
		want   State
	}{
		{nil, ""},
		{[]Health{NoAnswer}, ""},
		{[]Health{NoAnswer, NotInitialized}, Uninitialized},
		{[]Health{Sealed, NotInitialized}, Initialized},
		{[]Health{NotInitialized, Sealed}, Initialized},
		{[]Health{StandbyCutOff, Removed}, Initialized},
		{[]Health{Sealed, Standby}, Unsealed},
		{[]Health{Active}, Unsealed},
	} {
		if got := Replicas(replicas(test.health...)).LeastState(); got != test.want {
			t.Errorf("%v shows %q, want %q", test.health, got, test.want)
		}
	}
}
