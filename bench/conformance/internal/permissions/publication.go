package permissions

import (
	"fmt"
	"strings"
)

// publication is a message that a user would like to publish.
type publication struct {
	subject, reply string
	mapped         string // what the account makes of the subject
	header         string
	Decision
}

// reservedSubjects are subjects that servers keep to themselves, or nearly, some of them
// as replies only.
var reservedSubjects = []string{
	"_GR_.x", "_GR_.", "_GR_", "_GR_X.a", "$GR.x", "$GR.", "$GR", "$NRG.a", "$NRG.", "$NRG", "$NRGX.a",
	"_R_.x", "_R_.", "_R_", "_R_X.a", "$JS.ACK.x", "$JS.ACK.", "$JS.ACK", "$JS.ACKS.x",
}

// publication draws one.
func (d drawer) publication() publication {
	p := publication{subject: d.subject(4)}
	row := "F056"
	switch n := d.IntN(100); {
	case n < 12:
		p.subject, row = d.pattern(3), "F057"
	case n < 15:
		p.subject, row = d.pick("a.>.b", ">.a", "*.>.*", ">.>"), "F057"
	case n < 22:
		p.subject, row = d.pick("a..b", ".a", "a.", "..", ".", "b.a.", "a..*"), "F055"
	case n < 28:
		p.subject, row = d.pick(reservedSubjects...), "F059"
	case n < 30:
		p.subject = d.subject(1) + strings.Repeat(".a", 40)
	}
	p.mapped = p.subject
	if d.chance(18) {
		p, row = d.mapping(), "F058"
	}
	p.Rows = []string{row}
	return d.envelope(p)
}

// mapping draws a subject that the account's mappings change.
func (d drawer) mapping() publication {
	a, b, rest := d.pick(literals...), d.pick(literals...), d.subject(3)
	pairs := [][2]string{
		{"one." + a, "a." + a}, {"two." + a + "." + b, "b." + b + "." + a}, {"rest." + rest, "c." + rest},
		{"cut." + a + "-" + b, a + "." + b}, {"part." + a, "a.0"}, {"fixed", "a.b"}, {"one.*", "a.*"}, {"fixed.a", "fixed.a"},
	}
	pair := pairs[d.IntN(len(pairs))]
	return publication{subject: pair[0], mapped: pair[1]}
}

// envelope adds reply and header.
func (d drawer) envelope(p publication) publication {
	if d.chance(15) {
		p.header = "NATS/1.0\r\nName: value\r\n\r\n"
	}
	switch n := d.IntN(100); {
	case n < 10:
		p.reply = d.pick(reservedSubjects...)
		p.Rows = append(p.Rows, "F059")
	case n < 25:
		p.reply = d.subject(3)
		p.Rows = append(p.Rows, "F060")
	}
	p.Kind = Publish
	p.What = fmt.Sprintf("PUB %s %s", p.subject, p.reply)
	return p
}

// wire is the protocol of the step with a number.
func (p publication) wire(n int) string {
	subject := strings.TrimSuffix(p.subject+" "+p.reply, " ")
	if p.header == "" {
		return fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, marked, mark(n))
	}
	return fmt.Sprintf("HPUB %s %d %d\r\n%s%s\r\n", subject, len(p.header), len(p.header)+marked, p.header, mark(n))
}

// reserved says that subject or reply are the server's own.
func (p publication) reserved() bool {
	return longer(p.subject, "_GR_.", "$GR.") || strings.HasPrefix(p.subject, "$NRG.") ||
		longer(p.reply, "$JS.ACK.", "_GR_.", "$GR.") || strings.HasPrefix(p.reply, "_R_.")
}

// longer says that s begins with one of the prefixes and does not end there.
func longer(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if len(s) > len(p) && strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
