package object

import "strings"

// namespaces is where the namespaces in a namespace are.
const namespaces = "sys/namespaces/"

// Namespace returns the namespace at path, with custom metadata unless that is nil. It is created
// after those that it is in.
func Namespace(path string, metadata map[string]any) Object {
	around, name := splitNamespace(path)
	o := Object{
		ID: ID(namespaces + name), Stage: StageNamespaces, Data: map[string]any{}, Endpoint: "namespace",
		Order: strings.Count(path, "/"), Traits: Traits{Extract: untainted},
	}
	if metadata != nil {
		o.Data["custom_metadata"] = metadata
	}
	return o.Within(around)
}

// untainted treats a namespace that is being deleted as gone: OpenBao 2.6 shows it as tainted until
// then, and refuses to create it again.
func untainted(_ Object, answer map[string]any) (map[string]any, bool) {
	return answer, !Tainted(answer)
}

// Tainted reports whether a namespace is being deleted, given what is shown of it.
func Tainted(shown map[string]any) bool { return shown["tainted"] == true }

// NamespaceID returns the ID of the namespace at path. It names the namespace around it: OpenBao
// 2.6 takes no path of several names ('namespace name cannot contain /').
func NamespaceID(path string) ID {
	around, name := splitNamespace(path)
	return ID(around + namespaces + name)
}

// splitNamespace returns the namespace around a namespace, with a trailing slash or empty, and the
// name that it has in that.
func splitNamespace(path string) (around, name string) {
	at := strings.LastIndexByte(path, '/') + 1
	return path[:at], path[at:]
}

// Namespaces returns the IDs of the namespaces that o is in, except the root.
func (o Object) Namespaces() []ID {
	var found []ID
	for i, char := range o.Namespace {
		if char == '/' {
			found = append(found, NamespaceID(o.Namespace[:i]))
		}
	}
	return found
}

// NamespacePath returns the path of the namespace that o is, without slashes at its ends; empty if
// it is none.
func (o Object) NamespacePath() string {
	if o.Stage != StageNamespaces {
		return ""
	}
	return o.Namespace + strings.TrimPrefix(string(o.ID), o.Namespace+namespaces)
}

// MountComes reports whether o's mount comes with its namespace: every one has the auth method of
// tokens from the start.
func (o Object) MountComes() bool { return o.Mount == ID(o.Namespace+"sys/auth/token") }
