package testbed

import (
	"bytes"
	"io"
	"net/http"
)

// WholeBody is for servers that pass requests on: it reads each one to its end first.
// A reverse proxy that still reads the request while the answer passes may find that
// its own server has closed it, and then cuts the answer off (seen with Go 1.26 on a
// busy machine).
func WholeBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler) // the client is gone
			}
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		}
		next.ServeHTTP(w, r)
	})
}
