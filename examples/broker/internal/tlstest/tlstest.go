// Package tlstest makes certificates for tests.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA issues certificates. Its own is in File. Whatever fails ends the test.
type CA struct {
	File string

	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New makes a CA whose files are in a folder of the test.
func New(tb testing.TB, name string) *CA {
	tb.Helper()
	ca := &CA{tb: tb, dir: tb.TempDir()}
	template := ca.template(name)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	ca.cert, ca.key = template, ca.newKey()
	raw := ca.sign(template, ca.key)
	var err error
	ca.cert, err = x509.ParseCertificate(raw)
	ca.check(err)
	ca.File = ca.write(name+".ca", "CERTIFICATE", raw)
	return ca
}

// Issue gives the files of a certificate for 127.0.0.1, good for servers and clients, and of its key.
func (ca *CA) Issue(name string) (cert, key string) {
	ca.tb.Helper()
	template := ca.template(name)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	pair := ca.newKey()
	text, err := x509.MarshalPKCS8PrivateKey(pair)
	ca.check(err)
	return ca.write(name+".pem", "CERTIFICATE", ca.sign(template, pair)), ca.write(name+".key", "PRIVATE KEY", text)
}

// Server is the TLS of a server that wants a certificate of this CA from its clients.
func (ca *CA) Server() *tls.Config {
	ca.tb.Helper()
	pair, err := tls.LoadX509KeyPair(ca.Issue("server"))
	ca.check(err)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}
}

func (ca *CA) template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	ca.check(err)
	now := time.Now() // what is under test verifies by the real time
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
}

func (ca *CA) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca.check(err)
	return key
}

func (ca *CA) sign(template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	raw, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	ca.check(err)
	return raw
}

func (ca *CA) write(name, kind string, raw []byte) string {
	file := filepath.Join(ca.dir, name)
	ca.check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600))
	return file
}

func (ca *CA) check(err error) {
	if err != nil {
		ca.tb.Helper()
		ca.tb.Fatal(err)
	}
}
