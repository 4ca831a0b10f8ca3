// Package bench measures the binary beside the bare Vault API, as ratios and
// differences within one run: 'make bench' prints them with their bounds.
package bench
