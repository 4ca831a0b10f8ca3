// Package prop_test makes up seeds over every row of the language's table, and holds the program to
// what it promises of any seed: that a plan is empty after a run, that a run then writes nothing,
// that a plan names what was changed, in the seed or behind its back, and nothing else, and that
// what is pruned goes and can be declared again.
//
// A case follows from two numbers, SEED and its own. It has a server of its own, to which the built
// program is applied as users apply it, with an administrator's token for what is new, and by its
// own login for the rest. What a plan must say is worked out from the seed (world_test.go), and not
// with the program's code. A case that fails is made as small as it can be, and printed.
//
//	make prop N=200 SEED=5           # cases 1 to 200
//	make prop ONLY=17 SEED=5         # one of them
//	make prop N=50 FROM=151 SEED=5   # 50 of them, from 151 on
//
// What a server refuses is not made: each such rule stands, with its reason, where the values are
// made (engines_*_test.go, sections_test.go).
package prop_test
