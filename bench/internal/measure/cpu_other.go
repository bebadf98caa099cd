//go:build !unix

package measure

import "time"

var began = time.Now()

// cpu is the time since the start, where the system does not tell CPU time: the
// ratios are noisier.
func cpu() time.Duration { return time.Since(began) }
