package kube

import (
	"context"
	"encoding/json"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// ReadInto reads what the API server has at an absolute path into out, for kinds that are not in
// the client's scheme.
func (n Namespace) ReadInto(ctx context.Context, out any, path ...string) error {
	body, err := n.Raw(ctx, path...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decoding %v: %w", path, err)
	}
	return nil
}

// MaySubject asks whether another subject has an access in the namespace.
func (n Namespace) MaySubject(ctx context.Context, user string, groups []string, group string, a Access) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	review := authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, Groups: groups,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: n.Name, Verb: a.Verb, Group: group, Resource: a.Resource, Name: a.Name,
			},
		},
	}
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SubjectAccessReview"
	body, err := json.Marshal(review)
	if err != nil {
		return false, fmt.Errorf("encoding a SubjectAccessReview: %w", err)
	}
	answer, err := raw(n.Client.authorization.Post().Resource("subjectaccessreviews").
		SetHeader("Content-Type", "application/json").Body(body).Do(ctx))
	if err != nil {
		return false, err
	}
	var said authorizationv1.SubjectAccessReview
	if err := json.Unmarshal(answer, &said); err != nil {
		return false, fmt.Errorf("decoding a SubjectAccessReview: %w", err)
	}
	return said.Status.Allowed, nil
}

// Self returns the user name under which the API server knows us.
func (n Namespace) Self(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)
	answer, err := raw(n.Client.authorization.Post().AbsPath("/apis/authentication.k8s.io/v1/selfsubjectreviews").
		SetHeader("Content-Type", "application/json").Body(body).Do(ctx))
	if err != nil {
		return "", err
	}
	var said struct {
		Status struct {
			UserInfo struct {
				Username string `json:"username"`
			} `json:"userInfo"`
		} `json:"status"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return "", fmt.Errorf("decoding a SelfSubjectReview: %w", err)
	}
	return said.Status.UserInfo.Username, nil
}
