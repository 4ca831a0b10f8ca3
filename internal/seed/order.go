package seed

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// orderByReferences has an object created after those of its stage that it refers to, such as
// a group after its member groups, and reports references that form a cycle. Requests have an
// order of their own.
func orderByReferences(objects []object.Object, problems *value.Problems) {
	index := make(map[object.ID]int, len(objects))
	for i, o := range objects {
		index[o.CanonicalID()] = i
	}
	depths := map[int]int{}
	var visiting []int
	var depth func(i int) int
	depth = func(i int) int {
		if known, ok := depths[i]; ok {
			return known
		}
		if from := slices.Index(visiting, i); from >= 0 {
			reportCycle(objects, visiting[from:], problems)
			return 0
		}
		visiting = append(visiting, i)
		deepest := 0
		for _, at := range targetsOf(objects, index, i) {
			deepest = max(deepest, 1+depth(at))
		}
		visiting = visiting[:len(visiting)-1]
		depths[i] = deepest
		return deepest
	}
	for i, o := range objects {
		if !o.IsRequest() && value.Pending(o.Data) {
			objects[i].Order = depth(i)
		}
	}
}

// targetsOf returns the indexes of the objects that i refers to and that are created in the
// same stage.
func targetsOf(objects []object.Object, index map[object.ID]int, i int) []int {
	var found []int
	value.EachPart(objects[i].Data, func(p value.Part, _ value.Position) {
		for _, id := range object.Targets(p, objects[i].Namespace) {
			if at, declared := index[id]; declared && objects[at].Stage == objects[i].Stage {
				found = append(found, at)
			}
		}
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// reportCycle names the objects of a cycle, the first one again at the end.
func reportCycle(objects []object.Object, cycle []int, problems *value.Problems) {
	first := objects[cycle[0]]
	names := make([]string, 0, len(cycle)+1)
	for _, i := range append(slices.Clone(cycle), cycle[0]) {
		names = append(names, string(objects[i].ID))
	}
	path := strings.Join(names, " → ")
	if first.Stage == object.StageGroups {
		problems.Add(first.Position, "%s is a member of itself, through its member groups: %s", first.ID, path)
		return
	}
	problems.Add(first.Position, "references form a cycle: %s", path)
}

// checkAnswers checks that references to answers are to earlier requests of the same namespace.
func (b *builder) checkAnswers(problems *value.Problems) {
	requests := map[string]object.Object{}
	for _, o := range b.objects {
		if o.IsRequest() {
			requests[o.Namespace+strings.TrimPrefix(string(o.ID), o.Namespace+"request:")] = o
		}
	}
	for _, o := range b.objects {
		value.EachPart(o.Data, func(p value.Part, at value.Position) {
			if p.Call != value.CallAnswer {
				return
			}
			asked, there := requests[o.Namespace+p.Args[0]]
			switch {
			case !o.IsRequest():
				problems.Add(at, "only requests can refer to the answer of a request")
			case !there:
				problems.Add(at, "there is no request %q", p.Args[0])
			case asked.Order >= o.Order:
				problems.Add(at, "the request %q comes later (%s): a request can refer only to answers of earlier ones", p.Args[0], asked.Position)
			}
		})
	}
}
