package seed_test

import "testing"

// A group is made after those that are its members, whatever their order in the seed.
func TestGroupsComeAfterTheirMembers(t *testing.T) {
	objects := desired(t, write(t, "s.yaml", `
groups:
  - name: a
    member_groups: [b]
  - name: b
    member_groups: [c]
  - name: c
`), env(nil))
	order := map[string]int{}
	for _, o := range objects {
		order[string(o.ID)] = o.Order
	}
	a, b, c := order["identity/group/name/a"], order["identity/group/name/b"], order["identity/group/name/c"]
	if len(order) != 3 || a <= b || b <= c {
		t.Errorf("the order is %v", order)
	}
}
