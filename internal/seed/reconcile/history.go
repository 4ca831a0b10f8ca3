package reconcile

import (
	"net/http"
	"strings"
	"sync"
	"unicode"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
)

// History is what the calls of Apply in one walk have come to: what they have written is not
// written again, and what Vault refuses again and again is given up. The zero History is empty.
type History struct {
	mu      sync.Mutex
	written map[object.ID]bool
	deleted int
	refused map[object.ID]refusal
}

// refusal is an answer that an object has got, and how often in a row.
type refusal struct {
	answer string
	times  int
}

// patientTries is after how many equal answers in a row an object is given up that Vault itself
// refuses. Each is the last of the tries that send makes.
const patientTries = 3

func (h *History) wrote(id object.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.written == nil {
		h.written = map[object.ID]bool{}
	}
	h.written[id] = true
	delete(h.refused, id)
}

func (h *History) hasWritten(id object.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.written[id]
}

func (h *History) removed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deleted++
}

// count returns how many objects were written or deleted.
func (h *History) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.written) + h.deleted
}

// fail records a failure. A failure of the network is none of the object.
func (h *History) fail(f Failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.Skipped || !answeredByVault(f.Err) {
		delete(h.refused, f.ID)
		return
	}
	if h.refused == nil {
		h.refused = map[object.ID]refusal{}
	}
	before, answer := h.refused[f.ID], withoutDigits(f.Err.Error())
	if before.answer != answer {
		before = refusal{answer: answer}
	}
	before.times++
	h.refused[f.ID] = before
}

// givesUp reports whether an object has got the same answer often enough.
func (h *History) givesUp(id object.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused[id].times >= patientTries
}

// answeredByVault reports whether an error is about the request, rather than about a server that is
// overloaded, sealed or not there. Vault 1.21 answers 500 to much that it refuses: an address that
// it cannot reach, a CIDR block without a mask, a name with an umlaut.
func answeredByVault(err error) bool {
	switch code := httpstatus.Of(err); code {
	case http.StatusPreconditionFailed, http.StatusTooManyRequests:
		return false
	default:
		return code >= http.StatusBadRequest && code <= http.StatusInternalServerError
	}
}

// withoutDigits takes out what differs between equal answers: times, ports and numbers of tries.
func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}
