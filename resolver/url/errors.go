package url

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Why there was no answer, or none that counts. The errors of [Resolver.Resolve] and [Resolver.Probe] wrap one of them, or a
// [*StatusError], unless the context has ended, and [resolver.ErrUnavailable] too. None holds a header or a body.
var (
	// ErrNoAnswer says that the server could not be asked, or gave no whole HTTP answer within [Options.Timeout].
	ErrNoAnswer = errors.New("url: no answer")

	// ErrTooLarge says that the body is over [Options.MaxBody].
	ErrTooLarge = errors.New("url: answer is too large")

	// ErrRedirect says that a redirect was not followed: in a circle, the one too many, from https to http, or to what is
	// no URL.
	ErrRedirect = errors.New("url: redirect is not followed")

	// ErrToken says that the body is not an account token, or the token of another account.
	ErrToken = errors.New("url: answer is not the account's token")

	// ErrNotModified says that the server answered 304 when it was not asked whether there is a change, or that it means
	// another token than the one that is kept. The next request asks for the whole token.
	ErrNotModified = errors.New("url: not modified, and nothing that it could mean is kept")
)

// StatusError is the status of an answer that tells nothing about the account.
type StatusError struct {
	Code       int           // as in RFC 9110, section 15
	RetryAfter time.Duration // how long the server wants to be left alone; zero when it does not say
}

// Error names the status.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("url: status %d", e.Code)
	if name := http.StatusText(e.Code); name != "" {
		text += " " + name
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", again after %v", e.RetryAfter)
	}
	return text
}

// noAnswer makes an ErrNoAnswer of what a transport says. Such errors may quote what the server sent, which may be anything,
// our own credentials too, so only those that do not are told.
func noAnswer(err error) error {
	return fmt.Errorf("%w: %w", ErrNoAnswer, cause(err))
}

func cause(err error) error {
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &network):
		return network
	case errors.As(err, &record):
		return record
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fmt.Errorf("what came is not HTTP, or not within the bounds (%T)", err)
}

// passing says whether an error may be gone when one asks again: the connection, a 5xx, a 429. A certificate that nobody
// vouches for will not be vouched for then.
func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code == http.StatusTooManyRequests || status.Code >= http.StatusInternalServerError
	}
	var certificate *tls.CertificateVerificationError
	return errors.Is(err, ErrNoAnswer) && !errors.As(err, &certificate)
}
