package kmsplugin

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// connection makes calls of gRPC over a socket: each is a POST of HTTP/2 without TLS, whose body is
// one message, and whose status comes in the trailer. That is all of gRPC that a plugin uses;
// google.golang.org/grpc is measured in decision 83.
type connection struct{ client *http.Client }

func dial(socket string) connection {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return connection{&http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Protocols: &protocols,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// status is the answer of a server that did not do what it was asked for.
type status struct {
	code    int
	message string
}

// Error returns the code's name. The message is for who knows what was sent.
func (s *status) Error() string { return "the plugin answers " + s.name() }

func (s *status) name() string {
	if s.code >= 0 && s.code < len(codeNames) {
		return codeNames[s.code]
	}
	return "status " + strconv.Itoa(s.code)
}

// The codes of gRPC that are treated differently, by their numbers.
const (
	statusOK                 = 0
	statusUnknown            = 2
	statusInvalidArgument    = 3
	statusNotFound           = 5
	statusPermissionDenied   = 7
	statusFailedPrecondition = 9
	statusOutOfRange         = 11
	statusUnimplemented      = 12
	statusInternal           = 13
	statusDataLoss           = 15
	statusUnauthenticated    = 16
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// maxMessage bounds an answer, in bytes. Kubernetes admits 32 kB of annotations beside 2 kB.
const maxMessage = 64 << 10

// prefix is what stands before a message: one byte, 0 if it is not compressed, and its length in
// four.
const prefix = 5

// call calls a method and returns the message of its answer. An error that is no *status is about
// the way to the server.
func (c connection) call(ctx context.Context, method string, message []byte) ([]byte, error) {
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))) //nolint:gosec // it has some hundred bytes
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v2.KeyManagementService/"+method, bytes.NewReader(append(framed, message...)))
	if err != nil {
		return nil, fmt.Errorf("preparing a call: %w", err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxMessage+prefix+1))
	if err != nil {
		return nil, err
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "application/grpc") {
		return nil, fmt.Errorf("what listens there does not speak gRPC: it answers %d", response.StatusCode)
	}
	if err := ended(response); err != nil {
		return nil, err
	}
	if len(content) < prefix || content[0] != 0 || int64(binary.BigEndian.Uint32(content[1:prefix])) != int64(len(content)-prefix) {
		return nil, errors.New("the answer is not one message of gRPC")
	}
	return content[prefix:], nil
}

// ended returns the status of an answer that was read to its end. A server that has nothing but a
// status sends it in the header.
func ended(response *http.Response) error {
	from := response.Trailer
	if from.Get("Grpc-Status") == "" {
		from = response.Header
	}
	code, err := strconv.Atoi(from.Get("Grpc-Status"))
	if err != nil {
		return errors.New("the answer has no status of gRPC")
	}
	if code == statusOK {
		return nil
	}
	message := from.Get("Grpc-Message")
	if decoded, err := url.PathUnescape(message); err == nil {
		message = decoded
	}
	return &status{code, message}
}
