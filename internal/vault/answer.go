package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/vault-bootstrap/vault-bootstrap/internal/httpstatus"
	"github.com/vault-bootstrap/vault-bootstrap/internal/product"
)

// Answer is an error that Vault itself returned, on one line.
type Answer struct {
	Method, Path string
	// Status is the HTTP status code.
	Status int
	// Messages are Vault's own messages.
	Messages []string
	// Foreign marks an answer that does not have Vault's form: something in between gave it.
	Foreign bool
	// Refusal marks an answer that is a refusal, whatever its status.
	Refusal bool
}

// Error returns method, path, status and Vault's words.
func (a *Answer) Error() string {
	words := strings.Join(a.Messages, "; ")
	if words == "" {
		words = http.StatusText(a.Status)
	}
	return fmt.Sprintf("%s %s: %d: %s", a.Method, a.Path, a.Status, words)
}

// HTTPStatus returns the status code.
func (a *Answer) HTTPStatus() int { return a.Status }

// Says reports whether one of Vault's messages has the text.
func (a *Answer) Says(text product.Text) bool {
	for _, message := range a.Messages {
		if text.In(message) {
			return true
		}
	}
	return false
}

// Refused reports whether Vault refused the request itself: sending it again gets the same answer.
func Refused(err error) bool {
	if answer, ok := errors.AsType[*Answer](err); ok && answer.Refusal {
		return true
	}
	status := httpstatus.Of(err)
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError &&
		status != http.StatusPreconditionFailed && status != http.StatusTooManyRequests
}

// Foreign reports whether err is an answer that is not in Vault's form.
func Foreign(err error) bool {
	answer, ok := errors.AsType[*Answer](err)
	return ok && answer.Foreign
}

// Says reports whether err is an Answer one of whose messages has the text.
func Says(err error, text product.Text) bool {
	answer, ok := errors.AsType[*Answer](err)
	return ok && answer.Says(text)
}

// Mentions reports whether err has the text, wherever in its chain.
func Mentions(err error, text product.Text) bool { return err != nil && text.In(err.Error()) }

// simplify turns the API's multi-line error into an Answer; other errors stay as they are.
func simplify(err error) error {
	response, ok := errors.AsType[*api.ResponseError](err)
	if !ok {
		return err
	}
	path := response.URL
	if _, after, found := strings.Cut(path, "/v1/"); found {
		path = after
	}
	messages := make([]string, 0, len(response.Errors))
	for _, message := range response.Errors {
		messages = append(messages, oneLine(message))
	}
	return &Answer{Method: response.HTTPMethod, Path: path, Status: response.StatusCode, Messages: messages, Foreign: response.RawError}
}

// oneLine folds white space, since Vault formats nested errors over several lines with bullets, and
// cuts off what a proxy's HTML page would add.
func oneLine(message string) string {
	line := strings.Join(strings.Fields(message), " ")
	const limit = 600
	if len(line) > limit {
		return line[:limit] + " …"
	}
	return line
}

// retryable reports whether a call that failed with err may succeed when repeated:
// the network failed, the server is overloaded, or an election is on.
func retryable(err error) bool {
	// A server that let a call time out would do so again: the next cycle finds out which server is
	// active now.
	if Untrusted(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	answer, ok := errors.AsType[*Answer](err)
	if !ok {
		return true
	}
	if NamespaceSealed(err) {
		return false
	}
	switch answer.Status {
	case http.StatusPreconditionFailed, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		return Electing(err) || quotaChanging(err)
	default:
		return false
	}
}

// quotaChanging reports whether err is Vault's answer to a request that hit a rate limit quota just
// when it was changed or deleted: the old counter is stopped, and the request was not processed.
func quotaChanging(err error) bool { return Says(err, product.QuotaChanging) }

// NamespaceSealed reports whether err says that a namespace with a seal of its own is sealed, as
// OpenBao 2.6 answers with status 503. It stays so until somebody unseals it.
func NamespaceSealed(err error) bool { return Says(err, product.NamespaceSealed) }

// Electing reports whether err says that the cluster has no active node at the moment. Vault
// answers 500 with these words while a standby looks for the active node.
func Electing(err error) bool {
	return slices.ContainsFunc([]product.Text{product.NotActive, product.NoActiveNode, product.NotLeader, product.NoLongerActive},
		func(text product.Text) bool { return Says(err, text) })
}

// Untrusted reports whether err says that the server's certificate was not trusted for a reason
// that waiting does not cure.
func Untrusted(err error) bool {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errWantsTLS) {
		return true
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return record.Conn != nil || record.Msg != ""
	}
	return false
}

// errWantsTLS is the answer of Go's TLS servers, Vault's among them, to plain HTTP.
var errWantsTLS = errors.New("the server expects TLS, but the address begins with http://")

// Expired reports whether err says that the server's certificate has expired, which a rotation on
// the server cures while we wait.
func Expired(err error) bool {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok && invalid.Reason == x509.Expired
}
