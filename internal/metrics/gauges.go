package metrics

import (
	"maps"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// optional is a gauge that is absent while its value is not known.
type optional struct {
	description *prometheus.Desc
	value       atomic.Pointer[float64]
}

func newOptional(name, help string) *optional {
	return &optional{description: describe(name, help)}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func (o *optional) set(value float64) { o.value.Store(&value) }
func (o *optional) forget()           { o.value.Store(nil) }

// Describe is a prometheus.Collector's.
func (o *optional) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- o.description }

// Collect is a prometheus.Collector's.
func (o *optional) Collect(metrics chan<- prometheus.Metric) {
	if value := o.value.Load(); value != nil {
		metrics <- prometheus.MustNewConstMetric(o.description, prometheus.GaugeValue, *value)
	}
}

// labelled is a gauge with one label whose values are replaced all at once: a scrape sees those before
// or those after, and none in between.
type labelled struct {
	description *prometheus.Desc
	values      atomic.Pointer[map[string]float64]
}

func newLabelled(name, help, label string) *labelled {
	return &labelled{description: describe(name, help, label)}
}

func (l *labelled) replace(values map[string]float64) {
	values = maps.Clone(values)
	l.values.Store(&values)
}

// Describe is a prometheus.Collector's.
func (l *labelled) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- l.description }

// Collect is a prometheus.Collector's.
func (l *labelled) Collect(metrics chan<- prometheus.Metric) {
	values := l.values.Load()
	if values == nil {
		return
	}
	for label, value := range *values {
		metrics <- prometheus.MustNewConstMetric(l.description, prometheus.GaugeValue, value, label)
	}
}
