package httpstatus

import (
	"errors"
	"fmt"
	"testing"
)

type answer int

func (a answer) Error() string   { return fmt.Sprint("answered ", int(a)) }
func (a answer) HTTPStatus() int { return int(a) }

func TestOf(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"none":      {nil, 0},
		"no answer": {errors.New("connection refused"), 0},
		"answer":    {answer(403), 403},
		"wrapped":   {fmt.Errorf("reading: %w", answer(404)), 404},
		"joined":    {errors.Join(errors.New("x"), answer(500)), 500},
		"the first": {fmt.Errorf("%w, and then %w", answer(400), answer(503)), 400},
	} {
		if got := Of(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
