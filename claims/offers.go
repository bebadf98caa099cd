package claims

import (
	"time"

	"github.com/natsauth/natsauth/internal/subject"
)

// Offers are the exports of one account, ready to be asked about imports: which of
// them decides is found without looking at each. They do not change, and may be used by
// several goroutines. The zero Offers and nil refuse every import.
type Offers struct {
	exporter *Account
	kinds    [Service + 1]offered
}

// offered are the exports of one kind.
type offered struct {
	subjects *subject.Ranking
	at       []int // their places among the account's exports
}

// NewOffers makes the offers of an account, which must not change afterwards; nil
// offers nothing.
func NewOffers(exporter *Account) *Offers {
	o := &Offers{exporter: exporter}
	if exporter == nil {
		return o
	}
	var subjects [len(o.kinds)][]string
	for n := range exporter.Exports {
		e := &exporter.Exports[n]
		if (e.Kind == Stream || e.Kind == Service) && subject.Valid(e.Subject) {
			subjects[e.Kind] = append(subjects[e.Kind], e.Subject)
			o.kinds[e.Kind].at = append(o.kinds[e.Kind].at, n)
		}
	}
	for kind, list := range subjects {
		o.kinds[kind].subjects, _ = subject.NewRanking(list) // all of them are valid
	}
	return o
}

// Find gives the export that decides about an import, whether it lets the importer in or
// not: of the import's kind, covering its [Import.ExportedSubject], and the most specific
// of those (B10); of equal ones the first. Nil: there is none.
func (o *Offers) Find(i *Import) *Export {
	s := i.ExportedSubject()
	if o == nil || o.exporter == nil || i.Kind > Service || !subject.Valid(s) {
		return nil
	}
	n, ok := o.kinds[i.Kind].subjects.Find(s)
	if !ok {
		return nil
	}
	return &o.exporter.Exports[o.kinds[i.Kind].at[n]]
}

// Activate is [Activate] for the account whose offers these are.
func (o *Offers) Activate(i *Import, importer string, strict bool, now time.Time) (time.Time, error) {
	switch {
	case i == nil || o == nil || o.exporter == nil:
		return time.Time{}, barred(ErrExporter, "an import and its exporter are needed")
	case o.exporter.Key == "" || i.Account != o.exporter.Key:
		return time.Time{}, barred(ErrExporter, "%q, not %q", i.Account, o.exporter.Key)
	}
	e := o.Find(i)
	switch {
	case e == nil:
		return time.Time{}, barred(ErrNotExported, "%s %q", i.Kind, i.ExportedSubject())
	case e.AccountTokenPosition != 0:
		return time.Time{}, e.atPosition(i.ExportedSubject(), importer)
	case e.TokenRequired:
		return i.activated(importer, o.exporter, e, strict, now)
	default:
		return time.Time{}, nil
	}
}
