package seed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// The waits for a Vault that needs a moment. The network, elections and overload are
// the API's own to sit out.
const (
	firstWait = 50 * time.Millisecond
	longWait  = 2 * time.Second
	// mostTries is about 10 s, for an engine that is being set up; failedTries is for
	// an error within Vault, which may be one for good.
	mostTries   = 9
	failedTries = 3
)

// send writes, and waits for what passes by itself.
func (a *applying) send(ctx context.Context, p put) (answer map[string]any, warnings []string, err error) {
	backoff := retry.WithMaxRetries(mostTries, retry.WithCappedDuration(longWait, retry.NewExponential(firstWait)))
	tries := 0
	var last error
	err = retry.Do(ctx, backoff, func(ctx context.Context) error {
		tries++
		answer, warnings, last = a.api.Put(ctx, p.path, p.data)
		if passes(last) || status(last) == http.StatusInternalServerError && tries <= failedTries {
			return retry.RetryableError(last)
		}
		return last
	})
	if err != nil && last != nil {
		err = last
	}
	return answer, warnings, err
}

// passes reports whether err is the answer of a KV engine that was just made, or
// raised to version 2.
func passes(err error) bool {
	return status(err) == http.StatusBadRequest && strings.Contains(err.Error(), "Upgrading from non-versioned to versioned")
}

// ignoredForm is how Vault 1.10 and later tell about fields that they do not know.
var ignoredForm = regexp.MustCompile(`ignored these unrecognized parameters: \[(.*)\]`)

// ignoredFields returns the fields that Vault did not take.
func ignoredFields(warnings []string) []string {
	var fields []string
	for _, warning := range warnings {
		if match := ignoredForm.FindStringSubmatch(warning); match != nil {
			fields = append(fields, strings.Fields(match[1])...)
		}
	}
	return fields
}

// errIgnored marks what Vault took, but for some fields.
var errIgnored = errors.New("Vault ignored fields that it does not know")

// misspelt returns the error for fields that Vault ignored, with what may be meant.
func (a *applying) misspelt(ctx context.Context, o Object, ignored []string) error {
	var known []string
	if s, err := look(ctx, a.api, o); err == nil {
		known = slices.Sorted(maps.Keys(s.data))
	}
	told := make([]string, len(ignored))
	for i, field := range ignored {
		told[i] = fmt.Sprintf("%q", field)
		if meant := nearest(field, known); meant != "" {
			told[i] += fmt.Sprintf(" (did you mean %q?)", meant)
		}
	}
	return fault.Part(fmt.Errorf("%w: %s", errIgnored, strings.Join(told, ", ")), "The rest of the object was written. Correct the field's name in the seed, or remove it.")
}
