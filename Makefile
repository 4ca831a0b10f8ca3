# The two commands of the README are 'make demo' and 'make test'. Both do all their
# own set-up; 'make help' lists the rest.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help demo test unit e2e node crash bench tools tools-path build install lint verify generate image clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

demo: ## watch a real three-node Vault become hardened (KEEP=1 leaves it running)
	@test/demo/run $(if $(KEEP),--keep)

test: ## everything: unit, store, seed and end to end, on a real Vault and a real API server
	@test/run

unit: ## tests that need no server
	go test -race ./...

e2e: ## the end-to-end suite alone (RUN=TestName for one test)
	@test/run e2e

node: ## the ways to deploy, in a cluster with a real node (root; RUN=TestName for one test)
	@test/run tools node

crash: ## kill every verb at every step, cut and starve it, N cases (SEED repeats a run)
	@N=$${N:-300} SEED=$${SEED:-$$(date +%s)} AWAY=$${AWAY:-60s} REFUSE=$${REFUSE:-10m} FORBID=$${FORBID:-5m} PARALLEL=$${PARALLEL:-5} test/run tools crash leaks

bench: ## speed and memory beside the bare Vault API
	@test/run tools bench

tools: ## build the pinned servers and tools of the test bed
	@test/tools/build

tools-path: ## print the directory of these tools, for PATH
	@test/tools/build --path

build: ## build bin/vault-bootstrap
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/vault-bootstrap ./cmd/vault-bootstrap

install: ## install into GOBIN
	CGO_ENABLED=0 go install -trimpath -ldflags '$(LDFLAGS)' ./cmd/vault-bootstrap

lint: ## vet and golangci-lint, pinned
	@test/lint

generate: ## write the golden and generated files
	go test ./fsm ./internal/seed ./internal/harden/report ./manifests -update
	manifests/render

verify: generate ## fail if a generated file is not current
	go mod tidy -diff
	cd test && go mod tidy -diff
	git diff --exit-code

image: ## build bin/image with buildah, for each of PLATFORMS (BASE, RUNTIME: base images)
	@test/image/build

clean: ## remove what was built here (not the tools' cache)
	rm -rf bin
