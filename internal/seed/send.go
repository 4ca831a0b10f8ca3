package seed

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"
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
