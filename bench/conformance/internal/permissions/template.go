package permissions

import "strings"

// template writes rules as a scope may have them, and gives what they come to for a
// user of the name [userName] with the tags [tags].
func (d drawer) template(r Rules) (Rules, Rules) {
	var written Rules
	written.Responses = r.Responses
	written.Publish, r.Publish = d.templates(r.Publish)
	written.Subscribe, r.Subscribe = d.templates(r.Subscribe)
	r.Closed = len(written.Publish.Allow) > 0 && len(r.Publish.Allow) == 0
	return written, r
}

// tags are those of a user with a scope.
var tags = []string{"team:" + tagValue, "level:a", "level:b"}

// templates writes the lists of one kind. A list with a template has no queues here.
func (d drawer) templates(l Lists) (Lists, Lists) {
	var written Lists
	written.Allow, l.Allow = d.listed(l.Allow)
	written.Deny, l.Deny = d.listed(l.Deny)
	if len(written.Allow) > 0 && d.chance(25) {
		written.Allow, l.Allow = d.dropping(written.Allow, l.Allow)
	}
	if len(written.Allow) > 0 && len(l.Allow) == 0 {
		l.Deny = append(l.Deny, ">")
	}
	return written, l
}

// listed writes one list: four of ten as they are.
func (d drawer) listed(list []string) ([]string, []string) {
	if len(list) == 0 || d.chance(40) {
		plain := make([]string, len(list))
		for i, e := range list {
			plain[i] = strings.ReplaceAll(e, "{{name()}}", userName)
		}
		return plain, plain
	}
	var written, meant []string
	for _, e := range list {
		e, _, _ = strings.Cut(strings.ReplaceAll(e, "{{name()}}", userName), " ")
		if _, ok := publishAllow(e); ok {
			meant = append(meant, e)
			written = append(written, d.placeholders(e))
		}
	}
	first := d.pick(literals...)
	return append(written, first+".{{tag(level)}}"), append(meant, first+".a", first+".b")
}

// placeholders puts templates in place of the tokens that they come to.
func (d drawer) placeholders(entry string) string {
	tokens := strings.Split(entry, ".")
	for i, t := range tokens {
		switch {
		case t == userName && d.chance(80):
			tokens[i] = d.pick("{{name()}}", "{{NAME()}}")
		case t == tagValue && d.chance(80):
			tokens[i] = d.pick("{{tag(team)}}", "{{tag(TEAM)}}")
		}
	}
	return strings.Join(tokens, ".")
}

// dropping adds an entry whose tag the user has not, or leaves nothing else.
func (d drawer) dropping(written, meant []string) ([]string, []string) {
	const missing = "a.{{tag(none)}}"
	if d.chance(20) {
		return []string{missing}, nil
	}
	for _, e := range written {
		if strings.Contains(e, "{{") {
			return append(written, missing), meant
		}
	}
	return written, meant
}
