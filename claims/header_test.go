package claims_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

func TestB11Window(t *testing.T) {
	for _, row := range []struct {
		name     string
		nbf, exp int64
		now      int64
		want     claims.WindowState
	}{
		{"before nbf", 100, 200, 99, claims.Early},
		{"at nbf", 100, 200, 100, claims.Open},
		{"after nbf", 100, 200, 101, claims.Open},
		{"before exp", 100, 200, 199, claims.Open},
		{"at exp", 100, 200, 200, claims.Closed},
		{"after exp", 100, 200, 201, claims.Closed},
		{"no nbf, before exp", 0, 200, 199, claims.Open},
		{"no nbf, at exp", 0, 200, 200, claims.Closed},
		{"no exp, before nbf", 100, 0, 99, claims.Early},
		{"no exp, at nbf", 100, 0, 100, claims.Open},
		{"no exp, long after", 100, 0, math.MaxInt32, claims.Open},
		{"no bounds", 0, 0, 150, claims.Open},
		{"no bounds, before 1970", 0, 0, -150, claims.Open},
		{"no bounds, at 1970", 0, 0, 0, claims.Open},
		{"exp one second into 1970, before it", 0, 1, 0, claims.Open},
		{"exp one second into 1970, at it", 0, 1, 1, claims.Closed},
		{"exp before 1970, now", 0, -1, 150, claims.Closed},
		{"exp before 1970, before it", 0, -10, -11, claims.Open},
		{"exp before 1970, at it", 0, -10, -10, claims.Closed},
		{"nbf before 1970, now", -10, 0, 150, claims.Open},
		{"nbf before 1970, before it", -10, 0, -11, claims.Early},
		{"nbf before 1970, at it", -10, 0, -10, claims.Open},
		{"empty window, before", 100, 100, 99, claims.Early},
		{"empty window, at", 100, 100, 100, claims.Closed},
		{"window turned round, between", 200, 100, 150, claims.Early},
		{"least exp", 0, math.MinInt64, 0, claims.Closed},
		{"greatest exp", 0, math.MaxInt64, math.MaxInt32, claims.Open},
		{"greatest nbf", math.MaxInt64, 0, math.MaxInt32, claims.Early},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := claims.Window{NotBefore: row.nbf, Expires: row.exp}
			require.Equal(t, row.want, w.At(time.Unix(row.now, 0)))
			require.Equal(t, row.want, w.At(time.Unix(row.now, 999_999_999)), "to the second")
			require.Equal(t, row.want, w.At(time.Unix(row.now, 0).In(time.FixedZone("far", 14*3600))), "wherever it is")
		})
	}
}

// The window is that of the token, of every kind and in both versions; the parsers do not judge it.
func TestB11WindowOfEveryKind(t *testing.T) {
	each(func(kind string) {
		for _, make := range []func(testing.TB, string, string) string{mint, mint1} {
			h, err := parsers[kind](t, make(t, kind, `{"nbf":-7,"exp":1}`))
			require.NoError(t, err)
			require.Equal(t, claims.Window{NotBefore: -7, Expires: 1}, h.Window)
			require.Equal(t, claims.Closed, h.At(time.Unix(1000, 0)))
		}
	})
}
