package world

import "fmt"

// feature is one thing that a client may have about it, in one of several ways.
type feature struct {
	name   string
	weight int
	ways   []way
}

// way is one way of a feature.
type way struct {
	what  string
	rows  []string
	apply func(*draft)
}

// features are all that a client can try. The weights keep the refusals of some
// from drowning the others.
var features = []feature{
	{"plain", 4, plainWays},
	{"proxy", 6, proxyWays},
	{"token", 8, tokenWays},
	{"validity", 8, validityWays},
	{"claims", 4, claimsWays},
	{"pinned", 3, pinnedWays},
	{"account", 7, accountWays},
	{"signer", 7, signerWays},
	{"scope", 7, scopeWays},
	{"template", 14, templateWays},
	{"bearer", 6, bearerWays},
	{"type", 6, typeWays},
	{"signature", 8, signatureWays},
	{"revocation", 8, revocationWays},
	{"source", 6, sourceWays},
	{"times", 7, timesWays},
	{"defaults", 6, defaultWays},
	{"limits", 8, limitWays},
	{"connections", 6, connectionWays},
	{"options", 6, optionWays},
	{"again", 7, againWays},
	{"early", 3, earlyWays},
	{"permissions", 5, permissionWays},
}

// choice is a feature in one way.
type choice struct {
	name string
	way
}

// apply changes a client, and notes what it tries.
func (c choice) apply(d *draft) {
	d.hit(c.name+"/"+c.what, c.rows...)
	c.way.apply(d)
}

// choose takes a feature by weight, and a way of it.
func (u *Universe) choose() choice {
	total := 0
	for _, f := range features {
		total += f.weight
	}
	n := u.Rand.IntN(total)
	for _, f := range features {
		if n -= f.weight; n < 0 {
			return choice{f.name, f.ways[u.Rand.IntN(len(f.ways))]}
		}
	}
	panic("weights do not add up")
}

// Each makes universes in which every way of every feature is tried: in a run of
// all natures once in each, otherwise once altogether; so that a short run, too,
// meets everything.
func Each(seed uint64, all bool) []*Universe {
	natures := []nature{{}, {proxies: true, pinned: true, sentinel: bearerSentinel, second: true}, {strict: true}, {trusted: true}}
	var out []*Universe
	for i, n := range natures {
		out = append(out, populate(seed+uint64(i), n, func(u *Universe) {
			for j, c := range everyChoice() {
				if all || c.fits(n, j%len(natures) == i) {
					u.try(c, fmt.Sprintf("%c%d", 'a'+i, j))
				}
			}
		}))
	}
	return append(out, populate(seed+uint64(len(natures)), nature{expired: true}, func(u *Universe) {
		for i, w := range plainWays {
			u.try(choice{"plain", w}, fmt.Sprint("x", i))
		}
	}))
}

// fits says whether a choice is tried in a nature: where it matters, otherwise
// where its turn is.
func (c choice) fits(n nature, turn bool) bool {
	switch c.name {
	case "proxy":
		return n.proxies
	case "pinned":
		return n.pinned
	case "signer":
		return n.strict || turn
	}
	return turn
}

// try adds a client that tries one thing.
func (u *Universe) try(c choice, name string) {
	d := u.blank(name)
	c.apply(d)
	u.add(d)
}

func everyChoice() []choice {
	var out []choice
	for _, f := range features {
		for _, w := range f.ways {
			out = append(out, choice{f.name, w})
		}
	}
	return out
}
