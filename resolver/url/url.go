package url

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Resolver asks an account server over HTTP, as nats-server v2.15 server/accounts.go URLAccResolver does (F107). The nil and
// the zero Resolver answer [resolver.ErrUnavailable]. A Resolver may be used by several goroutines, and must not be copied.
type Resolver struct {
	c      *config // behind a pointer, so that no way of printing a Resolver shows its header
	memory memory
	counts counters
}

// config does not change.
type config struct {
	Options
	base      *url.URL // ends with a slash, holds no user
	transport http.RoundTripper
}

// New makes a Resolver that gets base and the key of the account, with a slash between them. The base is http or https and
// has a host. A name and a password in it become an Authorization header, which [Options.Header] must not have too. It has
// no query and no fragment, because the key goes to its end. New sends nothing. Its errors do not hold the base.
func New(base string, o Options) (*Resolver, error) {
	u, err := parse(base)
	if err != nil {
		return nil, err
	}
	c := &config{base: u}
	if c.Options, err = o.filled(); err != nil {
		return nil, err
	}
	if err := c.login(); err != nil {
		return nil, err
	}
	c.transport = c.Transport
	if c.transport == nil {
		c.transport = c.Options.transport()
	}
	return &Resolver{c: c, memory: memory{most: c.Kept, mostBytes: c.KeptBytes}}, nil
}

func parse(base string) (*url.URL, error) {
	if !strings.HasSuffix(base, "/") {
		base += "/"
	}
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, errors.New("url: base is not a URL") // the cause would quote it, password and all
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("url: base is neither http nor https")
	case u.Hostname() == "":
		return nil, errors.New("url: base has no host")
	case strings.ContainsAny(base, "?#"):
		return nil, errors.New("url: base has a query or a fragment")
	}
	return u, nil
}

// of is where the token of an account is.
func (c *config) of(account string) *url.URL {
	u := *c.base
	u.Path += account
	if u.RawPath != "" {
		u.RawPath += account
	}
	return &u
}

// login takes name and password out of the base.
func (c *config) login() error {
	who := c.base.User
	if who == nil {
		return nil
	}
	if c.Header.Get("Authorization") != "" {
		return errors.New("url: base has a user, and Options.Header an Authorization")
	}
	password, _ := who.Password()
	(&http.Request{Header: c.Header}).SetBasicAuth(who.Username(), password)
	c.base.User = nil
	return nil
}

// Resolve asks for the account's token and gives it without the white space around it. It has read it: it is a token of
// this account and carries a true signature of its issuer, whoever that is, and it may have ended. Text that is no account
// key is [resolver.ErrNotFound] without a request, as are 404 and 410 with one; every other error wraps
// [resolver.ErrUnavailable], and is listed in the package's documentation.
func (r *Resolver) Resolve(ctx context.Context, account string) (string, error) {
	if err := r.usable(ctx); err != nil {
		return "", err
	}
	if !claims.IsAccountKey(account) {
		return "", resolver.ErrNotFound
	}
	old, generation := r.memory.get(account)
	if old.freshAt(r.c.Clock()) {
		r.counts.fromMemory.Add(1)
		return old.token, nil
	}
	next, err := r.ask(ctx, account, old)
	switch {
	case err == nil && next == nil:
		r.memory.drop(account)
		return "", resolver.ErrNotFound
	case err == nil:
		r.memory.put(next, generation)
		return next.token, nil
	case passing(err) && old.staleAt(r.c.Clock()):
		r.counts.stale.Add(1)
		return old.token, nil
	case errors.Is(err, ErrNotModified):
		r.memory.drop(account)
	}
	r.counts.failures.Add(1)
	return "", unavailable(err)
}

// Forget has the next question about the account answered by the server, whole; "" is every account. See
// [resolver.Forgetter]. What a request under way brings goes to whoever has asked, and is not kept.
func (r *Resolver) Forget(account string) {
	switch {
	case r == nil || r.c == nil:
	case account == "":
		r.memory.clear()
	default:
		r.memory.drop(account)
	}
}

// Probe gets the base once, and is nil if the answer is 200: what nats-server v2.15 server/server.go asks before it starts
// (F107). It looks at no body. Every error wraps [resolver.ErrUnavailable].
func (r *Resolver) Probe(ctx context.Context) error {
	if err := r.usable(ctx); err != nil {
		return err
	}
	attempt, cancel := context.WithTimeout(ctx, r.c.Timeout)
	defer cancel()
	resp, _, err := r.follow(attempt, r.c.base, nil)
	if err == nil {
		leave(resp.Body)
		err = r.status(resp)
	}
	if err != nil {
		return unavailable(orEnded(ctx, err))
	}
	return nil
}

// Close closes connections that are idle, unless [Options.Transport] made them. Requests that are under way go on; a Resolver
// that is used after Close opens connections again. The error is nil.
func (r *Resolver) Close() error {
	if r == nil || r.c == nil {
		return nil
	}
	if own, ok := r.c.transport.(*http.Transport); ok && r.c.Transport == nil {
		own.CloseIdleConnections()
	}
	return nil
}

// String names the base, without a user.
func (r *Resolver) String() string {
	if r == nil || r.c == nil {
		return "url.Resolver{}"
	}
	return "url.Resolver{" + r.c.base.String() + "}"
}

// GoString is [Resolver.String].
func (r *Resolver) GoString() string { return r.String() }

// LogValue is [Resolver.String].
func (r *Resolver) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (r *Resolver) usable(ctx context.Context) error {
	if r == nil || r.c == nil {
		return fmt.Errorf("%w: url.Resolver without New", resolver.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err) }

// orEnded is the context's own error once it has ended: what fails then fails for that.
func orEnded(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return err
}
