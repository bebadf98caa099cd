package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// TLS says how an account server is known, and how this broker is to it (F107). The zero value goes by the certificates of
// the system, and shows none.
type TLS struct {
	CA, Cert, Key string // files; empty: none
	Insecure      bool   // whoever answers is taken for the account server
	MinVersion    uint16 // of crypto/tls; 0: 1.2
}

// tlsKeys are what a resolver_tls block may hold, as far as it means something to a client.
var tlsKeys = map[string]func(p *parser, t *TLS, v value) error{
	"ca_file":   tlsFile(func(t *TLS) *string { return &t.CA }),
	"cert_file": tlsFile(func(t *TLS) *string { return &t.Cert }),
	"key_file":  tlsFile(func(t *TLS) *string { return &t.Key }),
	"insecure": func(_ *parser, t *TLS, v value) (err error) {
		t.Insecure, err = v.flag()
		return err
	},
	"min_version": func(_ *parser, t *TLS, v value) error {
		s, err := v.text()
		if err != nil {
			return err
		}
		if t.MinVersion = tlsVersions[s]; t.MinVersion == 0 {
			return fmt.Errorf("%q is neither 1.2 nor 1.3", s)
		}
		return nil
	},
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// otherTLSKeys are those of nats-server v2.15 server/opts.go parseTLS that this broker refuses.
var otherTLSKeys = strings.Fields("verify verify_and_map verify_cert_and_check_known_urls allow_insecure_cipher_suites cipher_suites " +
	"curve_preferences timeout connection_rate_limit pinned_certs cert_store cert_match_by cert_match ca_certs_match " +
	"handshake_first first immediate cert_match_skip_invalid ocsp_peer certs certificates")

func tlsFile(field func(*TLS) *string) func(*parser, *TLS, value) error {
	return func(p *parser, t *TLS, v value) error {
		name, err := v.text()
		if err == nil && name != "" {
			*field(t) = p.path(name)
		}
		return err
	}
}

// resolverTLS reads the block, and sees whether its files are what they should be.
func resolverTLS(p *parser, v value) error {
	block, err := v.block()
	if err != nil {
		return err
	}
	t := &p.Accounts.TLS
	for _, name := range slices.Sorted(maps.Keys(block)) {
		key := strings.ToLower(name)
		set, ok := tlsKeys[key]
		switch {
		case ok:
			err = set(p, t, read(block[name]))
		case slices.Contains(otherTLSKeys, key):
			err = errors.New("broker: it is not supported for an account server")
		default:
			return fmt.Errorf("unknown key %q", name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if t.Insecure {
		p.Notices = append(p.Notices, "resolver_tls: insecure: whoever answers is taken for the account server")
	}
	p.resolverTLS = true
	_, err = t.Client()
	return err
}

// Client reads the files, and gives what an account server is asked with. The error names the file, and nothing of what is
// in it.
func (t TLS) Client() (*tls.Config, error) {
	out := &tls.Config{MinVersion: max(t.MinVersion, tls.VersionTLS12)}
	out.InsecureSkipVerify = t.Insecure // the file asks for it, and the log says so
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		if out.RootCAs = x509.NewCertPool(); !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca_file: %q holds no certificate", t.CA)
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
		return out, nil
	case t.Cert == "" || t.Key == "":
		return nil, errors.New("cert_file and key_file need each other")
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("cert_file %q, key_file %q: %w", t.Cert, t.Key, err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}
