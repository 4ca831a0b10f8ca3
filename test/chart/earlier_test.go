package chart

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"
)

// TestEarlierValues renders the chart with the values of an earlier version, all of them
// written out as people keep them, in every mode. What that version's chart made of them is
// beside them: the same objects must be there, the same rights, and containers with at least
// the same arguments. A release that means to change that says so in CHANGELOG.md, and here.
func TestEarlierValues(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/values.yaml")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no values of an earlier version: %v", err)
	}
	for _, file := range folders {
		values, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for mode := range modes {
			t.Run(filepath.Base(filepath.Dir(file))+"/"+mode, func(t *testing.T) {
				golden, err := os.ReadFile(filepath.Join(filepath.Dir(file), mode+".yaml"))
				if err != nil {
					t.Fatal(err)
				}
				before, now := unhashed(parse(t, string(golden))), unhashed(render(t, string(values), "--set=mode="+mode))
				for key, was := range before {
					is := now[key]
					if is == nil {
						t.Errorf("%s is not made any more", key)
						continue
					}
					compare(t, key, was, is)
				}
				for key := range now {
					if before[key] == nil {
						t.Errorf("%s was not made before", key)
					}
				}
			})
		}
	}
}

// hash ends the name of the Job of mode job. It is of the pod, to which versions of the chart add: the
// next upgrade runs once more, which finds nothing to do.
var hash = regexp.MustCompile(`^(Job .*)-[0-9a-f]{10}$`)

// unhashed are the same objects, with the Job under a name that stays.
func unhashed(all objects) objects {
	found := objects{}
	for key, each := range all {
		found[hash.ReplaceAllString(key, "$1")] = each
	}
	return found
}

// compare holds that the rights are the same, and that no argument was lost.
func compare(t *testing.T, key string, was, is *object) {
	t.Helper()
	switch was.GetKind() {
	case "Role", "ClusterRole":
		if !reflect.DeepEqual(was.Object["rules"], is.Object["rules"]) {
			t.Errorf("%s\nallowed %v\nallows  %v", key, was.Object["rules"], is.Object["rules"])
		}
	case "RoleBinding", "ClusterRoleBinding":
		if !reflect.DeepEqual(was.Object["subjects"], is.Object["subjects"]) || !reflect.DeepEqual(was.Object["roleRef"], is.Object["roleRef"]) {
			t.Errorf("%s binds %v", key, is.Object["subjects"])
		}
	case "Job", "CronJob", "Deployment":
		now := args(t, is)
		for _, argument := range args(t, was) {
			if !slices.Contains(now, argument) {
				t.Errorf("%s has lost the argument %q", key, argument)
			}
		}
	}
}
