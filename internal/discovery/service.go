// Package discovery finds the addresses of the replicas behind a headless Service.
//
// A replica has to be addressed individually: a request through a load balancer reaches any of
// them. The package must not know Vault's API or the Kubernetes API: it asks the DNS, and knows how
// a StatefulSet names its pods.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Resolver looks SRV records up, as net.Resolver does.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (canonical string, records []*net.SRV, err error)
}

// DefaultPort is Vault's API port.
const DefaultPort = 8200

// Service is a headless Service in front of a StatefulSet.
type Service struct {
	// Host is the Service's DNS name; the search domains complete a short one.
	Host string
	// Port is the API's; 0 means the one in the SRV records, or else DefaultPort.
	Port int
	// Scheme is https or http. Only its records are looked up: the DNS must not be able to turn TLS
	// off.
	Scheme string
	// StatefulSet is the name of the StatefulSet, for when there are no SRV records.
	StatefulSet string
	// Replicas is how many replicas are expected; 0 if that is not known.
	Replicas int
	// Search are the search domains that Host is completed with.
	Search []string
	// AnyTarget is whether targets of SRV records may be outside the Service, since TLS verifies
	// another name than theirs.
	AnyTarget bool
	Resolver  Resolver
}

// Addresses returns the replicas' URLs, lowest ordinal first. Pods that must exist, because their
// ordinal is below another one's or below Replicas, are included even if the DNS does not show
// them: a hidden one may hold data.
func (s Service) Addresses(ctx context.Context) ([]string, error) {
	_, records, err := s.Resolver.LookupSRV(ctx, s.Scheme, "tcp", s.Host)
	pods := podsOf(records)
	if len(pods) > 0 {
		if err := s.checkTargets(pods); err != nil {
			return nil, err
		}
		return s.addresses(pods), nil
	}
	if s.Replicas > 0 {
		return s.named(s.StatefulSet, s.Replicas, DefaultPort), nil
	}
	if err == nil {
		err = errors.New("the answer is empty")
	}
	return nil, fault.Wait(fmt.Errorf("looking up _%s._tcp.%s: %w", s.Scheme, s.Host, err),
		"Waiting for the DNS to show the replicas, which it does if the headless Service has a port called "+s.Scheme+" and publishes pods that are not ready "+
			"(publishNotReadyAddresses). With --replicas their names are known without it.")
}

// pod is one SRV record: the first label of its target, and the port.
type pod struct {
	target, label string
	port          int
}

// podsOf returns each target once, in the order of the names.
func podsOf(records []*net.SRV) []pod {
	found := map[string]pod{}
	for _, record := range records {
		target := strings.TrimSuffix(record.Target, ".")
		if target == "" {
			continue // RFC 2782: a lone dot says that there is no such service
		}
		label, _, _ := strings.Cut(target, ".")
		found[target] = pod{target: target, label: label, port: int(record.Port)}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b pod) int { return strings.Compare(a.target, b.target) })
}

// addresses names the pods by their ordinals, or as the DNS does if they have none.
func (s Service) addresses(pods []pod) []string {
	set, count := "", 0
	for _, pod := range pods {
		of, ordinal, ok := ordinal(pod.label)
		if !ok || set != "" && set != of {
			return s.unnamed(pods)
		}
		set, count = of, max(count, ordinal+1)
	}
	return s.named(set, max(count, s.Replicas), pods[0].port)
}

// maxReplicas is far above the size of any Vault cluster: a larger ordinal is a number that is part
// of the name.
const maxReplicas = 100

// ordinal splits a StatefulSet pod's name: vault-0 is (vault, 0). A pod without a hostname is
// called by its address, 10-0-0-7.
func ordinal(label string) (set string, number int, ok bool) {
	cut := strings.LastIndexByte(label, '-')
	if cut < 1 || net.ParseIP(strings.ReplaceAll(label, "-", ".")) != nil {
		return "", 0, false
	}
	number, err := strconv.Atoi(label[cut+1:])
	return label[:cut], number, err == nil && number >= 0 && number < maxReplicas && label[cut+1:] == strconv.Itoa(number)
}

func (s Service) named(set string, count, port int) []string {
	addresses := make([]string, count)
	for i := range addresses {
		addresses[i] = s.url(fmt.Sprintf("%s-%d.%s", set, i, s.Host), port)
	}
	return addresses
}

func (s Service) unnamed(pods []pod) []string {
	var addresses []string
	for _, pod := range pods {
		addresses = append(addresses, s.url(pod.target, pod.port))
	}
	return slices.Compact(addresses)
}

func (s Service) url(host string, port int) string {
	if s.Port != 0 {
		port = s.Port
	}
	return s.Scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}
