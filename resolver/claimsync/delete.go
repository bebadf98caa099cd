package claimsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Why a request to delete accounts is refused, in the words of nats-server v2.15 server/accounts.go handleDeleteRequest
// where it has any.
var (
	errDeleteDisabled = errors.New("delete must be enabled in server config")
	errNotSelfSigned  = errors.New("not self signed")
	errNotTrusted     = errors.New("not trusted")
	errSystemAccount  = errors.New("not allowed to delete system account")
	errUndated        = errors.New("the request carries neither an expiry nor the time of its issue")
	errNotYet         = errors.New("the request is not valid yet")
	errOver           = errors.New("the request is expired")
	errTooOld         = errors.New("the request is too old")
	errAhead          = errors.New("the request is from the future")
	errReplayed       = errors.New("the request was made before")
	errRemembered     = errors.New("too many requests are remembered")
)

// delete takes accounts out of force and out of the store, at the request of an administrator (F118). Where some could not
// be deleted the others are, and the answer lists both.
func (s *Service) delete(ctx context.Context, m resolver.Msg, _ string) {
	d, err := s.permitted(string(m.Data))
	if err != nil {
		s.tally.add(func(c *Stats) { c.DeletesRefused++ })
		by := ""
		if d != nil {
			by = d.Key
		}
		s.fail(ctx, m.Reply, failure{}, fmt.Sprintf("delete accounts request by %s failed", by), err)
		return
	}
	s.tally.add(func(c *Stats) { c.Deletes++ })
	var failed, gone []deleted
	for _, account := range d.Accounts {
		if r := s.remove(ctx, account); r.Error != "" {
			failed = append(failed, r)
		} else {
			gone = append(gone, r)
		}
	}
	s.tellDeleted(ctx, m.Reply, failed, gone)
}

func (s *Service) remove(ctx context.Context, account string) deleted {
	ctx, cancel := context.WithTimeout(ctx, s.config.Bounds.RequestTime)
	defer cancel()
	r, err := s.config.Authorizer.Remove(ctx, account)
	if err != nil {
		return deleted{Account: account, Error: err.Error()}
	}
	return deleted{Account: account, State: r.State, Closed: r.ClosedCount}
}

// tellDeleted lists the first [auth.MaxReported], those that failed before the others.
func (s *Service) tellDeleted(ctx context.Context, reply string, failed, gone []deleted) {
	list := slices.Concat(failed, gone)
	list = list[:min(len(list), auth.MaxReported)]
	if len(failed) == 0 {
		message := fmt.Sprintf("deleted %d accounts", len(gone))
		s.answer(ctx, reply, answer{Data: status{Code: codeOK, Message: message, Accounts: list}})
		return
	}
	var why []string
	for _, d := range failed[:min(len(failed), auth.MaxReported)] {
		why = append(why, d.Error)
	}
	message := fmt.Sprintf("deleted %d accounts, failed for %d", len(gone), len(failed))
	s.fail(ctx, reply, failure{Accounts: list}, message, errors.New(strings.Join(why, "\n")))
}

// permitted reads a request, and says why it is not heeded. The request comes with the error where it could be read.
func (s *Service) permitted(token string) (*claims.Deletion, error) {
	d, err := claims.ParseDeletion(token)
	switch {
	case err != nil:
		return nil, err
	case !s.config.AllowDelete:
		return d, errDeleteDisabled
	case !d.SelfSigned():
		return d, errNotSelfSigned
	case !s.config.Authorizer.Administers(d.Issuer):
		return d, errNotTrusted
	case slices.ContainsFunc(d.Accounts, s.system):
		return d, errSystemAccount
	}
	return d, s.done.admit(d, s.config.Clock().Unix())
}

// system says whether an account is the system account, by the configuration or by the trust set of today.
func (s *Service) system(account string) bool {
	a, ok := s.config.Authorizer.InForce(account)
	return account == s.config.SystemAccount || ok && a.System()
}

// refuseDelete is for a request that had no room.
func (s *Service) refuseDelete(ctx context.Context, m resolver.Msg, err error) {
	s.fail(ctx, m.Reply, failure{}, "delete accounts request failed", err)
}

// requests remembers the requests that were heeded, for as long as their time would let them be again (B23).
type requests struct {
	config *Config

	mu   sync.Mutex
	last map[claims.Digest]int64 // guarded by mu; the last second at which a request would be in time
}

// admit says whether a request is in time and the first of its kind, and remembers it. A request that carries an expiry is in
// time until then; any other while it is at most [Config.MaxRequestAge] old. What names it is its digest: all that was
// signed, jti included, in whatever spelling (B20).
func (r *requests) admit(d *claims.Deletion, now int64) error {
	last, err := r.timely(d, now)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, ok := r.last[d.Digest]; ok && was >= now {
		return errReplayed
	}
	if len(r.last) >= r.config.Bounds.Replays {
		r.forget(now)
	}
	if len(r.last) >= r.config.Bounds.Replays {
		return errRemembered
	}
	if r.last == nil {
		r.last = make(map[claims.Digest]int64)
	}
	r.last[d.Digest] = last
	return nil
}

// timely gives the last second at which the request is in time.
func (r *requests) timely(d *claims.Deletion, now int64) (int64, error) {
	switch d.Window.At(time.Unix(now, 0)) {
	case claims.Early:
		return 0, errNotYet
	case claims.Closed:
		return 0, errOver
	}
	age := int64(r.config.MaxRequestAge / time.Second)
	switch {
	case d.IssuedAt > now+int64(r.config.MaxSkew/time.Second):
		return 0, errAhead
	case d.Expires != 0:
		return d.Expires - 1, nil
	case d.IssuedAt == 0:
		return 0, errUndated
	case d.IssuedAt < now-age:
		return 0, errTooOld
	}
	return d.IssuedAt + age, nil
}

// forget drops what would be refused for its time.
func (r *requests) forget(now int64) {
	for digest, last := range r.last {
		if last < now {
			delete(r.last, digest)
		}
	}
}
