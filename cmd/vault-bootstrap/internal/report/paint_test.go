package report

import (
	"strings"
	"testing"
)

func TestPaint(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		verify           bool
	}{
		{"what is new", "+ sys/mounts/kv  (seed.yaml:1:2)\n", green + "+ sys/mounts/kv  (seed.yaml:1:2)" + reset + "\n", false},
		{"fields keep their colour", "    type = \"kv\"\n", "    type = \"kv\"\n", false},
		{"a line that goes", "      - path \"a\"\n", red + "      - path \"a\"" + reset + "\n", false},
		{"of a control the status", "fails   high  audit-raw\n", red + "fails" + reset + "   high  audit-raw\n", true},
		{"advice is not an error", "fails (advice)  low  cors\n", yellow + "fails (advice)" + reset + "  low  cors\n", true},
		{"the title of a failure has none", "audit-raw fails\n", "audit-raw fails\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			colours := PlanColours()
			if test.verify {
				colours = VerifyColours()
			}
			var out strings.Builder
			n, err := Paint(&out, colours, !test.verify).Write([]byte(test.text))
			if err != nil || n != len(test.text) || out.String() != test.want {
				t.Errorf("got %q (%d, %v), want %q", out.String(), n, err, test.want)
			}
		})
	}
}
