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
