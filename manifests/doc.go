// Package manifests has no code: its tests keep the chart's values, their schema and their table in
// the README consistent.
package manifests
