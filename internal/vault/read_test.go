package vault

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// TestParse holds that our parser reads every form of answer as the API client's does.
func TestParse(t *testing.T) {
	for _, body := range []string{
		``,
		`null`,
		`{}`,
		`{"errors":[]}`,
		`{"errors":["one","two"]}`,
		`{"errors":["one"],"more":1}`,
		`{"initialized":true,"version":"1.21.1"}`, // sys/health and the like have no envelope
		`{"request_id":"r","lease_id":"","data":null,"warnings":null}`,
		`{"request_id":"r","data":{"ttl":1200,"big":12345678901234567890,"list":["a",1,null],"map":{"x":true}},"warnings":["w"],"mount_type":"kubernetes"}`,
		`{"name":"p","policy":"x","request_id":"r","data":{"name":"p","policy":"x"}}`, // policies are there twice
		`{"request_id":"","data":{"a":"b"}}`,
		`{"request_id":"r","data":"a text"}`,
		`{"request_id":"r","data":{"a":1}`,
		`not JSON`,
	} {
		want, wantErr := api.ParseSecret(strings.NewReader(body))
		got, err := parse([]byte(body))
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s: error %v, want %v", body, err, wantErr)
			continue
		}
		if (got == nil) != (want == nil) || want != nil && (!reflect.DeepEqual(got.Data, want.Data) || !reflect.DeepEqual(got.Warnings, want.Warnings)) {
			t.Errorf("%s: got %+v, want %+v", body, got, want)
		}
	}
}
