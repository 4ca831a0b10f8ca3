package reconcile

import "context"

// Reader is what planning needs from Vault. Paths have no leading slash and no "v1/", and are not
// percent-encoded. Numbers arrive as json.Number. Errors that are answers of Vault are
// httpstatus.Error.
type Reader interface {
	// Read returns the data at path, which may end in a query ("?version=1"); found is
	// false when Vault answers 404.
	Read(ctx context.Context, path string) (data map[string]any, found bool, err error)
	// Fields returns the names of the fields that a write to path accepts; none if it accepts any,
	// or if Vault does not say. For Enterprise features other servers answer 404 'enterprise-only
	// feature', as they do to a write.
	Fields(ctx context.Context, path string) (names []string, err error)
	// Deletable reports whether there is a way to delete what is at path; true if Vault does not
	// say.
	Deletable(ctx context.Context, path string) (bool, error)
}

// API is what applying needs from Vault.
type API interface {
	Reader
	// Put writes data to path and returns Vault's answer, which may be nil, and its warnings.
	Put(ctx context.Context, path string, data map[string]any) (answer map[string]any, warnings []string, err error)
	// Delete deletes what is at path, which may end in a query.
	Delete(ctx context.Context, path string) error
}

// answer is an error of Vault whose text was changed. It keeps only the status, since the chain
// below would show the original text.
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
