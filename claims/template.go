package claims

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/natsauth/natsauth/internal/subject"
)

// MaxExpansions is how many entries [Expand] makes of one list, unless told
// otherwise: a few tags with many values each would multiply without end. The
// figure is that of nats-server v2.15 server/auth.go.
const MaxExpansions = 4096

// What one call of Expand may cost besides (B18): a long value in many
// placeholders, or many placeholders times many tags, multiply as well.
const (
	maxExpandedText = MaxTokenSize // bytes of one list: what the largest token could list by itself
	maxTagLooks     = 1 << 20      // tags compared, those of one user for every tag(x) anew
)

// ExpandOptions tune [Expand]. The zero value is right for most.
type ExpandOptions struct {
	// AllowDotted lets a value hold dots and so fill more than one token: for
	// users that are named by e-mail address. Wildcards, white space and control
	// bytes are refused all the same.
	AllowDotted bool
	// Limit is the number of entries that one list may grow to; 0 means
	// [MaxExpansions].
	Limit int
	// Dropped, if set, is told of every allow entry that was left out, and why.
	Dropped func(*TemplateError)
}

// TemplateProblem is what can be wrong with a template for a user.
type TemplateProblem uint8

// The problems of templates.
const (
	TemplateUnreadable TemplateProblem = iota + 1 // an entry, address or time that no rule can be made of
	TemplateFunction                              // a placeholder that is none of the known functions
	TemplateMissing                               // the user or the account has no such tag
	TemplateValue                                 // a value that is not literal text inside one token (B2)
	TemplateSubject                               // what came out is not a subject
	TemplateTooMany                               // more entries than the limit, or more text or work than any template needs
)

// TemplateError says why a template gives a user no permissions, or why one of
// its entries was left out.
type TemplateError struct {
	Problem     TemplateProblem
	Entry       string // as the template has it
	Placeholder string // what stood between the braces, tag(team) say; or empty
	Detail      string // for people
}

// Error names the placeholder and the entry.
func (e *TemplateError) Error() string {
	switch entry, detail := plain(e.Entry), plain(e.Detail); {
	case e.Entry == "":
		return "claims: template: " + detail
	case e.Placeholder == "":
		return fmt.Sprintf("claims: template entry %q: %s", entry, detail)
	default:
		return fmt.Sprintf("claims: template entry %q: {{%s}} %s", entry, plain(e.Placeholder), detail)
	}
}

// Expand gives the permissions that a scope's template means for one user of
// one account. A placeholder stands in double braces and may be part of a token:
//
//	name()  subject()                  of the user
//	account-name()  account-subject()  of the account
//	tag(x)  account-tag(x)             every value v of a tag x:v
//
// Names of functions are read in any case; the argument is folded to lower case,
// tags are not. A tag with several values makes an entry for each, several tags
// for each combination. A list without any placeholder is taken as it is;
// otherwise every entry must come out as a subject, in a subscribe list as a
// subject and a queue group where the template names one.
//
// What cannot be filled in is dropped from an allow list. It refuses the user
// where leaving it out would allow more: in a deny list, and where an entry names
// a queue group, for that entry also keeps other groups away from its subject. An
// allow list from which everything was dropped becomes the deny entry ">", and
// stays closed.
//
// A value is literal text inside one token (B2): with '*', '>', '.', white space
// or a control byte in it the user is refused, and the error names the tag. An
// empty value makes no wildcard of what stands beside the placeholder.
//
// The error is a [*TemplateError]; then the Permissions are empty and must not be
// used, for empty permissions restrict nothing. Template, User and Account are
// only read. The rest of the rule is nats-server v2.15 server/auth.go
// processUserPermissionsTemplate.
func Expand(t Template, u *User, a *Account, o ExpandOptions) (Permissions, error) {
	if t.fault != nil {
		return Permissions{}, &TemplateError{Problem: TemplateUnreadable, Detail: t.fault.Error()}
	}
	e := expander{user: u, account: a, opts: o, limit: cmp.Or(o.Limit, MaxExpansions), looks: maxTagLooks}
	p := Permissions{Responses: t.Permissions.Responses}
	var err error
	if p.Subscribe, err = e.rules(t.Permissions.Subscribe, true); err != nil {
		return Permissions{}, err
	}
	if p.Publish, err = e.rules(t.Permissions.Publish, false); err != nil {
		return Permissions{}, err
	}
	return p, nil
}

// expander is one call of Expand.
type expander struct {
	user    *User
	account *Account
	opts    ExpandOptions
	limit   int
	looks   int // tags that may still be looked at
}

func (e *expander) rules(r Rules, queues bool) (Rules, error) {
	allow, err := e.list(r.Allow, list{queues: queues})
	if err != nil {
		return Rules{}, err
	}
	deny, err := e.list(r.Deny, list{queues: queues, strict: true})
	if err != nil {
		return Rules{}, err
	}
	closed := len(r.Allow) > 0 && len(allow) == 0
	if closed && !slices.Contains(deny, ">") {
		deny = append(deny[:len(deny):len(deny)], ">")
	}
	return Rules{Allow: allow, Deny: deny, Closed: closed}, nil
}

// list is what a template list is for.
type list struct {
	queues bool // entries may name a queue group
	strict bool // an entry that cannot be used refuses the user
}

// of is the list as the one entry has it: an allow entry with a queue group is
// strict too.
func (l list) of(entry string) list {
	l.strict = l.strict || l.queues && strings.ContainsFunc(literals(entry), unicode.IsSpace)
	return l
}

// accepts says whether what was made of a template entry may stand in such a
// list. A queue group that came out empty would leave a plain subject behind, a
// subject that did would leave the group in its place: neither is accepted.
func (l list) accepts(made string) bool {
	if !l.queues {
		return subject.Valid(made)
	}
	s, queue, ok := subject.SplitEntry(made)
	if ok && queue != "" {
		s += " " + queue
	}
	return ok && made == s
}

// room is what a list may still grow by.
type room struct{ entries, text int }

func (e *expander) list(entries []string, l list) ([]string, error) {
	if !slices.ContainsFunc(entries, func(e string) bool { return len(placeholders(e)) > 0 }) {
		return entries, nil
	}
	out := make([]string, 0, len(entries))
	left := room{entries: e.limit, text: maxExpandedText}
	for _, entry := range entries {
		rule := l.of(entry)
		made, err := e.entry(entry, left)
		if err == nil {
			made, err = e.keep(made, entry, rule)
		}
		if err = e.tolerate(err, rule); err != nil {
			return nil, err
		}
		for _, m := range made {
			left.text -= len(m)
		}
		left.entries -= len(made)
		out = append(out, made...)
	}
	return out, nil
}

// tolerate turns the problems that only drop an entry from an allow list into a
// report.
func (e *expander) tolerate(err *TemplateError, l list) *TemplateError {
	if err == nil {
		return nil
	}
	if err.Problem != TemplateMissing || l.strict {
		return err
	}
	if e.opts.Dropped != nil {
		e.opts.Dropped(err)
	}
	return nil
}

// keep drops what did not come out as a subject, or with another wildcard than
// the template has: beside an empty value a `*` would become one.
func (e *expander) keep(made []string, entry string, l list) ([]string, *TemplateError) {
	out := made[:0]
	wild := wildcards(literals(entry))
	for _, m := range made {
		if l.accepts(m) && wildcards(m) == wild {
			out = append(out, m)
			continue
		}
		err := &TemplateError{Problem: TemplateSubject, Entry: entry, Detail: fmt.Sprintf("gives %q, which is not such a subject", m)}
		if l.strict {
			return nil, err
		}
		if e.opts.Dropped != nil {
			e.opts.Dropped(err)
		}
	}
	return out, nil
}

// literals is an entry with a letter in the place of each placeholder.
func literals(entry string) string {
	var b strings.Builder
	end := 0
	for _, at := range placeholders(entry) {
		b.WriteString(entry[end:at.from] + "x")
		end = at.to
	}
	return b.String() + entry[end:]
}

// wildcards counts the wildcard tokens of a subject and a queue group.
func wildcards(entry string) int {
	n := 0
	for t := range strings.FieldsFuncSeq(entry, func(r rune) bool { return r == '.' || r == ' ' }) {
		if t == "*" || t == ">" {
			n++
		}
	}
	return n
}

// span is where a placeholder stands in an entry, its braces included.
type span struct{ from, to int }

// placeholders finds what is two braces, something without a closing brace, two
// braces: {{[^}]+}} as a regular expression, leftmost first. What does not look
// like it is literal text.
func placeholders(entry string) []span {
	var out []span
	for at := 0; ; {
		open := strings.Index(entry[at:], "{{")
		if open < 0 {
			return out
		}
		from := at + open
		size := strings.IndexByte(entry[from+2:], '}')
		if size < 0 {
			return out
		}
		end := from + 2 + size // of what stands between; no later opening before it ends elsewhere
		if at = end; size > 0 && strings.HasPrefix(entry[end:], "}}") {
			at = end + 2
			out = append(out, span{from, at})
		}
	}
}

// slot is one placeholder of an entry with the values it may take.
type slot struct {
	from, to int // where in the entry
	values   []string
	first    int // the slot of the same text that comes first: it decides the value
}

// form is a template entry taken apart.
type form struct {
	entry   string
	slots   []slot
	count   int            // entries that it makes; a tag that is missing counts as one value, as in the reference
	size    int            // bytes of the longest of them
	tagged  bool           // a tag is asked for: the entry may become several
	missing *TemplateError // the first tag that is not there
}

// entry makes all entries that one template entry stands for.
func (e *expander) entry(entry string, left room) ([]string, *TemplateError) {
	f, err := e.form(entry, left)
	if err != nil {
		return nil, err
	}
	if f.missing != nil {
		return nil, f.missing
	}
	return f.fill(), nil
}

// form finds the values of every placeholder. A missing tag does not end the
// search: an unknown function behind it is the graver error.
func (e *expander) form(entry string, left room) (form, *TemplateError) {
	places := placeholders(entry)
	f := form{entry: entry, count: 1, size: len(entry)}
	for _, at := range places {
		f.size -= at.to - at.from
	}
	known := make(map[string]int, len(places))
	for _, at := range places {
		source := entry[at.from:at.to]
		op := strings.TrimSpace(source[len("{{") : len(source)-len("}}")])
		s := slot{from: at.from, to: at.to, first: len(f.slots)}
		if first, again := known[source]; again {
			s.first, s.values = first, f.slots[first].values
		} else if err := e.read(&f, op, &s); err != nil {
			return form{}, err
		}
		known[source] = s.first
		f.tagged = f.tagged || strings.Contains(strings.ToLower(op), "tag(")
		if err := f.add(s, left); err != nil {
			return form{}, err
		}
	}
	return f, nil
}

// read evaluates a placeholder that the form has not had yet.
func (e *expander) read(f *form, op string, s *slot) *TemplateError {
	values, err := e.values(op)
	if err == nil {
		s.values = values
		return nil
	}
	err.Entry, err.Placeholder = f.entry, op
	if err.Problem != TemplateMissing {
		return err
	}
	f.missing = cmp.Or(f.missing, err)
	return nil
}

// add keeps count before there is anything to count, so that what is too much is
// never made. It divides rather than multiplies: nothing overflows.
func (f *form) add(s slot, left room) *TemplateError {
	longest := 0
	for _, v := range s.values {
		longest = max(longest, len(v))
	}
	n := max(len(s.values), 1)
	if f.tagged && f.count > left.entries/n {
		return &TemplateError{Problem: TemplateTooMany, Entry: f.entry, Detail: "grows the list over the limit of entries"}
	}
	f.count *= n
	if f.size += longest; f.size > left.text/f.count {
		return &TemplateError{Problem: TemplateTooMany, Entry: f.entry, Detail: fmt.Sprintf("grows the list over %d bytes", maxExpandedText)}
	}
	f.slots = append(f.slots, s)
	return nil
}

// values evaluates one function.
func (e *expander) values(op string) ([]string, *TemplateError) {
	name, arg, ok := strings.Cut(strings.TrimSuffix(op, ")"), "(")
	if !ok || !strings.HasSuffix(op, ")") {
		return nil, &TemplateError{Problem: TemplateFunction, Detail: "is not a function"}
	}
	switch name = strings.ToLower(name); name {
	case "tag":
		return e.tag(e.user.Tags, arg)
	case "account-tag":
		return e.tag(e.account.Tags, arg)
	}
	text, known := e.text(name)
	if !known || arg != "" {
		return nil, &TemplateError{Problem: TemplateFunction, Detail: "is not a known function"}
	}
	return []string{text}, e.literal(text)
}

// text evaluates the functions that take nothing and have one value.
func (e *expander) text(name string) (string, bool) {
	switch name {
	case "name":
		return e.user.Name, true
	case "subject":
		return e.user.Key, true
	case "account-name":
		return e.account.Name, true
	case "account-subject":
		return e.account.Key, true
	default:
		return "", false
	}
}

// tag gives what stands behind "arg:" in every tag that begins so.
func (e *expander) tag(tags []string, arg string) ([]string, *TemplateError) {
	if e.looks -= len(tags); e.looks < 0 {
		return nil, &TemplateError{Problem: TemplateTooMany, Detail: fmt.Sprintf("makes it more than %d tags to look at", maxTagLooks)}
	}
	var out []string
	prefix := strings.ToLower(arg) + ":"
	for _, t := range tags {
		v, ok := strings.CutPrefix(t, prefix)
		if !ok {
			continue
		}
		if err := e.literal(v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, &TemplateError{Problem: TemplateMissing, Detail: "is a tag that is not there"}
	}
	return out, nil
}

// literal holds rule B2. White space is that of Unicode: it is what separates a
// subject from its queue group.
func (e *expander) literal(v string) *TemplateError {
	stray := func(r rune) bool {
		return r == '*' || r == '>' || r == '.' && !e.opts.AllowDotted || isBreak(r) || unicode.IsSpace(r)
	}
	if strings.ContainsFunc(v, stray) {
		return &TemplateError{Problem: TemplateValue, Detail: fmt.Sprintf("has the value %q, which is not literal text inside one token", v)}
	}
	return nil
}

// fill makes one text for each combination of values, the last placeholder
// varying fastest. A placeholder that stands twice has the same value in both
// places, and still counts twice.
func (f form) fill() []string {
	pick := make([]int, len(f.slots))
	out := make([]string, 0, f.count)
	for {
		out = append(out, f.substitute(pick))
		if !f.next(pick) {
			return out
		}
	}
}

// next moves pick to the next combination, and reports false after the last.
func (f form) next(pick []int) bool {
	for i := len(pick) - 1; i >= 0; i-- {
		if pick[i]++; pick[i] < len(f.slots[i].values) {
			return true
		}
		pick[i] = 0
	}
	return false
}

func (f form) substitute(pick []int) string {
	var b strings.Builder
	end := 0
	for _, s := range f.slots {
		b.WriteString(f.entry[end:s.from])
		b.WriteString(s.values[pick[s.first]])
		end = s.to
	}
	b.WriteString(f.entry[end:])
	return b.String()
}
