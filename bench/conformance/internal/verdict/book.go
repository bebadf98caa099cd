package verdict

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// Difference is one case on which the servers disagree.
type Difference struct {
	Seed            uint64 // of the universe
	Again           string // the command that shows it again; empty where the test is always the same
	Client          string // and what was tried
	Facts           Facts
	Reference, Ours []string // the transcripts
	World           string   // the configuration's tokens, decoded; no seeds
}

// String is the report of a difference: how to see it again, and all of it.
func (d Difference) String() string {
	return fmt.Sprintf("%s\nuniverse %d, client %s, facts %+v\nreference:\n  %s\nours:\n  %s\n%s",
		d.Again, d.Seed, d.Client, d.Facts, strings.Join(d.Reference, "\n  "), strings.Join(d.Ours, "\n  "), d.World)
}

// Book counts the differences that are claimed. It may be used by several
// goroutines. The zero Book is empty.
type Book struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

// Judge compares the two transcripts of a case. It gives nil where they agree, or
// where a claim answers for the difference, which is counted; otherwise the
// difference.
func (b *Book) Judge(d Difference) *Difference {
	if slices.Equal(d.Reference, d.Ours) {
		return nil
	}
	for _, c := range claims {
		if c.Holds(d.Facts) && c.Shape(d) {
			b.count(c.ID)
			return nil
		}
	}
	return &d
}

func (b *Book) count(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		b.counts = map[string]int{}
	}
	b.counts[id]++
}

// Sentences reads the file that explains every claim.
func Sentences(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out map[string]string
	return out, json.Unmarshal(text, &out)
}

// Unexplained gives what is wrong between the claims and their sentences: a claim
// without one, a sentence without a claim.
func Unexplained(sentences map[string]string) []string {
	left := maps.Clone(sentences)
	var out []string
	for _, c := range claims {
		if left[c.ID] == "" {
			out = append(out, c.ID+" has no sentence")
		}
		delete(left, c.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		out = append(out, id+" is claimed by nobody")
	}
	return out
}

// Stale gives the claims that no case needed: there, the servers no longer
// differ.
func (b *Book) Stale() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, c := range claims {
		if b.counts[c.ID] == 0 {
			out = append(out, c.ID+" no longer differs")
		}
	}
	return out
}

// Used gives the claims that were needed, in order.
func (b *Book) Used() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.counts))
}

// Print writes how often each claim was needed.
func (b *Book) Print(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range claims {
		fmt.Fprintf(w, "%-4s %5d  ", c.ID, b.counts[c.ID])
	}
	fmt.Fprintln(w)
}
