package metrics

import (
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// perhaps is a gauge that is absent while its value is not known.
type perhaps struct {
	description *prometheus.Desc
	value       atomic.Pointer[float64]
}

func newPerhaps(name, help string) *perhaps {
	return &perhaps{description: describe(name, help)}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func (p *perhaps) set(value float64) { p.value.Store(&value) }
func (p *perhaps) forget()           { p.value.Store(nil) }

// Describe is a prometheus.Collector's.
func (p *perhaps) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- p.description }

// Collect is a prometheus.Collector's.
func (p *perhaps) Collect(metrics chan<- prometheus.Metric) {
	if value := p.value.Load(); value != nil {
		metrics <- prometheus.MustNewConstMetric(p.description, prometheus.GaugeValue, *value)
	}
}

// set is a gauge with one label whose values are replaced all at once: a scrape sees those before
// or those after, and none in between.
type set struct {
	description *prometheus.Desc
	values      atomic.Pointer[map[string]float64]
}

func newSet(name, help, label string) *set {
	return &set{description: describe(name, help, label)}
}

func (s *set) now(values map[string]float64) {
	values = maps.Clone(values)
	s.values.Store(&values)
}

// Describe is a prometheus.Collector's.
func (s *set) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- s.description }

// Collect is a prometheus.Collector's.
func (s *set) Collect(metrics chan<- prometheus.Metric) {
	values := s.values.Load()
	if values == nil {
		return
	}
	for label, value := range *values {
		metrics <- prometheus.MustNewConstMetric(s.description, prometheus.GaugeValue, value, label)
	}
}
