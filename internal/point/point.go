// Package point names the moments at which the crash suite stops the program.
//
// In the program that users run, Reach does nothing. A build with the tag
// 'crashpoints' stops there, so that the very same acts can be killed between any
// two steps. The package is a leaf and must not know what the points are about.
package point
