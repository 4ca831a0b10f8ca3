package product

import "math"

// endOfFixes holds, for each major version, the newest minor version that is known to get no more
// fixes; a major version that is not here gets them all. As of November 2026:
//
//   - Vault 1: the vendor maintains the three newest minor versions, and 1.21, of October 2025, is
//     the last one. Vault 2 is younger than that.
//   - OpenBao: 2.6 still got 2.6.6 in November 2026, after 2.7.0 had come out in September; 2.5 got
//     nothing after 2.6.0.
var endOfFixes = map[Kind]map[int]int{
	Vault:   {0: math.MaxInt, 1: 18},
	OpenBao: {2: 5},
}

// Maintained reports whether the version may still get security fixes. One that is not known, or
// whose product is not, does not count as maintained.
func (p Product) Maintained() bool {
	if p.Kind == Unknown || !p.Version.known {
		return false
	}
	last, some := endOfFixes[p.Kind][p.Version.major]
	return !some || p.Version.minor > last
}
