package auth

import (
	"time"

	"github.com/natsauth/natsauth/internal/subject"
)

// This file finds which imports of other accounts a new view of an exporter may let stand
// otherwise: it is to imports what compare in reevaluate.go is to sessions. Whatever
// claims.Activate reads of the exporter has to be compared here, or imports that are in
// force do not hear of it.

// concerned gives the links to a place that its next view may let stand otherwise: those
// that an export decides, or does not decide any more, which has changed.
func (n *node) concerned(old, next *Account, now time.Time) []*link {
	var out []*link
	switch {
	case len(n.in) == 0:
		return nil
	case old == nil || next == nil || n.lapsed != next.ended(now.UnixNano()):
		for _, importers := range n.in {
			out = appendLinks(out, importers)
		}
		return out
	case old.exports == next.exports && old.strict == next.strict:
		return nil
	}
	d := &exportsDiff{old: old, next: next, was: old.exports.open(), is: next.exports.open()}
	d.compareSigners()
	for key, importers := range n.in {
		out = d.concerned(out, key, importers)
	}
	return d.takenOver(out, n)
}

func appendLinks(out []*link, importers map[string][]*link) []*link {
	for _, links := range importers {
		out = append(out, links...)
	}
	return out
}

// exportsDiff is what distinguishes two views of an exporter for those who import.
type exportsDiff struct {
	old, next *Account
	was, is   *exports
	signers   map[string]struct{} // that sign activations in one view only
}

// compareSigners finds the keys of which activations count otherwise.
func (d *exportsDiff) compareSigners() {
	d.signers = make(map[string]struct{})
	o, n := d.old.claims.SigningKeys, d.next.claims.SigningKeys
	for key := range o {
		if _, ok := n[key]; !ok {
			d.signers[key] = struct{}{}
		}
	}
	for key := range n {
		if _, ok := o[key]; !ok {
			d.signers[key] = struct{}{}
		}
	}
	if d.old.strict != d.next.strict {
		d.signers[d.next.Key()] = struct{}{}
	}
}

// concerned appends the links of one export that may stand otherwise.
func (d *exportsDiff) concerned(out []*link, key exportKey, importers map[string][]*link) []*link {
	if key.subject == "" {
		return out // nobody has exported what they want: see takenOver
	}
	was, is := d.was.byKey[key], d.is.byKey[key]
	if was == nil || is == nil || !sameTerms(was, is) {
		return appendLinks(out, importers)
	}
	if !is.TokenRequired {
		return out
	}
	for who := range revocationsDiff(was.Revocations, is.Revocations) {
		if who == everyone {
			return appendLinks(out, importers)
		}
		out = append(out, importers[who]...)
	}
	if len(d.signers) == 0 {
		return out
	}
	for _, links := range importers {
		for _, l := range links {
			if l.claim.Activation == nil {
				continue
			}
			if _, ok := d.signers[l.claim.Activation.Issuer]; ok {
				out = append(out, l)
			}
		}
	}
	return out
}

// revocationsDiff gives the keys that two lists of revocations speak of otherwise.
func revocationsDiff(old, next map[string]int64) map[string]struct{} {
	out := make(map[string]struct{})
	for key, at := range old {
		if is, ok := next[key]; !ok || is != at {
			out[key] = struct{}{}
		}
	}
	for key := range next {
		if _, ok := old[key]; !ok {
			out[key] = struct{}{}
		}
	}
	return out
}

// takenOver appends the links that a new export decides: those for which there was none, and
// those that it takes over because it is more specific (B10).
func (d *exportsDiff) takenOver(out []*link, n *node) []*link {
	var added []string
	for key := range d.is.byKey {
		if d.was.byKey[key] == nil {
			added = append(added, key.subject)
		}
	}
	if len(added) == 0 {
		return out
	}
	x := subject.NewCrossing(added)
	for key, importers := range n.in {
		if key.subject == "" || d.is.byKey[key] != nil && len(x.Find(nil, key.subject)) > 0 {
			out = d.moved(out, key, importers)
		}
	}
	return out
}

// moved appends those of an export's links that another one decides now.
func (d *exportsDiff) moved(out []*link, key exportKey, importers map[string][]*link) []*link {
	for _, links := range importers {
		for _, l := range links {
			if e := d.is.offers.Find(l.claim); l.fault == nil && e != nil && e.Subject != key.subject {
				out = append(out, l)
			}
		}
	}
	return out
}
