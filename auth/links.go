package auth

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// Why an import can never be in force, whatever its exporter gives; test with errors.Is.
var (
	// ErrImportName: the exporter's subjects have no name here, for the placeholders of the
	// local subject do not fit, or the prefix is none.
	ErrImportName = errors.New("auth: the import has no name here")
	// ErrImportTwice: the account imports the same stream a second time; the first counts.
	ErrImportTwice = errors.New("auth: the account imports this already")
)

// names are the imports of one token, ready for the way between the two accounts. They do
// not change; nil are none.
type names struct {
	imports  []claims.Import
	list     []*subject.Renaming // of the imports, in their order; nil: there is a fault
	faults   []error
	services *subject.Ranking // of the distinct names of services here
	serving  [][]int32        // the imports that have them, as they stand in the token
	here     [claims.Service + 1]crossing
}

// crossing finds the imports of one kind whose names here overlap a subject. It is made
// when it is asked first.
type crossing struct {
	once sync.Once
	at   []int32 // the imports
	of   *subject.Crossing
}

// newNames compiles the imports of a token. A faulty one is in nobody's way.
func newNames(list []claims.Import) *names {
	if len(list) == 0 {
		return nil
	}
	n := &names{imports: list, list: make([]*subject.Renaming, len(list)), faults: make([]error, len(list))}
	streams, accounts := make(map[[2]string]bool), make(map[string]bool)
	for i := range list {
		m := &list[i]
		valid, met := accounts[m.Account]
		if !met {
			valid = claims.IsAccountKey(m.Account)
			accounts[m.Account] = valid
		}
		n.list[i], n.faults[i] = newName(m, valid)
		if m.Kind != claims.Stream || n.faults[i] != nil {
			continue
		}
		if key := [2]string{m.Account, m.Subject}; streams[key] {
			n.list[i], n.faults[i] = nil, ErrImportTwice // nats-server v2.15 server/accounts.go isStreamImportDuplicate
		} else {
			streams[key] = true
		}
	}
	n.rank()
	return n
}

// newName compiles one import, from what is an account or is not.
func newName(m *claims.Import, account bool) (*subject.Renaming, error) {
	switch {
	case !account:
		return nil, fmt.Errorf("%w: %q is no account", claims.ErrExporter, m.Account)
	case m.Kind == claims.Stream && m.LocalSubject == "" && m.To != "" && !subject.Literal(m.To):
		return nil, fmt.Errorf("%w: the prefix %q is not literal", ErrImportName, m.To)
	}
	r, err := subject.NewRenaming(m.ExportedSubject(), m.Here())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrImportName, err)
	}
	return r, nil
}

// rank finds the services by their names here: those of one name, of several exporters,
// are asked all, and a more specific name keeps its subjects from the others (B10),
// whatever becomes of its import.
func (n *names) rank() {
	at := make(map[string]int)
	var distinct []string
	for i, r := range n.list {
		if r == nil || n.imports[i].Kind != claims.Service {
			continue
		}
		j, ok := at[r.To()]
		if !ok {
			j = len(distinct)
			at[r.To()] = j
			distinct, n.serving = append(distinct, r.To()), append(n.serving, nil)
		}
		n.serving[j] = append(n.serving[j], int32(i))
	}
	n.services, _ = subject.NewRanking(distinct) // all of them are valid
}

// overlapping appends the imports of a kind whose names here overlap a subject. It looks at
// so many places for them at most, and gives how many are left; below 0: there were more.
func (n *names) overlapping(dst []int32, kind claims.Kind, s string, steps int) ([]int32, int) {
	if n == nil {
		return dst, steps
	}
	x := &n.here[kind]
	x.once.Do(func() {
		var list []string
		for i, r := range n.list {
			if r != nil && n.imports[i].Kind == kind {
				x.at, list = append(x.at, int32(i)), append(list, r.To())
			}
		}
		x.of = subject.NewCrossing(list)
	})
	from := len(dst)
	dst, steps = x.of.FindWithin(dst, s, steps)
	for i := from; i < len(dst); i++ {
		dst[i] = x.at[dst[i]]
	}
	slices.Sort(dst[from:])
	return dst, steps
}

// way is what makes one import of an account another one: what else the token says of it
// may change, and it stays the same.
type way struct {
	kind                  claims.Kind
	exporter, there, here string
}

func wayOf(m *claims.Import) way {
	return way{m.Kind, m.Account, m.ExportedSubject(), m.Here()}
}

// link is an import of an account in force, and stays as long as the account's tokens have
// it.
type link struct {
	way
	importer *place
	exporter *place            // nil: what the import names is no account
	renaming *subject.Renaming // nil: there is a fault
	fault    error

	// Guarded by graph.mu, as what follows.
	claim   *claims.Import
	terms   terms     // of the exporter's view alone
	decided exportKey // the export by which it was judged: where the exporter keeps the link
	cycle   error     // why it is dead whatever the exporter gives; nil: it is on no cycle
	ring    *ring     // the cycles that it is on
	permit  *permit   // the last one
}

// terms are what a view of the exporter gives an import.
type terms struct {
	err     error
	until   int64    // when they end, in ns since 1970; 0: never
	wake    int64    // when an activation that is too early has to be judged again; 0: never
	service *Service // of the export; nil for a stream
}

// alive says whether the exporter gives it.
func (t *terms) alive() bool { return t.err == nil }

// same says whether two terms mean the same for the importer.
func (t *terms) same(o *terms) bool {
	switch {
	case t.alive() != o.alive(), t.until != o.until, t.wake != o.wake:
		return false
	case !t.alive():
		return t.err.Error() == o.err.Error()
	default:
		return reflect.DeepEqual(t.service, o.service)
	}
}

// permit is what an import may use, from one view of its exporter on. A view of the
// importer holds one for every import. It does not change, but for what comes after it:
// that is prepared before the exporter's next view is in force, and counts from the
// moment in which it is (B6).
type permit struct {
	link *link
	terms
	from  uint64 // the serial of the exporter's view; 0: it counted at once
	share bool
	trace bool
	next  atomic.Pointer[permit]
}

// same says whether two permits mean the same for the importer.
func (l *permit) same(o *permit) bool {
	return l.share == o.share && l.trace == o.trace && l.terms.same(&o.terms)
}

// under gives the permit that counts under a view of the exporter.
func (l *permit) under(exporter *Account) *permit {
	for n := l.next.Load(); n != nil && n.from <= exporter.serial; n = n.next.Load() {
		l = n
	}
	return l
}

// open gives the permit and the exporter's view by which an import may be used now; nil:
// it may not. It takes no lock: what an update prepares counts with its view.
func (l *permit) open(now *reading) (*permit, *Account) {
	if l.link.exporter == nil {
		return nil, nil
	}
	exporter := l.link.exporter.current.Load()
	if exporter == nil {
		return nil, nil
	}
	is := l.under(exporter)
	if is.err != nil || now.past(is.until) || now.past(exporter.end.at) {
		return nil, nil
	}
	return is, exporter
}

// reading is one reading of the clock, made when it is first needed.
type reading struct {
	clock func() time.Time
	at    int64
}

func (r *reading) ns() int64 {
	if r.at == 0 {
		r.at = r.clock().UnixNano()
	}
	return r.at
}

// past says whether an end, 0 for none, has come.
func (r *reading) past(end int64) bool { return end != 0 && r.ns() >= end }
