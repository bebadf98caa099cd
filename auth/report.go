package auth

import "strconv"

// State is where an account stands after a change.
type State uint8

// The states. The zero State is none of them: nothing was asked.
const (
	InForce State = iota + 1 // sessions go by it
	Saved                    // it is in the store, and no session here needs it
	Absent                   // it is not in force here, and not in the store
)

var states = [...]string{0: "none", InForce: "in force", Saved: "saved", Absent: "absent"}

// String gives the state's name.
func (s State) String() string {
	if int(s) >= len(states) {
		return "state(" + strconv.Itoa(int(s)) + ")"
	}
	return states[s]
}

// MarshalText gives the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Report is what a change has done, or, of a preview, would do: what is in force
// afterwards, and what became of the sessions (B5). Old and New are the same where
// nothing changed. Closed and Changed list the first [MaxReported] sessions each, the
// counts say how many there were; so it is with Imports, the dead and the pending ones
// first, and with Importers. Both are of Apply and Remove.
type Report struct {
	Account      string         `json:"account,omitempty"` // of a change of trust: empty
	State        State          `json:"state"`
	Old          Revision       `json:"old"`               // in force before; zero: none was
	New          Revision       `json:"new"`               // in force afterwards, or saved; zero: none
	Imports      []ImportStatus `json:"imports,omitempty"` // of the account
	ImportCounts ImportCounts   `json:"import_counts,omitzero"`
	// Importers are the other accounts in force here whose imports stand otherwise now, by
	// public key: those that import from this one, and whoever was on a cycle with it.
	Importers     []string        `json:"importers,omitempty"`
	ImporterCount int             `json:"importer_count,omitempty"`
	Closed        []SessionChange `json:"closed,omitempty"`
	Changed       []SessionChange `json:"changed,omitempty"`
	ClosedCount   int             `json:"closed_count"`
	ChangedCount  int             `json:"changed_count"`
}

// ImportCounts are how many imports of an account stand where.
type ImportCounts struct {
	InForce int `json:"in_force"`
	Pending int `json:"pending"`
	Dead    int `json:"dead"`
}

// MaxReported is how many sessions a Report lists of each kind.
const MaxReported = 100

// SessionChange is what became of one session.
type SessionChange struct {
	User   string `json:"user"` // the user's public key
	Name   string `json:"name,omitempty"`
	Client string `json:"client,omitempty"` // ClientInfo.ID
	Err    *Error `json:"error,omitempty"`  // why it was closed
	Rights bool   `json:"rights,omitempty"` // its permissions are others now
	Limits bool   `json:"limits,omitempty"` // its limits are
}

// newReport makes the report of an account whose view was old and is now.
func newReport(key string, old, now *Account, changes []change) Report {
	r := Report{Account: key, State: Absent}
	if old != nil {
		r.Old = old.Revision()
	}
	if now != nil {
		r.State, r.New = InForce, now.Revision()
	}
	r.add(changes)
	return r
}

// add counts changes, and lists them as long as there is room. A session that goes on
// with another decision of the same content has not changed.
func (r *Report) add(changes []change) {
	for _, c := range changes {
		switch {
		case c.err != nil:
			r.ClosedCount++
			r.Closed = listed(r.Closed, c)
		case c.rights || c.limits:
			r.ChangedCount++
			r.Changed = listed(r.Changed, c)
		}
	}
}

func listed(list []SessionChange, c change) []SessionChange {
	if len(list) == MaxReported {
		return list
	}
	u := &c.session.standing.Load().user.claims
	return append(list, SessionChange{User: u.Key, Name: line(u.Name), Client: line(c.session.Client().ID), Err: c.err, Rights: c.rights, Limits: c.limits})
}
