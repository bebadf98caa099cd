package authtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
)

// Vector is one CONNECT and what must come of it. It is plain data: copy it to
// change it, and do not share what it points to. The zero Vector says nothing.
// The keys in the comments are those of the files; README.md beside them says
// what each means.
type Vector struct {
	File    string   // its name, without folder
	Title   string   // title: a sentence
	Rules   []string // rule: what it holds, of doc/rules.md
	Twin    string   // twin: the file with the other outcome that differs in one setting
	Differs string   // differs: the key of that setting

	// The broker.
	Now                                       time.Time  // now
	Trust                                     auth.Trust // operator, trusted_key, system_account, pinned_account, sentinel, proxy
	ServerVersion                             string     // server_version
	Location                                  string     // location: of hours without a locale; empty: UTC
	Mirror, AllowDotted, OperatorExpiryCloses bool       // mirror, allow_dotted, operator_expiry_closes
	TokenBytes, Lookups, Expansions           int        // token_bytes, lookups, expansions; 0: the default
	Imports, Exports                          int        // imports, exports; 0: the default
	Accounts                                  []Answer   // account: what the resolver knows; it knows no other
	Unavailable                               []string   // account_unavailable: keys that it cannot answer for
	Pending                                   []string   // account_pending: keys of which a look-up is under way, and does not end
	Stored                                    []string   // stored: account tokens in the store; none: there is no store

	// The client.
	Connected []Connected      // connected: connections of the same client that are open already
	Client    auth.Credentials // jwt, password, nonce, signature, proxy_signature, connection_type, source, internal, client_*
	Then      Action           // then: what happens after the client was admitted

	// The outcome.
	Reason          auth.Reason // want and reason; ReasonNone: admitted
	Step            string      // step that refuses
	Wire            string      // wire: what the refused client is told
	Asked           string      // asked: "yes" or "no", whether resolver or store is asked; empty: not judged
	User, InAccount string      // user, in_account: the keys by which the session lives
	PermissionsFrom string      // permissions_from
	Subscriptions   *int64      // subscriptions
	Payload         *int64      // payload
	Expires         time.Time   // expires; zero: not judged
	Delivered       []string    // delivered: reply subjects of messages that are delivered before the questions
	Allowed         Questions   // may_publish, may_subscribe, may_receive
	Refused         Questions   // may_not_publish, may_not_subscribe, may_not_receive
	Ended           auth.Reason // ended: by the action; ReasonNone: the session lives on
	EndedWire       string      // ended_wire: what the client is told then
}

// Answer is what a resolver says of an account.
type Answer struct{ Key, Token string }

// Connected is a number of connections of one type.
type Connected struct {
	Type auth.ConnectionType
	N    int
}

// Action is what happens to a session, or to all. The zero Action is nothing.
type Action struct {
	Do string    // ActionSweep, ActionClose or ActionCloseAll
	At time.Time // of a sweep
}

// What an [Action] can do.
const (
	ActionSweep    = "sweep"            // the time is At, and the authorizer ends what is over
	ActionClose    = "close"            // the broker closes the session
	ActionCloseAll = "close_authorizer" // the broker closes the authorizer
)

// Questions are subjects, and a queue group behind a space, that a session is
// asked about in turn.
type Questions struct{ Publish, Subscribe, Receive []string }

// ReadVector reads one file. An unknown key, a key that is there twice and may
// not be, and a value that cannot be read are errors, which name the line.
func ReadVector(file string, r io.Reader) (*Vector, error) {
	v := &Vector{File: file}
	fields := v.fields()
	seen := make(map[string]string)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20) // tokens may have a megabyte
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := readLine(fields, seen, line); err != nil {
			return nil, fmt.Errorf("authtest: %s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("authtest: %s: %w", file, err)
	}
	if err := v.check(seen); err != nil {
		return nil, fmt.Errorf("authtest: %s: %w", file, err)
	}
	return v, nil
}

func readLine(fields []field, seen map[string]string, line string) error {
	key, text, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("no key")
	}
	i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
	if i < 0 {
		return fmt.Errorf("unknown key %q", key)
	}
	if seen[key] != "" && !fields[i].many {
		return fmt.Errorf("key %q is there twice", key)
	}
	if text = strings.TrimSpace(text); text == "" {
		return fmt.Errorf("key %q has no value", key)
	}
	seen[key] = text
	if err := fields[i].add(text); err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	return nil
}

// check wants what every vector says, and nothing that contradicts its outcome.
func (v *Vector) check(seen map[string]string) error {
	for _, key := range []string{"title", "rule", "now", "want"} {
		if seen[key] == "" {
			return fmt.Errorf("key %q is missing", key)
		}
	}
	refused, ended := seen["want"] == "refused", seen["ended"] != ""
	for _, c := range []struct {
		keys  []string
		there bool
		text  string
	}{
		{[]string{"reason", "step", "wire"}, refused, "reason, step and wire come with want: refused, and only then"},
		{[]string{"ended_wire"}, ended, "ended_wire comes with ended, and only then"},
		{[]string{"twin", "differs"}, refused || ended, "who is refused or ended has a twin and says what differs, and nobody else"},
	} {
		for _, key := range c.keys {
			if (seen[key] != "") != c.there {
				return errors.New(c.text)
			}
		}
	}
	if ended && (refused || v.Then.Do == "") {
		return errors.New("ended comes after want: ok and then")
	}
	return nil
}

// LoadVectors reads every *.txt file of a folder, in the order of their names. No
// such file is an error: vectors that are not there prove nothing.
func LoadVectors(folder fs.FS) ([]*Vector, error) {
	names, err := fs.Glob(folder, "*.txt")
	if err != nil || len(names) == 0 {
		return nil, errors.Join(errors.New("authtest: no vectors"), err)
	}
	var out []*Vector
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("authtest: %w", err)
		}
		v, err := ReadVector(path.Base(name), bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// MarshalText writes the vector as a file. Reading that gives an equal vector. It
// refuses what a line cannot hold: line breaks, and white space at the ends.
func (v *Vector) MarshalText() ([]byte, error) {
	var b bytes.Buffer
	part := about
	for _, f := range v.fields() {
		for _, line := range f.lines() {
			if f.part != part {
				part = f.part
				b.WriteString("\n" + part.comment())
			}
			if line == "" || strings.TrimSpace(line) != line || strings.ContainsAny(line, "\r\n") {
				return nil, fmt.Errorf("authtest: %s: a line cannot hold the value of %q", v.File, f.key)
			}
			b.WriteString(f.key + ": " + line + "\n")
		}
	}
	return b.Bytes(), nil
}

// Diff gives the keys of the settings, broker and client, in which two vectors
// differ; what comes of it is no setting.
func (v *Vector) Diff(other *Vector) []string {
	var out []string
	theirs := other.fields()
	for i, f := range v.fields() {
		if (f.part == broker || f.part == client) && !slices.Equal(f.lines(), theirs[i].lines()) {
			out = append(out, f.key)
		}
	}
	return out
}

// Values gives the value or values of a key as the file has them.
func (v *Vector) Values(key string) []string {
	for _, f := range v.fields() {
		if f.key == key {
			return f.lines()
		}
	}
	return nil
}

// VectorKeys gives every key that a file may have, in the order in which they are
// written.
func VectorKeys() []string {
	var out []string
	for _, f := range (&Vector{}).fields() {
		out = append(out, f.key)
	}
	return out
}

// Config is the configuration of the broker: its clock stands at Now, its
// resolver knows Accounts, its store, if it has one, holds Stored. The error is of
// a location or a stored token that cannot be read.
func (v *Vector) Config() (auth.Config, error) {
	zone, err := time.LoadLocation(v.Location)
	if err != nil {
		return auth.Config{}, fmt.Errorf("authtest: %s: %w", v.File, err)
	}
	c := auth.Config{
		Trust: v.Trust, Resolver: resolver.Func(v.resolve), Mirror: v.Mirror,
		ServerVersion: v.ServerVersion, Location: zone, Clock: func() time.Time { return v.Now },
		Bounds: auth.Bounds{
			TokenBytes: v.TokenBytes, Lookups: v.Lookups, Expansions: v.Expansions, Imports: v.Imports, Exports: v.Exports,
		},
		AllowDottedTemplateValues: v.AllowDotted, OperatorExpiryCloses: v.OperatorExpiryCloses,
	}
	if len(v.Stored) == 0 {
		return c, nil
	}
	store, err := resolver.NewMemory(v.Stored...)
	if err != nil {
		return auth.Config{}, fmt.Errorf("authtest: %s: %w", v.File, err)
	}
	c.Store = store
	return c, nil
}

func (v *Vector) resolve(ctx context.Context, key string) (string, error) {
	if slices.Contains(v.Pending, key) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	if slices.Contains(v.Unavailable, key) {
		return "", resolver.ErrUnavailable
	}
	for _, a := range v.Accounts {
		if a.Key == key {
			return a.Token, nil
		}
	}
	return "", resolver.ErrNotFound
}
