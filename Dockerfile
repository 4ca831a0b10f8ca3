# A static binary in an otherwise empty image: no shell, no package manager, and a
# user of its own. The base images are arguments, so that a build can use mirrors or
# images made on the spot.
ARG BASE=golang:1.26
ARG RUNTIME=scratch

# The compiler runs on the machine that builds, for whichever platform.
FROM --platform=${BUILDPLATFORM} ${BASE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY docs docs
COPY fsm fsm
COPY internal internal
COPY states states
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/vault-bootstrap ./cmd/vault-bootstrap

FROM ${RUNTIME}
ARG VERSION=dev
LABEL org.opencontainers.image.title="vault-bootstrap" \
    org.opencontainers.image.description="Takes a HashiCorp Vault on Kubernetes from nothing to hardened, and makes every rerun safe." \
    org.opencontainers.image.source="https://github.com/vault-bootstrap/vault-bootstrap" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/vault-bootstrap /vault-bootstrap
USER 65532:65532
ENTRYPOINT ["/vault-bootstrap"]
CMD ["run"]
