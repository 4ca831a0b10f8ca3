package verify_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// TestVerdicts has one Vault, good but for mlock, and many rules. OpenBao has no mlock: there its
// introspection endpoint is open.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	options, bad, words := testbed.VaultOptions{TLS: true}, "mlock", "mlock: Memory is not locked"
	if testbed.FactsFor(t).Product == testbed.OpenBao {
		options.ExtraConfig, bad, words = "introspection_endpoint = true", "introspection", "introspection: The introspection endpoint is on"
	}
	b := hardened(t, options, "")
	b.encrypts(t)
	b.keysVerb(t, "keys reseal")
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	exception := func(expires string) []string {
		return []string{"exceptions:\n", "exceptions:\n    - {control: " + bad + ", reason: the bed, expires: " + expires + "}\n"}
	}
	for name, test := range map[string]struct {
		edits, flags []string
		code         int
		says         string
	}{
		"production":               {nil, []string{"--profile=production"}, 3, "1 required controls of the profile production do not hold"},
		"the seed's profile":       {nil, nil, 0, "All required controls of the profile baseline hold"},
		"strict":                   {nil, []string{"--profile=strict"}, 3, "profile strict"},
		"advice":                   {[]string{"profile: baseline", "profile: production\n  advise: [" + bad + "]"}, nil, 0, "All required"},
		"advice that counts":       {[]string{"profile: baseline", "profile: production\n  advise: [" + bad + "]"}, []string{"--fail-on=medium"}, 3, "All required"},
		"advice below the bar":     {[]string{"profile: baseline", "profile: production\n  advise: [" + bad + "]"}, []string{"--fail-on=high"}, 0, "All required"},
		"required by name":         {[]string{"profile: baseline", "profile: baseline\n  require: [" + bad + "]"}, nil, 3, "1 required"},
		"accepted":                 {exception(day(1)), []string{"--profile=production"}, 0, "All required"},
		"accepted on its last day": {exception(day(0)), []string{"--profile=production"}, 0, "All required"},
		"exception has expired":    {exception(day(-1)), []string{"--profile=production"}, 3, "expired the bed (until "},
	} {
		t.Run(name, func(t *testing.T) {
			seed := strings.NewReplacer(test.edits...).Replace(goodSeed(b.dir, ""))
			flags := append([]string{"--seed=" + write(t, filepath.Join(t.TempDir(), "seed.yaml"), seed)}, test.flags...)
			done := b.must(t, test.code, "verify", flags...)
			// The table wraps long cells: rows become one line again.
			if shown := strings.Join(strings.Fields(done.Stdout), " "); !strings.Contains(shown, test.says) {
				t.Errorf("the report does not say %q:\n%s", test.says, done.Stdout)
			}
		})
	}
	t.Run("by run as well", func(t *testing.T) {
		for expires, code := range map[string]int{day(0): 0, day(-1): 70} {
			seed := strings.NewReplacer(append(exception(expires), "profile: baseline", "profile: baseline\n  require: ["+bad+"]")...).Replace(goodSeed(b.dir, ""))
			done := b.must(t, code, "run", "--seed="+write(t, filepath.Join(t.TempDir(), "seed.yaml"), seed))
			if code != 0 && !strings.Contains(done.Stderr, words) {
				t.Errorf("run does not say why it stopped:\n%s", done.Stderr)
			}
		}
	})
	t.Run("files", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "report.xml")
		b.must(t, 3, "verify", "--profile=production", "-o=junit", "--output-file="+file)
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Failures int `xml:"failures,attr"`
		}
		if err := xml.Unmarshal(content, &suite); err != nil || suite.Failures != 1 {
			t.Errorf("%v, %d failures", err, suite.Failures)
		}
		b.must(t, 64, "verify", "-o=html", "--output-file=/does/not/exist/report.html")
	})
}
