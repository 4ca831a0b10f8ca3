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
COPY fsm fsm
COPY internal internal
COPY states states
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/vault-bootstrap ./cmd/vault-bootstrap

FROM ${RUNTIME}
COPY --from=build /out/vault-bootstrap /vault-bootstrap
USER 65532:65532
ENTRYPOINT ["/vault-bootstrap"]
CMD ["run"]
