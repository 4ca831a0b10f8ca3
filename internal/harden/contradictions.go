package harden

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// space is a namespace of a seed: its path, with a trailing slash unless it is the one that is
// judged, and what the seed declares in it, as facts.
type space struct {
	prefix string
	facts  Facts
}

func spacesOf(seed Facts) []space {
	spaces := []space{{"", seed}}
	for _, inner := range seed.Inner {
		spaces = append(spaces, space{inner.Path + "/", inner.Facts})
	}
	return spaces
}

// Contradictions compares what a spec demands with what the seed itself declares, given as facts.
// err names what excludes each other, with the places of both, and exceptions that accept nothing.
// warnings name what the profile of the rules does not accept although the seed declares it.
//
// The facts are asked for only if something depends on them: a seed may have thousands of policies.
func (s Spec) Contradictions(rules Rules, seed func() Facts) (warnings []string, err error) {
	demands := s.demands()
	byObject := slices.ContainsFunc(rules.Exceptions, func(e Exception) bool { return e.Object != "" })
	if len(demands) == 0 && !byObject && rules.Profile != Strict {
		return nil, nil
	}
	spaces := spacesOf(seed())
	var problems []error
	for _, demand := range demands {
		if declared := rules.unexcepted(demand.control, spaces); len(declared) > 0 {
			problems = append(problems, fmt.Errorf("%s: %s, and the seed declares the contrary: %s. Change one of them, or accept it in harden.exceptions",
				demand.position, demand.text, places(declared)))
		}
	}
	for i, exception := range rules.Exceptions {
		if why := exception.ofNothing(rules.Limits, spaces); why != "" {
			problems = append(problems, fmt.Errorf("%s: the exception for %q accepts nothing: %s", s.Exceptions[i].Position, exception.Control, why))
		}
	}
	return rules.unaccepted(spaces), errors.Join(problems...)
}

// demand is something in the section harden that an object of the seed can contradict.
type demand struct{ control, text, position string }

func (s Spec) demands() []demand {
	var found []demand
	add := func(control, key, text string) {
		if len(JudgedFields(control).Fields) > 0 {
			found = append(found, demand{control, text, s.Positions[key]})
		}
	}
	for _, id := range s.Require {
		add(id, "require", fmt.Sprintf("harden.require names the control %q", id))
	}
	for _, id := range s.Fix { // 'all' is no control: it fixes what the seed leaves open
		add(id, "fix", fmt.Sprintf("harden.fix names the control %q", id))
	}
	for _, name := range LimitNames() {
		if limit, set := s.Limits[name]; set {
			control := limited(name)
			add(control, "limits", fmt.Sprintf("harden.limits has %s: %s (control %q)", name, limit, control))
		}
	}
	return found
}

// declaredSo returns what a control would blame of the seed itself.
func declaredSo(id string, limits Limits, spaces []space) []Waiver {
	control, _ := Find(id)
	var found []Waiver
	for _, each := range spaces {
		if each.prefix != "" && !control.everywhere() {
			continue
		}
		finding := control.Check(each.facts, limits)
		objects := finding.Objects
		if finding.Status == Fails && len(objects) == 0 {
			objects = []string{""}
		}
		for _, object := range objects {
			declared, _ := each.facts.declaration(JudgedFields(id).at(object))
			found = append(found, Waiver{each.prefix + object, declared.Position})
		}
	}
	return found
}

// unexcepted returns what a control would blame of the seed, and no exception names.
func (r Rules) unexcepted(id string, spaces []space) []Waiver {
	return slices.DeleteFunc(declaredSo(id, r.Limits, spaces), func(w Waiver) bool {
		return slices.ContainsFunc(r.Exceptions, func(e Exception) bool {
			return e.Control == id && (e.Object == "" || e.Object == w.Object)
		})
	})
}

// unaccepted returns a warning for everything that the seed declares and the profile does not accept
// for that.
func (r Rules) unaccepted(spaces []space) []string {
	var warnings []string
	for _, control := range Controls() {
		if r.TakesDeclared(control) || !r.Requires(control) || len(JudgedFields(control.ID).Fields) == 0 {
			continue
		}
		for _, declared := range r.unexcepted(control.ID, spaces) {
			warnings = append(warnings, fmt.Sprintf("%s: the control %q fails on %s: the profile strict accepts this only by an exception in harden.exceptions",
				declared.Position, control.ID, named(declared.Object)))
		}
	}
	return warnings
}

// ofNothing says why an exception can accept nothing; "" if it can.
func (e Exception) ofNothing(limits Limits, spaces []space) string {
	switch {
	case e.Object == "":
		return ""
	case slices.Contains(namesNothing(), e.Control):
		return "the control names no objects. Remove 'object'"
	}
	judged := JudgedFields(e.Control)
	for _, each := range spaces {
		object, inside := strings.CutPrefix(e.Object, each.prefix)
		if !judged.Whole || !inside {
			continue
		}
		declared, there := each.facts.declaration(judged.at(object))
		control, _ := Find(e.Control)
		if there && declared.knows(judged.Fields) && !slices.Contains(control.Check(each.facts, limits).Objects, object) {
			return fmt.Sprintf("the seed declares %s at %s, and the control does not fail on it. Remove the exception", named(e.Object), declared.Position)
		}
	}
	return ""
}

// knows reports whether all of the fields are declared, and none by a reference.
func (d Declaration) knows(fields []string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool { return d.field(field) == nil })
}

// named returns an object for a message.
func named(object string) string {
	if object == "" {
		return "it"
	}
	return fmt.Sprintf("%q", object)
}

// places joins objects with their places.
func places(declared []Waiver) string {
	texts := make([]string, len(declared))
	for i, each := range declared {
		texts[i] = cmp.Or(each.Object, "what is") + " at " + each.Position
	}
	return listed(texts)
}
