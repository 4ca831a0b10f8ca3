// Package cookbook holds the seeds of the cookbook as they are, so that 'init' composes a first seed
// of the very texts that the suites apply. It has no code.
package cookbook

import "embed"

// Seeds are the seeds, under their file names.
//
//go:embed *.yaml
var Seeds embed.FS
