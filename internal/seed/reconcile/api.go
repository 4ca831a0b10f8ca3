package reconcile

import "context"

// Reader is what planning needs of Vault. Paths have no leading slash and no "v1/", and
// are not percent-encoded. Numbers arrive as json.Number. Errors that are answers of Vault
// are httpstatus.Error.
type Reader interface {
	// Read returns the data at path, which may end in a query ("?version=1"); found is
	// false when Vault answers 404.
	Read(ctx context.Context, path string) (data map[string]any, found bool, err error)
	// Fields returns the names of the fields that a write to path takes; none when it
	// takes any, or when Vault does not say. For what only Vault Enterprise has, other
	// servers answer 404 'enterprise-only feature', as they do to a write.
	Fields(ctx context.Context, path string) (names []string, err error)
}

// API is what applying needs of Vault.
type API interface {
	Reader
	// Put writes data to path and returns what Vault answers, which may be nil, and
	// what it warns about.
	Put(ctx context.Context, path string, data map[string]any) (answer map[string]any, warnings []string, err error)
	// Delete deletes what is at path, which may end in a query.
	Delete(ctx context.Context, path string) error
}

// answer is an error of Vault whose text was changed: it keeps the status only,
// since the chain below would show the text as it was.
type answer struct {
	code int
	text string
}

// Error returns the text.
func (a *answer) Error() string { return a.text }

// HTTPStatus returns the status.
func (a *answer) HTTPStatus() int { return a.code }

// reader is the part of API that reads.
type reader interface {
	Read(ctx context.Context, path string) (data map[string]any, found bool, err error)
}
