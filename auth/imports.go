package auth

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// ImportState is whether an account may use what it imports.
type ImportState uint8

// The states, the worst first. The zero ImportState is none of them.
const (
	ImportDead    ImportState = iota + 1 // the exporter does not give it, it has no name here, or it leads back to itself: time changes nothing
	ImportPending                        // the exporter is not in force here, or the time has not come
	ImportInForce
)

var importStates = [...]string{0: "none", ImportDead: "dead", ImportPending: "pending", ImportInForce: "in force"}

// String gives the state's name.
func (s ImportState) String() string {
	if int(s) >= len(importStates) {
		return "import(" + strconv.Itoa(int(s)) + ")"
	}
	return importStates[s]
}

// MarshalText gives the state's name.
func (s ImportState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ImportStatus is where one import of an account stands.
type ImportStatus struct {
	Exporter string      `json:"exporter"` // its public key
	Kind     claims.Kind `json:"kind"`
	Subject  string      `json:"subject"` // as the exporter knows it
	Here     string      `json:"here"`    // as the account knows it; may have placeholders
	State    ImportState `json:"state"`
	Until    time.Time   `json:"until,omitzero"` // when the activation ends; zero: it has no end, or there is none, or the import is dead
	Why      string      `json:"why,omitempty"`  // not in force
	// Err is the same, for errors.Is: [ErrExporterAbsent], [ErrImportCycle],
	// [ErrImportBound], [ErrImportName], [ErrImportTwice], or one of package claims.
	Err error `json:"-"`
}

// ErrExporterAbsent is why an import waits: its exporter is not in force here. It is
// looked up, and the import comes to life with it.
var ErrExporterAbsent = errors.New("auth: the exporter is not in force here")

// errImportGone ends the routes of an import that the token has no more.
var errImportGone = errors.New("auth: the account does not import this any more")

// Imports gives every import of the account's token, in its order, and where it stands by
// this view: by the rule of [claims.Activate], the accounts that were in force when it was
// made, and whether it leads back to itself. What has changed since is in the next view
// ([Config.OnAccount]); an activation that has run out meanwhile is dead here, too.
// A view that never was in force gives none.
func (a *Account) Imports() iter.Seq[ImportStatus] {
	return func(yield func(ImportStatus) bool) {
		if a.place == nil {
			return
		}
		now := reading{clock: a.place.authorizer.config.Clock}
		for _, l := range a.imports {
			if !yield(l.status(&now)) {
				return
			}
		}
	}
}

// status tells where an import stands.
func (l *permit) status(now *reading) ImportStatus {
	s := ImportStatus{Exporter: l.link.way.exporter, Kind: l.link.kind, Subject: l.link.there, Here: l.link.here, Err: l.err}
	if l.until != 0 {
		s.Until = time.Unix(0, l.until).UTC()
	}
	if s.Err == nil && now.past(l.until) {
		s.Err = claims.ErrActivationExpired // between two views
	}
	switch {
	case s.Err == nil:
		s.State = ImportInForce
		return s
	case errors.Is(s.Err, ErrExporterAbsent), errors.Is(s.Err, claims.ErrActivationEarly):
		s.State = ImportPending
	default:
		s.State, s.Until = ImportDead, time.Time{}
	}
	s.Why = line(s.Err.Error())
	return s
}

// exchange tells a report what a change of an account does to imports: its own, and
// those of other accounts in force.
func (r *Report) exchange(o outcome, clock func() time.Time) {
	var imports []*permit
	var touched []*place
	switch {
	case o.shift != nil:
		imports, touched = o.shift.imports, o.shift.touched
	case o.now != nil:
		imports = o.now.imports
	}
	now := reading{clock: clock}
	var all []ImportStatus
	for _, l := range imports {
		is := l.status(&now)
		switch all = append(all, is); is.State {
		case ImportInForce:
			r.ImportCounts.InForce++
		case ImportPending:
			r.ImportCounts.Pending++
		default:
			r.ImportCounts.Dead++
		}
	}
	slices.SortStableFunc(all, func(x, y ImportStatus) int { return cmp.Compare(x.State, y.State) })
	r.Imports = slices.Clip(all[:min(len(all), MaxReported)])
	r.ImporterCount = len(touched)
	for _, p := range touched[:min(len(touched), MaxReported)] {
		r.Importers = append(r.Importers, p.key)
	}
}

// permits are what each import may use; none for no account.
func (a *Account) permits() []*permit {
	if a == nil {
		return nil
	}
	return a.imports
}

// setImports notes what each import may use. The view is not in force yet.
func (a *Account) setImports(imports []*permit) {
	a.imports = imports
	a.lacks = slices.ContainsFunc(imports, func(l *permit) bool { return errors.Is(l.err, ErrExporterAbsent) })
}

// refreshImporters gives the other accounts whose imports stand otherwise their new views.
func (a *Authorizer) refreshImporters(s *shift) {
	for _, p := range s.touched {
		p.refreshImports()
	}
	for _, p := range s.retimed {
		a.attendLater(p)
	}
}

// refreshImports makes a new view of the account, if its imports stand otherwise now than
// by the one in force.
func (p *place) refreshImports() {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.current.Load()
	if held == nil {
		return
	}
	if next := p.authorizer.directory.graph.refreshed(held); next != nil {
		p.current.Store(next)
		p.news(nil)
	}
}
