package url

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/natsauth/natsauth/claims"
)

// attempt asks for the account once. It gives the entry to keep, or nil without an error if there is no token: so that no
// error, whoever made it, can pass for "not found".
func (r *Resolver) attempt(ctx context.Context, account string, old *entry) (*entry, error) {
	ctx, cancel := context.WithTimeout(ctx, r.c.Timeout)
	defer cancel()
	asked := r.c.Clock()
	resp, from, err := r.follow(ctx, r.c.of(account), old)
	if err != nil {
		return nil, err
	}
	defer leave(resp.Body)
	var next *entry
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	case http.StatusNotModified:
		next, err = r.unchanged(resp.Header, from, old)
	default:
		next, err = r.read(resp, account, from)
	}
	if err != nil {
		return nil, err
	}
	next.date(asked, resp.Header, &r.c.Options)
	return next, nil
}

// follow sends a request and goes where redirects lead. It gives the answer and the URL that it is from.
func (r *Resolver) follow(ctx context.Context, to *url.URL, old *entry) (*http.Response, string, error) {
	for seen := []string(nil); ; {
		seen = append(seen, to.String())
		resp, err := r.send(ctx, to, old)
		if err != nil {
			return nil, "", err
		}
		if !redirects(resp.StatusCode) {
			return resp, to.String(), nil
		}
		leave(resp.Body)
		if to, err = r.next(to, resp.Header.Get("Location"), seen); err != nil {
			return nil, "", err
		}
	}
}

// redirects are the statuses with which a GET goes elsewhere (RFC 9110, section 15.4).
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// next is where a redirect leads. Once on https it stays there, and what a server calls a user is none of ours.
func (r *Resolver) next(from *url.URL, location string, seen []string) (*url.URL, error) {
	to, err := from.Parse(location)
	switch {
	case location == "" || err != nil || to.Hostname() == "" || to.User != nil:
		return nil, fmt.Errorf("%w: to no URL", ErrRedirect)
	case to.Scheme != "https" && (to.Scheme != "http" || from.Scheme != "http"):
		return nil, fmt.Errorf("%w: from %s to another scheme", ErrRedirect, from.Scheme)
	}
	to.Fragment, to.RawFragment = "", ""
	switch {
	case slices.Contains(seen, to.String()):
		return nil, fmt.Errorf("%w: in a circle", ErrRedirect)
	case len(seen) > r.c.Redirects:
		return nil, fmt.Errorf("%w: at most %d are", ErrRedirect, r.c.Redirects)
	}
	return to, nil
}

func (r *Resolver) send(ctx context.Context, to *url.URL, old *entry) (*http.Response, error) {
	r.counts.requests.Add(1)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, noAnswer(err)
	}
	req.Header = r.header(to, old)
	resp, err := r.c.transport.RoundTrip(req)
	switch {
	case err != nil:
		return nil, noAnswer(err)
	case resp == nil || resp.Body == nil:
		return nil, noAnswer(errors.New("nothing came"))
	}
	return resp, nil
}

// header has our own fields for our own server only, and asks for changes only where what is kept is from. No answer is to
// be compressed: that would take its bound away.
func (r *Resolver) header(to *url.URL, old *entry) http.Header {
	h := make(http.Header)
	if to.Scheme == r.c.base.Scheme && strings.EqualFold(to.Host, r.c.base.Host) {
		h = r.c.Header.Clone()
	}
	h.Set("Accept-Encoding", "identity")
	h.Del("If-None-Match")
	if old.isFrom(to.String()) {
		h.Set("If-None-Match", old.etag)
	}
	return h
}

// status is nil for 200.
func (r *Resolver) status(resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &StatusError{Code: resp.StatusCode, RetryAfter: retryAfter(resp.Header, r.c.Clock())}
}

// read takes the token out of an answer.
func (r *Resolver) read(resp *http.Response, account, from string) (*entry, error) {
	if err := r.status(resp); err != nil {
		return nil, err
	}
	body, err := r.body(resp)
	if err != nil {
		return nil, err
	}
	token := string(bytes.TrimSpace(body))
	a, err := claims.ParseAccount(token)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	case a.Key != account:
		return nil, fmt.Errorf("%w: it is of %s", ErrToken, a.Key)
	}
	return &entry{account: account, token: token, etag: etag(resp.Header), from: from, window: a.Window}, nil
}

// body reads one byte more than is allowed, to tell. What a transport has decompressed against our wish counts as it is read.
func (r *Resolver) body(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(r.c.MaxBody)+1))
	switch {
	case len(body) > r.c.MaxBody:
		return nil, fmt.Errorf("%w: at most %d bytes are read", ErrTooLarge, r.c.MaxBody)
	case err != nil:
		return nil, noAnswer(err)
	}
	return body, nil
}

// unchanged is what is kept, once more. The server must have been asked about it, and must not mean another (RFC 9111,
// section 4.3.4).
func (r *Resolver) unchanged(h http.Header, from string, old *entry) (*entry, error) {
	tag := etag(h)
	if !old.isFrom(from) || tag != "" && opaque(tag) != opaque(old.etag) {
		return nil, ErrNotModified
	}
	r.counts.notModified.Add(1)
	again := *old
	return &again, nil
}

// leave is for a body of which no more is wanted. A short rest is read, so that the connection can be used again.
func leave(body io.ReadCloser) {
	io.CopyN(io.Discard, body, 2<<10) //nolint:errcheck // whether there was more does not matter
	body.Close()                      //nolint:errcheck // nothing is lost with it
}
