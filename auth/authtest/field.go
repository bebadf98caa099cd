package authtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
)

// part is what a key is about.
type part uint8

const (
	about part = iota
	broker
	client
	outcome
)

func (p part) comment() string {
	return [...]string{"", "# The broker.\n", "# The client.\n", "# The outcome.\n"}[p]
}

// field is one key of a file and its place in a Vector.
type field struct {
	key  string
	part part
	many bool // the key may repeat
	value
}

// value reads and writes one field.
type value struct {
	add   func(text string) error
	lines func() []string
}

// fields are the keys of a file in the order in which they are written. This is
// the format.
func (v *Vector) fields() []field {
	c := &v.Client
	return []field{
		{"title", about, false, text(&v.Title)},
		{"rule", about, true, texts(&v.Rules)},
		{"twin", about, false, text(&v.Twin)},
		{"differs", about, false, text(&v.Differs)},

		{"now", broker, false, instant(&v.Now)},
		{"operator", broker, true, texts(&v.Trust.Operators)},
		{"trusted_key", broker, true, texts(&v.Trust.Keys)},
		{"system_account", broker, false, text(&v.Trust.SystemAccount)},
		{"pinned_account", broker, true, texts(&v.Trust.PinnedAccounts)},
		{"sentinel", broker, false, text(&v.Trust.Sentinel)},
		{"proxy", broker, true, texts(&v.Trust.Proxies)},
		{"server_version", broker, false, text(&v.ServerVersion)},
		{"location", broker, false, text(&v.Location)},
		{"allow_dotted", broker, false, yes(&v.AllowDotted)},
		{"operator_expiry_closes", broker, false, yes(&v.OperatorExpiryCloses)},
		{"token_bytes", broker, false, number(&v.TokenBytes)},
		{"lookups", broker, false, number(&v.Lookups)},
		{"expansions", broker, false, number(&v.Expansions)},
		{"imports", broker, false, number(&v.Imports)},
		{"exports", broker, false, number(&v.Exports)},
		{"account", broker, true, answers(&v.Accounts)},
		{"account_unavailable", broker, true, texts(&v.Unavailable)},
		{"account_pending", broker, true, texts(&v.Pending)},
		{"mirror", broker, false, yes(&v.Mirror)},
		{"stored", broker, true, texts(&v.Stored)},

		{"connected", client, true, connected(&v.Connected)},
		{"jwt", client, false, text(&c.JWT)},
		{"password", client, false, text(&c.Password)},
		{"nonce", client, false, text(&c.Nonce)},
		{"signature", client, false, text(&c.Signature)},
		{"proxy_signature", client, false, text(&c.ProxySignature)},
		{"connection_type", client, false, connectionType(&c.ConnectionType)},
		{"source", client, false, address(&c.Source)},
		{"internal", client, false, yes(&c.Internal)},
		{"client_id", client, false, text(&c.Client.ID)},
		{"client_name", client, false, text(&c.Client.Name)},
		{"client_lang", client, false, text(&c.Client.Lang)},
		{"client_version", client, false, text(&c.Client.Version)},
		{"then", client, false, action(&v.Then)},

		{"want", outcome, false, verdict(&v.Reason)},
		{"reason", outcome, false, reason(&v.Reason)},
		{"step", outcome, false, text(&v.Step)},
		{"wire", outcome, false, text(&v.Wire)},
		{"asked", outcome, false, oneOf(&v.Asked, "yes", "no")},
		{"user", outcome, false, text(&v.User)},
		{"in_account", outcome, false, text(&v.InAccount)},
		{"permissions_from", outcome, false, oneOf(&v.PermissionsFrom, "token", "scope", "account defaults")},
		{"subscriptions", outcome, false, optional(&v.Subscriptions)},
		{"payload", outcome, false, optional(&v.Payload)},
		{"expires", outcome, false, instant(&v.Expires)},
		{"delivered", outcome, true, texts(&v.Delivered)},
		{"may_publish", outcome, true, texts(&v.Allowed.Publish)},
		{"may_not_publish", outcome, true, texts(&v.Refused.Publish)},
		{"may_subscribe", outcome, true, texts(&v.Allowed.Subscribe)},
		{"may_not_subscribe", outcome, true, texts(&v.Refused.Subscribe)},
		{"may_receive", outcome, true, texts(&v.Allowed.Receive)},
		{"may_not_receive", outcome, true, texts(&v.Refused.Receive)},
		{"ended", outcome, false, reason(&v.Ended)},
		{"ended_wire", outcome, false, text(&v.EndedWire)},
	}
}

// only gives the one line of a value that is set.
func only(set bool, line string) []string {
	if !set {
		return nil
	}
	return []string{line}
}

func text(p *string) value {
	return value{
		func(s string) error { *p = s; return nil },
		func() []string { return only(*p != "", *p) },
	}
}

func texts(p *[]string) value {
	return value{
		func(s string) error { *p = append(*p, s); return nil },
		func() []string { return *p },
	}
}

// parsed makes a value of a function that reads and one that writes; the zero T
// is not there.
func parsed[T comparable](p *T, read func(string) (T, error), write func(T) string) value {
	var zero T
	return value{
		func(s string) error {
			got, err := read(s)
			if err == nil && write(got) != s {
				err = fmt.Errorf("%q is spelled otherwise: %q", s, write(got))
			}
			*p = got
			return err
		},
		func() []string { return only(*p != zero, write(*p)) },
	}
}

func instant(p *time.Time) value {
	return parsed(p,
		func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) },
		func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) })
}

// yes is a switch: there and on, or not there.
func yes(p *bool) value {
	return parsed(p, func(s string) (bool, error) { return s == "yes", nil }, func(bool) string { return "yes" })
}

func number(p *int) value { return parsed(p, strconv.Atoi, strconv.Itoa) }

func optional(p **int64) value {
	return value{
		func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			*p = &n
			return err
		},
		func() []string {
			if *p == nil {
				return nil
			}
			return []string{strconv.FormatInt(**p, 10)}
		},
	}
}

func readType(s string) (auth.ConnectionType, error) {
	if t := auth.ParseConnectionType(s); t != auth.Unknown {
		return t, nil
	}
	return auth.Unknown, fmt.Errorf("%q is no connection type", s)
}

func connectionType(p *auth.ConnectionType) value {
	return parsed(p, readType, auth.ConnectionType.String)
}

func address(p *netip.Addr) value { return parsed(p, netip.ParseAddr, netip.Addr.String) }

// readReason knows a reason by its name.
func readReason(s string) (auth.Reason, error) {
	for _, r := range auth.Reasons() {
		if r.String() == s {
			return r, nil
		}
	}
	return auth.ReasonNone, fmt.Errorf("%q is no reason", s)
}

func reason(p *auth.Reason) value { return parsed(p, readReason, auth.Reason.String) }

func oneOf(p *string, words ...string) value {
	v := text(p)
	v.add = func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q is none of %q", s, words)
		}
		*p = s
		return nil
	}
	return v
}

// verdict is written before the reason, which says the same and more.
func verdict(p *auth.Reason) value {
	word := "ok"
	v := oneOf(&word, "ok", "refused")
	v.lines = func() []string {
		if *p == auth.ReasonNone {
			return []string{"ok"}
		}
		return []string{"refused"}
	}
	return v
}

// listed makes a value of a list whose entries are two words.
func listed[T any](p *[]T, read func(first, second string) (T, error), write func(T) string) value {
	return value{
		func(s string) error {
			first, second, ok := strings.Cut(s, " ")
			if !ok {
				return errors.New("two words are needed")
			}
			got, err := read(first, second)
			*p = append(*p, got)
			return err
		},
		func() []string {
			var out []string
			for _, x := range *p {
				out = append(out, write(x))
			}
			return out
		},
	}
}

func answers(p *[]Answer) value {
	return listed(p,
		func(key, token string) (Answer, error) { return Answer{key, token}, nil },
		func(a Answer) string { return a.Key + " " + a.Token })
}

func connected(p *[]Connected) value {
	return listed(p,
		func(name, count string) (Connected, error) {
			t, err := readType(name)
			if err != nil {
				return Connected{}, err
			}
			n, err := strconv.Atoi(count)
			return Connected{t, n}, err
		},
		func(c Connected) string { return c.Type.String() + " " + strconv.Itoa(c.N) })
}

func action(p *Action) value {
	return parsed(p, readAction, func(a Action) string {
		if a.Do == ActionSweep {
			return a.Do + " " + a.At.UTC().Format(time.RFC3339)
		}
		return a.Do
	})
}

func readAction(s string) (Action, error) {
	if s == ActionClose || s == ActionCloseAll {
		return Action{Do: s}, nil
	}
	do, when, _ := strings.Cut(s, " ")
	if do != ActionSweep {
		return Action{}, fmt.Errorf("%q is no action", s)
	}
	at, err := time.Parse(time.RFC3339, when)
	return Action{Do: do, At: at}, err
}
