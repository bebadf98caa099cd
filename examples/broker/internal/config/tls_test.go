package config_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/examples/broker/internal/tlstest"
)

// TestF107ResolverTLS: what the block says, and what becomes of it.
func TestF107ResolverTLS(t *testing.T) {
	head := "operator: " + authtest.NewOperator(t).Token() + "\nresolver: "
	server := head + "URL(https://x)\n"
	ca := tlstest.New(t, "ca")
	cert, key := ca.Issue("broker")
	other, _ := ca.Issue("other")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("eyJ: no certificate"), 0o600))
	pair := "cert_file: '" + cert + "', key_file: '" + key + "'"
	for _, tt := range []struct {
		name, text string
		want       config.TLS
		notice     string
	}{
		{"none", server, config.TLS{}, ""},
		{"nothing in it", server + "resolver_tls { }", config.TLS{}, ""},
		{"a CA", server + "resolver_tls { ca_file: '" + ca.File + "' }", config.TLS{CA: ca.File}, ""},
		{"a certificate", server + "resolver_tls { " + pair + " }", config.TLS{Cert: cert, Key: key}, ""},
		{"names in capitals", server + "Resolver_TLS { CA_File: '" + ca.File + "' }", config.TLS{CA: ca.File}, ""},
		{"a version", server + "resolver_tls { min_version: \"1.2\" }", config.TLS{MinVersion: tls.VersionTLS12}, ""},
		{"a later version", server + "resolver_tls { min_version: \"1.3\" }", config.TLS{MinVersion: tls.VersionTLS13}, ""},
		{"insecure", server + "resolver_tls { insecure: true }", config.TLS{Insecure: true}, "whoever answers"},
		{"not insecure", server + "resolver_tls { insecure: false }", config.TLS{}, ""},
		{"no account server", head + "MEMORY\nresolver_tls { }", config.TLS{}, "no account server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(t, tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, c.Accounts.TLS)
			require.Contains(t, strings.Join(c.Notices, "\n"), tt.notice)
			require.Equal(t, tt.notice == "", len(c.Notices) == 0)
			client, err := c.Accounts.TLS.Client()
			require.NoError(t, err)
			require.Equal(t, tt.want.CA != "", client.RootCAs != nil)
			require.Equal(t, tt.want.Cert != "", len(client.Certificates) == 1)
			require.Equal(t, tt.want.Insecure, client.InsecureSkipVerify)
			require.Equal(t, max(tt.want.MinVersion, tls.VersionTLS12), client.MinVersion)
		})
	}
	for _, tt := range []struct{ name, block, want string }{
		{"no block", ": 1", "resolver_tls: a block in braces is expected"},
		{"an unknown key", "{ ca_fiel: x }", `unknown key "ca_fiel"`},
		{"a key that is not supported", "{ pinned_certs: [] }", "pinned_certs: broker: it is not supported"},
		{"a number for a file", "{ ca_file: 1 }", "ca_file: text is expected"},
		{"text for a flag", "{ insecure: x }", "insecure: true or false is expected"},
		{"a CA that is not there", "{ ca_file: nowhere.pem }", "ca_file: open "},
		{"a CA that is none", "{ ca_file: '" + empty + "' }", "holds no certificate"},
		{"a key that is missing", "{ cert_file: '" + cert + "' }", "cert_file and key_file need each other"},
		{"a certificate that is missing", "{ key_file: '" + key + "' }", "cert_file and key_file need each other"},
		{"a key of another", "{ cert_file: '" + other + "', key_file: '" + key + "' }", "cert_file "},
		{"a certificate that is none", "{ cert_file: '" + empty + "', key_file: '" + key + "' }", "cert_file "},
		{"too old a version", `{ min_version: "1.1" }`, `min_version: "1.1" is neither`},
		{"a number for a version", "{ min_version: 1.3 }", "min_version: text is expected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(t, server+"resolver_tls "+tt.block)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "server.conf:3: ")
			require.NotContains(t, err.Error(), "eyJ", "what is in a file")
			require.Nil(t, c)
		})
	}
}

// TestResolverTLSPaths: relative files are where the others are.
func TestResolverTLSPaths(t *testing.T) {
	ca := tlstest.New(t, "ca")
	file := filepath.Join(t.TempDir(), "server.conf")
	text := "operator: " + authtest.NewOperator(t).Token() + "\nresolver: URL(https://x)\nresolver_tls { ca_file: ca.ca }\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := config.Parse(file, filepath.Dir(ca.File))
	require.NoError(t, err)
	require.Equal(t, ca.File, c.Accounts.TLS.CA)
	_, err = config.Parse(file, "")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestResolverTLSIsFixed: a change of it is told, and counts at the next start.
func TestResolverTLSIsFixed(t *testing.T) {
	running, next := new(config.Config), new(config.Config)
	next.Accounts.TLS.Insecure = true
	require.Equal(t, []string{"resolver_tls"}, next.Fixed(running))
	running.Accounts.TLS.Insecure = true
	require.Empty(t, next.Fixed(running))
}
