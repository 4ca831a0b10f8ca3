package pace

import (
	"testing"
	"time"
)

// TestCrowdIsPolite bounds the load of 200 waiters that started together after their first look:
// less than 20 looks a second, in every five seconds of three minutes.
func TestCrowdIsPolite(t *testing.T) {
	const crowd, longest, window, watched = 200, 20 * time.Second, 5 * time.Second, 3 * time.Minute
	looks := map[int]int{} // by half window, so that bursts across two windows are seen
	for range crowd {
		waits := Crowd{Longest: longest}
		for at := waits.Next(); at < watched; {
			looks[int(at/(window/2))]++
			wait := waits.Next()
			if wait < longest/4 || wait > longest {
				t.Fatalf("a wait of %s", wait)
			}
			at += wait
		}
	}
	total := 0
	for i := range int(watched / (window / 2)) {
		total += looks[i]
		if rate := float64(looks[i]+looks[i+1]) / window.Seconds(); rate >= 20 {
			t.Errorf("%v looks a second, %s after the first", rate, time.Duration(i)*window/2)
		}
	}
	if least := crowd * int(watched/longest-1); total < least {
		t.Errorf("%d looks: somebody looks less often than every %s", total, longest)
	}
}
