package url

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// Options say how a [Resolver] asks. The zero value serves; a negative number is an error where it is not said to mean
// something. Options hold secrets, and print none of what they hold.
type Options struct {
	// Header is sent with every request to the scheme, host and port of the base, and to no other: credentials, above all.
	// It is copied.
	Header http.Header

	// TLS says whom to trust, and may hold a certificate of ours. It is copied; versions below 1.2 are not spoken. Nil is
	// the system's certificates.
	TLS *tls.Config

	// Transport asks in place of our own, which speaks HTTP/1.1, uses no proxy, and keeps 10 connections for 30 seconds when
	// they are idle (as nats-server v2.15 server/accounts.go NewURLAccResolver). TLS and MaxHeader belong to our own: with a
	// Transport they must be zero.
	Transport http.RoundTripper

	// Timeout is for one attempt, from the connection to the last byte, redirects included; default 1.9 seconds (F107).
	Timeout time.Duration
	// Attempts is how often one Resolve asks at most; default 3. One asks once.
	Attempts int
	// Pause is the time between the first attempt and the second, give or take a half; each pause after it is twice as
	// long. Default 100 milliseconds.
	Pause time.Duration
	// MaxPause is the longest pause; default 2 seconds. A server that wants to be left alone for longer (Retry-After) is not
	// asked again.
	MaxPause time.Duration

	// MaxBody is the largest body in bytes, white space around the token included; default and most [claims.MaxTokenSize],
	// 1 MiB.
	MaxBody int
	// MaxHeader is the largest header of an answer in bytes; default 64 KiB.
	MaxHeader int
	// Redirects is how many are followed for one attempt; default 3. A negative number follows none.
	Redirects int

	// Kept is how many tokens are kept, so as to ask for changes only; default 1024. The one that was not asked for longest
	// makes room. A negative number keeps none.
	Kept int
	// KeptBytes is how much text that is, in bytes; default 16 MiB. A token that has no room in it is not kept.
	KeptBytes int
	// MaxAge is how long at most an answer is given again without asking, where Cache-Control allows that (max-age); zero
	// never. What changes meanwhile, a revocation say, counts so much later.
	MaxAge time.Duration
	// StaleIfError is how long at most after that an answer is given again when the server cannot be asked, where
	// Cache-Control allows that (stale-if-error); zero never. Who asks is not told of the outage then: package auth takes
	// the token for confirmed, and its MaxStale does not begin.
	StaleIfError time.Duration

	// Clock says how old what is kept is, and what a Retry-After that is a date means; default time.Now.
	Clock func() time.Time
}

// String names the type and shows nothing of what it holds.
func (o Options) String() string { return "url.Options" }

// GoString is [Options.String].
func (o Options) GoString() string { return o.String() }

// LogValue is [Options.String].
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// filled gives the options with their defaults.
func (o Options) filled() (Options, error) {
	if o.Transport != nil && (o.TLS != nil || o.MaxHeader != 0) {
		return o, errors.New("url: Options.TLS and Options.MaxHeader are not for another's Transport")
	}
	for _, n := range []struct {
		name      string
		value     *int
		otherwise int
	}{
		{"Attempts", &o.Attempts, 3},
		{"MaxBody", &o.MaxBody, claims.MaxTokenSize},
		{"MaxHeader", &o.MaxHeader, 64 << 10},
		{"KeptBytes", &o.KeptBytes, 16 << 20},
	} {
		if err := fill(n.name, n.value, n.otherwise); err != nil {
			return o, err
		}
	}
	for _, d := range []struct {
		name      string
		value     *time.Duration
		otherwise time.Duration
	}{
		{"Timeout", &o.Timeout, 1900 * time.Millisecond},
		{"Pause", &o.Pause, 100 * time.Millisecond},
		{"MaxPause", &o.MaxPause, 2 * time.Second},
		{"MaxAge", &o.MaxAge, 0},
		{"StaleIfError", &o.StaleIfError, 0},
	} {
		if err := fill(d.name, d.value, d.otherwise); err != nil {
			return o, err
		}
	}
	if o.MaxBody > claims.MaxTokenSize {
		return o, fmt.Errorf("url: Options.MaxBody is over %d", claims.MaxTokenSize)
	}
	fillOrNone(&o.Redirects, 3)
	fillOrNone(&o.Kept, 1024)
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the default of the one clock
	}
	header, err := checked(o.Header)
	o.Header = header
	return o, err
}

func fill[T int | time.Duration](name string, value *T, otherwise T) error {
	if *value < 0 {
		return fmt.Errorf("url: Options.%s is negative", name)
	}
	if *value == 0 {
		*value = otherwise
	}
	return nil
}

func fillOrNone(value *int, otherwise int) {
	if *value == 0 {
		*value = otherwise
	}
	*value = max(*value, 0)
}

// checked copies a header that can be sent: another would fail with every request.
func checked(h http.Header) (http.Header, error) {
	own := make(http.Header)
	for name, values := range h {
		if name == "" || strings.ContainsFunc(name, notToken) {
			return nil, errors.New("url: Options.Header has a name that is not one")
		}
		for _, value := range values {
			if strings.ContainsFunc(value, isControl) {
				return nil, fmt.Errorf("url: Options.Header has a control character in %s", name)
			}
			own.Add(name, value)
		}
	}
	return own, nil
}

// notToken is true for what no name of a field holds (RFC 9110, section 5.6.2).
func notToken(c rune) bool {
	return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// transport makes the transport of our own. A dial may outlive the request that began it, and has an end of its own.
func (o Options) transport() *http.Transport {
	trust := o.TLS.Clone()
	if trust == nil {
		trust = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	trust.MinVersion = max(trust.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.Timeout}).DialContext,
		TLSClientConfig:        trust,
		TLSHandshakeTimeout:    o.Timeout,
		MaxResponseHeaderBytes: int64(o.MaxHeader),
		MaxIdleConns:           10,
		MaxIdleConnsPerHost:    10,
		IdleConnTimeout:        30 * time.Second,
	}
}
