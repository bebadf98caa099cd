package auth

import (
	"cmp"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// ImportState is whether an account may use what it imports.
type ImportState uint8

// The states, the worst first. The zero ImportState is none of them.
const (
	ImportDead    ImportState = iota + 1 // the exporter does not give it, whatever comes of time
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
	Subject  string      `json:"subject"` // as the import names it
	State    ImportState `json:"state"`
	Until    time.Time   `json:"until,omitzero"` // when the activation ends; zero: it has no end, or there is none
	Why      string      `json:"why,omitempty"`  // not in force
	Err      error       `json:"-"`              // the same, for errors.Is: [ErrExporterAbsent], or one of package claims
}

// ErrExporterAbsent is why an import waits: its exporter is not in force here, and is
// not looked up for it.
var ErrExporterAbsent = errors.New("auth: the exporter is not in force here")

// Imports gives every import of the account, in the order of its token, and where it
// stands now, by the accounts that are in force: the activation rule is that of
// [claims.Activate]. Cycles are not looked for. A view that is not in force gives
// none.
func (a *Account) Imports() iter.Seq[ImportStatus] {
	return func(yield func(ImportStatus) bool) {
		if a.place == nil {
			return
		}
		auth := a.place.authorizer
		now := auth.config.Clock()
		for i := range a.claims.Imports {
			m := &a.claims.Imports[i]
			if !yield(judgeImport(m, a.Key(), auth.directory.inForce(m.Account), now)) {
				return
			}
		}
	}
}

// judgeImport says where an import stands with one view of its exporter; nil: none.
func judgeImport(i *claims.Import, importer string, exporter *Account, now time.Time) ImportStatus {
	s := ImportStatus{Exporter: i.Account, Kind: i.Kind, Subject: i.Subject, State: ImportInForce}
	switch {
	case exporter == nil:
		s.Err = ErrExporterAbsent
	default:
		s.Until, s.Err = activate(i, importer, exporter, now)
	}
	switch {
	case s.Err == nil:
		return s
	case errors.Is(s.Err, ErrExporterAbsent), errors.Is(s.Err, claims.ErrActivationEarly):
		s.State = ImportPending
	default:
		s.State = ImportDead
	}
	s.Why = line(s.Err.Error())
	return s
}

// activate is the activation rule for an exporter that may be believed now.
func activate(i *claims.Import, importer string, exporter *Account, now time.Time) (time.Time, error) {
	if !exporter.usable(now) {
		return time.Time{}, ErrExporterAbsent
	}
	exporter.ranking.Do(func() { exporter.offers = claims.NewOffers(exporter.claims) })
	return exporter.offers.Activate(i, importer, exporter.strict, now)
}

// exchange tells a report what a change of an account does to imports: its own, and
// those of the accounts in force that import from it.
func (a *Authorizer) exchange(r *Report, old, now *Account) {
	at := a.config.Clock()
	if now != nil {
		r.imports(a, now, at)
	}
	for _, importer := range a.directory.importers.of(r.Account) {
		view := a.directory.inForce(importer)
		if view == nil || importer == r.Account || !touched(view, r.Account, old, now, at) {
			continue
		}
		if r.ImporterCount++; r.ImporterCount <= MaxReported {
			r.Importers = append(r.Importers, importer)
		}
	}
}

// imports lists those of the account, the worst first, as long as there is room.
func (r *Report) imports(a *Authorizer, view *Account, at time.Time) {
	var all []ImportStatus
	for i := range view.claims.Imports {
		m := &view.claims.Imports[i]
		exporter := a.directory.inForce(m.Account)
		if m.Account == view.Key() {
			exporter = view // which a preview has not put in force
		}
		s := judgeImport(m, view.Key(), exporter, at)
		switch all = append(all, s); s.State {
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
}

// touched says whether an import from an exporter stands otherwise with its next view
// than with the old one.
func touched(importer *Account, exporter string, old, next *Account, at time.Time) bool {
	for i := range importer.claims.Imports {
		m := &importer.claims.Imports[i]
		if m.Account != exporter {
			continue
		}
		was, is := judgeImport(m, importer.Key(), old, at), judgeImport(m, importer.Key(), next, at)
		if was.State != is.State || !was.Until.Equal(is.Until) {
			return true
		}
	}
	return false
}

// importers know which accounts in force import from which, so that a change of one
// account looks at those only. The zero importers are none.
type importers struct {
	mu  sync.Mutex
	all map[string]map[string]struct{} // guarded by mu; exporter -> importers
}

// move takes the imports of one view for those of another; nil: of none.
func (x *importers) move(old, next *Account) {
	if old != nil && next != nil && old.claims == next.claims {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if old != nil {
		for _, m := range old.claims.Imports {
			delete(x.all[m.Account], old.Key())
			if len(x.all[m.Account]) == 0 {
				delete(x.all, m.Account)
			}
		}
	}
	if next != nil {
		for _, m := range next.claims.Imports {
			if x.all == nil {
				x.all = make(map[string]map[string]struct{})
			}
			if x.all[m.Account] == nil {
				x.all[m.Account] = make(map[string]struct{})
			}
			x.all[m.Account][next.Key()] = struct{}{}
		}
	}
}

// of gives those that import from an account, sorted.
func (x *importers) of(exporter string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Sorted(maps.Keys(x.all[exporter]))
}
