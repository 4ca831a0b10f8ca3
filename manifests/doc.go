// Package manifests has no code: its tests hold the chart's values, their schema and
// their table in the README together.
package manifests
