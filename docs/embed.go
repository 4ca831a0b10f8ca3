// Package docs holds the pages that the program prints itself, so that they are at hand where only
// the image is. It must not know what they are about.
package docs

import _ "embed" // the pages are read into variables

// Runbook is the page with a section for each terminal error.
//
//go:embed runbook.md
var Runbook string

// Watch is the page that says what each Event means.
//
//go:embed watch.md
var Watch string
