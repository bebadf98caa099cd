package url_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

// TestF107TLS: who is trusted is the caller's to say; a certificate that nobody vouches for is not tried twice.
func TestF107TLS(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	s := serve(t, says(reply{200, nil, token}), func(*httptest.Server) {})
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	for _, row := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{
		{"its CA", &tls.Config{RootCAs: trusted}, true},
		{"no CA", &tls.Config{RootCAs: x509.NewCertPool()}, false},
		{"its CA, another name", &tls.Config{RootCAs: trusted, ServerName: "other.test"}, false},
		{"its CA, its name", &tls.Config{RootCAs: trusted, ServerName: "example.com"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := dial(t, s.URL, url.Options{TLS: row.tls})
			if row.ok {
				gives(t, r, token)
				return
			}
			var certificate *tls.CertificateVerificationError
			require.ErrorAs(t, fails(t, r, url.ErrNoAnswer), &certificate)
			require.EqualValues(t, 1, r.Stats().Requests)
		})
	}
	fails(t, dial(t, "http"+s.URL[len("https"):], url.Options{}), nil)
}

func TestTLSVersions(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for _, row := range []struct {
		name            string
		asks, speaks    uint16
		refused, raised bool
	}{
		{name: "1.2", speaks: tls.VersionTLS12},
		{name: "1.3", speaks: tls.VersionTLS13},
		{name: "1.1", speaks: tls.VersionTLS11, refused: true},
		{name: "1.1, asked for", speaks: tls.VersionTLS11, asks: tls.VersionTLS11, refused: true},
		{name: "1.2, 1.3 asked for", speaks: tls.VersionTLS12, asks: tls.VersionTLS13, refused: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, says(reply{200, nil, token}), func(s *httptest.Server) {
				s.TLS = &tls.Config{MinVersion: row.speaks, MaxVersion: row.speaks}
			})
			trust := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: row.asks}
			trust.RootCAs.AddCert(s.Certificate())
			r := dial(t, s.URL, url.Options{TLS: trust, Attempts: 1})
			require.Equal(t, row.asks, trust.MinVersion, "it is copied")
			if row.refused {
				fails(t, r, url.ErrNoAnswer)
				return
			}
			gives(t, r, token)
		})
	}
}

func TestPlainServerOnTLS(t *testing.T) {
	s := serve(t, http.NotFoundHandler())
	r := dial(t, "https"+s.URL[len("http"):], url.Options{Attempts: 1})
	var record tls.RecordHeaderError
	require.ErrorAs(t, fails(t, r, url.ErrNoAnswer), &record)
}
