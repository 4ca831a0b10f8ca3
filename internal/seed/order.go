package seed

import (
	"slices"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/value"
)

// targets returns the places of the objects that could hold what p stands for in a
// namespace.
func targets(p value.Part, ns string) []ID {
	switch p.Call {
	case value.CallAccessor:
		return []ID{ID(ns + "sys/auth/" + value.TrimPath(p.Args[0])), ID(ns + "sys/mounts/" + value.TrimPath(p.Args[0]))}
	case value.CallEntity, value.CallGroup:
		return []ID{ID(ns + "identity/" + p.Call + "/name/" + strings.ToLower(p.Args[0]))}
	case value.CallVault:
		return []ID{ID(ns + p.Args[0])}
	}
	return nil
}

// orderReferences has an object made after those of its stage that it refers to, such as
// a group after its member groups, and tells references that lead in a circle. Requests
// have an order of their own.
func orderReferences(objects []Object, problems *value.Problems) {
	places := make(map[ID]int, len(objects))
	for i, o := range objects {
		places[o.place()] = i
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
		if !o.isRequest() && value.Pending(o.Data) {
			objects[i].order = depth(i)
		}
	}
}

// targetsOf returns the places of the objects that i refers to and that are made in the same
// stage.
func targetsOf(objects []Object, places map[ID]int, i int) []int {
	var found []int
	value.EachPart(objects[i].Data, func(p value.Part, _ value.Position) {
		for _, id := range targets(p, objects[i].ns) {
			if at, declared := places[id]; declared && objects[at].Stage == objects[i].Stage {
				found = append(found, at)
			}
		}
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// tellCircle names the objects of a circle, the first one again at its end.
func tellCircle(objects []Object, around []int, problems *value.Problems) {
	first := objects[around[0]]
	names := make([]string, 0, len(around)+1)
	for _, i := range append(slices.Clone(around), around[0]) {
		names = append(names, string(objects[i].ID))
	}
	way := strings.Join(names, " → ")
	if first.Stage == StageGroups {
		problems.Add(first.Position, "%s is a member of itself, by way of its member groups: %s", first.ID, way)
		return
	}
	problems.Add(first.Position, "references lead in a circle: %s", way)
}
