package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// policy refuses every write of Secrets in one namespace.
const policy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}
  validations:
    - {expression: "false", message: no Secrets today}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny]}
`

func (sc *scene) namespace() string { return fmt.Sprintf("case-%d", sc.number) }

// admissionRefuses has the cluster refuse Secrets for a while from when Vault has answered.
func admissionRefuses(ctx context.Context, sc *scene) error {
	p, err := sc.startStopped(ctx, sc.stopping(pointSpooled))
	if err != nil {
		return err
	}
	plane := sc.kube.plane
	if err := plane.Apply(ctx, fmt.Appendf(nil, policy, sc.namespace())); err != nil {
		return err
	}
	allow := func(ctx context.Context) error {
		_, err := plane.Kubectl(ctx, "delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", sc.namespace(), "--ignore-not-found")
		if err != nil {
			return err
		}
		return sc.untilSecrets(ctx, true)
	}
	sc.repairs = append(sc.repairs, allow)
	if err := errors.Join(sc.untilSecrets(ctx, false), p.Resume(ctx, pointSpooled)); err != nil {
		return err
	}
	if err := errors.Join(p.Until(ctx, notStored, 1), pause(ctx, sc.forbid), allow(ctx)); err != nil {
		return err
	}
	sc.say("for %s", sc.forbid)
	if sc.verb.endless {
		sc.beside = p
		return nil
	}
	end := p.Wait()
	sc.say("exit %d %s", end.Code, end.Failure)
	if end.Code != exitDone && end.Code != exitBusy && end.Failure != "keys not stored" {
		return fmt.Errorf("the run exited with %d\n%s", end.Code, end.Stderr)
	}
	return nil
}

// untilSecrets waits until the API server takes Secrets, or does not.
func (sc *scene) untilSecrets(ctx context.Context, taken bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	secrets := sc.kube.plane.Client.CoreV1().Secrets(sc.namespace())
	return testbed.Poll(ctx, 100*time.Millisecond, "the admission policy", func(ctx context.Context) error {
		_, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if (err == nil) != taken {
			return errors.Join(errors.New("it is not in force yet, or still"), err)
		}
		return nil
	})
}
