# SERVERS=/path/to/bao,/path/to/vault runs the suites against each of these.
#
# The two commands of the README are 'make demo' and 'make test'. Both do all their
# own set-up; 'make help' lists the rest.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The suites with a target of their own that differs in nothing but the name.
SUITES := fuzz binary testbed store keyring seed prop chart e2e watch verify node

.PHONY: help demo test test-all unit image-test crash mutate leaks bench $(SUITES) tools tools-path build install lint check-generated generate field-table image clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 17

demo: ## watch a real three-node Vault become hardened (KEEP=1 leaves it running)
	@test/demo/run $(if $(KEEP),--keep)

test: ## everything, on a real Vault and a real API server; about 20 minutes on 2 cores
	@test/run

test-all: ## the long form of everything, benchmarks and made-up faults as well: hours
	@LONG=1 test/run tools unit fuzz binary image testbed store keyring seed prop chart e2e watch verify node crash mutate bench leaks

unit: ## tests that need no server (this one and those below: RUN=TestName for one test)
	go test -race $(if $(RUN),-run '$(RUN)') ./...

fuzz: ## the parsers on made-up texts (FUZZTIME=1m for each)
binary: ## what a release is, and what is linked into it
image-test: ## the container image, as 'make image' makes it (root)
	@test/run image
testbed: ## the test bed itself
store: ## the records, on a real API server
keyring: ## the recipients of the keys: a Vault, age, a KMS emulator, an HSM in software
seed: ## seeds, on a real Vault
prop: ## made-up seeds, N of them (6; FROM, SEED, or ONLY=17 for one), made smaller where one fails
chart: ## the Helm chart, on a real API server
e2e: ## the program from end to end, on a real Vault and a real API server
watch: ## 'watch', 'wait' and the sidecar
verify: ## the report, on Vaults that are bad in every way that it knows
node: ## the ways to deploy, in a cluster with a real node (root)

$(SUITES):
	@test/run $@

crash: ## kill every verb at every step, cut and starve it, N cases (300; SEED repeats a run)
	@LONG=1 test/run crash leaks

mutate: ## put faults into the code, and see that the tests find each (RUN=REGEXP for some)
	@test/run mutate

leaks: ## the search for secrets itself, with which 'make test' ends
	@cd test && go test $(if $(RUN),-run '$(RUN)') ./leaks/...

bench: ## speed and memory beside the bare Vault API (BENCH=REGEXP for some)
	@test/run bench

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
	if [ -x "$$(test/tools/build --path)/vault" ]; then $(MAKE) field-table SERVERS=; fi

comma := ,
field-table: ## write the table of fields from the pinned Vault (SERVERS=A,B: from these programs)
	cd test && for server in $(if $(SERVERS),$(subst $(comma), ,$(SERVERS)),''); do \
		TESTBED_SERVER="$$server" go test ./seed -run '^TestFieldTable$$' -count=1 -update || exit; \
	done

check-generated: generate ## fail if a generated file is not current
	go mod tidy -diff
	cd test && go mod tidy -diff
	git diff --exit-code

image: ## build bin/image with buildah, for each of PLATFORMS (BASE, RUNTIME: base images)
	@test/image/build

clean: ## remove what was built here (not the tools' cache)
	rm -rf bin
