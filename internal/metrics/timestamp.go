package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// timestamp is a gauge of a time that is absent until there is one: 0 would be the year 1970.
type timestamp struct {
	gauge prometheus.Gauge
	known atomic.Bool
}

func (o *timestamp) set(at time.Time) {
	o.gauge.Set(float64(at.UnixMilli()) / 1000)
	o.known.Store(true)
}

// Describe is a prometheus.Collector's.
func (o *timestamp) Describe(descriptions chan<- *prometheus.Desc) { o.gauge.Describe(descriptions) }

// Collect is a prometheus.Collector's.
func (o *timestamp) Collect(metrics chan<- prometheus.Metric) {
	if o.known.Load() {
		o.gauge.Collect(metrics)
	}
}
