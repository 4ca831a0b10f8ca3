package kubetest

import (
	"encoding/json"
	"net/http"
)

// watcher is one open watch.
type watcher struct {
	resource, name string
	changes        chan []byte
	end            chan struct{}
}

// watch starts a watch with the object as it is. The caller holds the lock.
func (s *Server) watch(request Request) *watcher {
	w := &watcher{request.Resource, request.Name, make(chan []byte, 100), make(chan struct{})}
	s.watchers[w] = true
	if present := s.objects[request.Resource][request.Name]; present != nil {
		w.send("ADDED", present)
	}
	return w
}

func (w *watcher) send(change string, object document) {
	text, _ := json.Marshal(document{"type": change, "object": object})
	w.changes <- append(text, '\n')
}

// publish sends a change to the watchers of the object. The caller holds the lock.
func (s *Server) publish(resource, name, change string, object document) {
	for w := range s.watchers {
		if w.resource == resource && (w.name == name || w.name == "") {
			w.send(change, object)
		}
	}
}

// EndWatches ends the open watches, as a server does after some minutes.
func (s *Server) EndWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		close(w.end)
		delete(s.watchers, w)
	}
}

// FailWatches ends them with the error of a revision that is too old.
func (s *Server) FailWatches() {
	s.mu.Lock()
	for w := range s.watchers {
		w.send("ERROR", document{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Expired", "code": http.StatusGone})
	}
	s.mu.Unlock()
	s.EndWatches()
}

// follow sends a watcher its changes until the client or the server ends the watch.
func (s *Server) follow(w *watcher, writer http.ResponseWriter, r *http.Request) {
	writer.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(writer)
	_ = flush.Flush()
	for {
		select {
		case change := <-w.changes:
			_, _ = writer.Write(change)
			_ = flush.Flush()
		case <-w.end:
			for len(w.changes) > 0 {
				_, _ = writer.Write(<-w.changes)
			}
			return
		case <-r.Context().Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.watchers, w)
			return
		}
	}
}
