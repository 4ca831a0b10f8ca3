package gather

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-secure-stdlib/parseutil"
)

// text returns a decoded value as text.
func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// truth returns a decoded value as a boolean; in Vault, options are strings.
func truth(value any) bool {
	yes, err := strconv.ParseBool(strings.ToLower(text(value)))
	return err == nil && yes
}

// number returns a decoded number, or 0 if it is not one.
func number(value any) float64 {
	n, err := strconv.ParseFloat(text(value), 64)
	if err != nil {
		return 0
	}
	return n
}

// duration returns seconds, or a text such as 768h0m0s, as a duration, or 0 if it is neither.
func duration(value any) time.Duration {
	d, err := parseutil.ParseDurationSecond(value)
	if err != nil {
		return 0
	}
	return d
}

// mapping returns a decoded object.
func mapping(value any) map[string]any {
	found, _ := value.(map[string]any)
	return found
}

// list returns a decoded list.
func list(value any) []any {
	found, _ := value.([]any)
	return found
}

// words returns the texts of a decoded list, or of a text with commas, as a seed may have it.
func words(value any) []string {
	var found []string
	if text, isText := value.(string); isText {
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				found = append(found, word)
			}
		}
	}
	for _, each := range list(value) {
		found = append(found, text(each))
	}
	return found
}

// instant returns a time in RFC 3339.
func instant(value any) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, text(value))
	return t, err == nil
}
