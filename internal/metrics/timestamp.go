package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// timestamp is the gauge of a time. It is absent until it is set: 0 would be the year 1970.
type timestamp struct {
	gauge prometheus.Gauge
	known atomic.Bool
}

func (t *timestamp) set(at time.Time) {
	t.gauge.Set(float64(at.UnixMilli()) / 1000)
	t.known.Store(true)
}

// Describe implements prometheus.Collector.
func (t *timestamp) Describe(descriptions chan<- *prometheus.Desc) { t.gauge.Describe(descriptions) }

// Collect implements prometheus.Collector.
func (t *timestamp) Collect(metrics chan<- prometheus.Metric) {
	if t.known.Load() {
		t.gauge.Collect(metrics)
	}
}
