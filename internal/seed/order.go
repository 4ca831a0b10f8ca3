package seed

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/object"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// orderReferences has an object made after those of its stage that it refers to, such as
// a group after its member groups, and tells references that lead in a circle. Requests
// have an order of their own.
func orderReferences(objects []object.Object, problems *value.Problems) {
	places := make(map[object.ID]int, len(objects))
	for i, o := range objects {
		places[o.Place()] = i
	}
	depths := map[int]int{}
	var visiting []int
	var depth func(i int) int
	depth = func(i int) int {
		if known, ok := depths[i]; ok {
			return known
		}
		if from := slices.Index(visiting, i); from >= 0 {
			tellCircle(objects, visiting[from:], problems)
			return 0
		}
		visiting = append(visiting, i)
		deepest := 0
		for _, at := range targetsOf(objects, places, i) {
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

// targetsOf returns the places of the objects that i refers to and that are made in the same
// stage.
func targetsOf(objects []object.Object, places map[object.ID]int, i int) []int {
	var found []int
	value.EachPart(objects[i].Data, func(p value.Part, _ value.Position) {
		for _, id := range object.Targets(p, objects[i].Namespace) {
			if at, declared := places[id]; declared && objects[at].Stage == objects[i].Stage {
				found = append(found, at)
			}
		}
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// tellCircle names the objects of a circle, the first one again at its end.
func tellCircle(objects []object.Object, around []int, problems *value.Problems) {
	first := objects[around[0]]
	names := make([]string, 0, len(around)+1)
	for _, i := range append(slices.Clone(around), around[0]) {
		names = append(names, string(objects[i].ID))
	}
	way := strings.Join(names, " → ")
	if first.Stage == object.StageGroups {
		problems.Add(first.Position, "%s is a member of itself, by way of its member groups: %s", first.ID, way)
		return
	}
	problems.Add(first.Position, "references lead in a circle: %s", way)
}

// answers checks that references to answers lead to earlier requests.
func (b *builder) answers(problems *value.Problems) {
	places := map[string]object.Object{}
	for _, o := range b.objects {
		if o.IsRequest() {
			places[strings.TrimPrefix(string(o.ID), o.Namespace+"request:")] = o
		}
	}
	for _, o := range b.objects {
		value.EachPart(o.Data, func(p value.Part, at value.Position) {
			if p.Call != value.CallAnswer {
				return
			}
			asked, there := places[p.Args[0]]
			switch {
			case !o.IsRequest():
				problems.Add(at, "only requests can refer to the answer of a request")
			case !there:
				problems.Add(at, "there is no request %q", p.Args[0])
			case asked.Order >= o.Order:
				problems.Add(at, "the request %q comes later (%s): only answers of earlier requests can be had", p.Args[0], asked.Position)
			}
		})
	}
}
