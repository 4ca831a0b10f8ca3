package node

import (
	"bytes"
	"os"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// job applies the ConfigMap of manifests/job.yaml, and returns its Job, for a test
// that changes something about it.
func (s *site) job() *batchv1.Job {
	s.t.Helper()
	manifest, err := os.ReadFile(shipped("manifests/job.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, document := range bytes.Split(manifest, []byte("\n---\n")) {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			s.t.Fatal(err)
		}
		if kind.Kind != "Job" {
			if err := s.apply(document); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		job := &batchv1.Job{}
		if err := yaml.UnmarshalStrict(document, job); err != nil {
			s.t.Fatal(err)
		}
		return job
	}
	s.t.Fatal("manifests/job.yaml has no Job")
	return nil
}

// create creates a Job.
func (s *site) create(job *batchv1.Job) {
	s.t.Helper()
	if _, err := cluster.Client.BatchV1().Jobs(s.namespace).Create(s.t.Context(), job, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// apply applies a manifest in the namespace.
func (s *site) apply(manifest []byte) error {
	return cluster.ApplyIn(s.t.Context(), s.namespace, manifest)
}

// reachBy has the Job's program reach Vault by these flags, and by no others.
func reachBy(job *batchv1.Job, flags ...string) {
	container := &job.Spec.Template.Spec.Containers[0]
	container.Args = slices.DeleteFunc(container.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "--vault-") || strings.HasPrefix(arg, "--replicas") || strings.HasPrefix(arg, "--ca-cert")
	})
	container.Args = append(container.Args, flags...)
}
