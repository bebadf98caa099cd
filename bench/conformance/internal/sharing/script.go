package sharing

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Answer is what came of a probe: who got which messages, and what they were told of who
// asks.
type Answer struct {
	Lines []string
	Info  []string
}

// Reached says whether a probe got to another account.
func (p Probe) Reached(a Answer) bool {
	return slices.ContainsFunc(a.Lines, func(l string) bool {
		who, _, _ := strings.Cut(l, ":")
		return strings.HasPrefix(who, "member ") && who != fmt.Sprintf("member %d", p.Account.Index)
	})
}

// Play has everybody of the graph connect to a server, and tries every probe. Who is not
// admitted has no part in it, which is the first answer.
func (g *Graph) Play(s *peer.Server) (first Answer, answers []Answer, err error) {
	p := &play{Graph: g, inboxes: map[int]*peer.Client{}, members: map[int]*peer.Client{}}
	defer p.close()
	for _, a := range g.Accounts {
		if err := p.enter(s, a); err != nil {
			return p.answer, nil, err
		}
	}
	for _, a := range g.Accounts {
		p.listen(a)
	}
	first = p.take()
	for n, probe := range g.Probes {
		p.try(n, probe)
		answers = append(answers, p.take())
	}
	return first, answers, p.err
}

// play is a graph on a server.
type play struct {
	*Graph
	members map[int]*peer.Client // by account: who listens and answers
	inboxes map[int]*peer.Client // likewise: who publishes and asks
	answer  Answer
	err     error
}

func (p *play) take() Answer {
	a := p.answer
	p.answer = Answer{}
	return a
}

func (p *play) note(format string, args ...any) {
	p.answer.Lines = append(p.answer.Lines, fmt.Sprintf(format, args...))
}

// enter connects the two clients of an account.
func (p *play) enter(s *peer.Server, a *Account) error {
	for _, to := range []map[int]*peer.Client{p.members, p.inboxes} {
		c, err := s.Dial()
		if err != nil {
			return err
		}
		options, err := c.Options(a.User)
		if err != nil {
			return err
		}
		options["echo"] = false
		if err := c.Connect(options); err != nil {
			return err
		}
		lines, open := c.Flush()
		if !open {
			p.note("account %d: %q", a.Index, lines)
			c.Close()
			continue
		}
		to[a.Index] = c
	}
	return nil
}

// listen makes the subscriptions of an account, once everybody is there.
func (p *play) listen(a *Account) {
	c := p.members[a.Index]
	if c == nil {
		return
	}
	var b strings.Builder
	for sid, l := range a.Listens {
		fmt.Fprintf(&b, "SUB %s %d\r\n", strings.TrimSpace(l.Subject+" "+l.Queue), sid)
	}
	p.send(c, b.String())
	p.send(p.inboxes[a.Index], "SUB in.> in\r\n")
	p.collect()
}

func (p *play) send(c *peer.Client, text string) {
	if err := c.Send(text); err != nil && p.err == nil {
		p.err = err
	}
}

// try publishes, has everybody answer, and the requestor answer the answers.
func (p *play) try(n int, probe Probe) {
	asks := p.inboxes[probe.Account.Index]
	if asks == nil {
		return
	}
	reply, again := "", ""
	if probe.Asks {
		reply = fmt.Sprintf(" in.%d", n)
	}
	if probe.Again {
		again = fmt.Sprintf("nest.%d", n)
	}
	p.send(asks, fmt.Sprintf("PUB %s%s 2\r\nhi\r\n", probe.Subject, reply))
	p.flush(asks, "asks")
	asked := p.collect()
	for _, at := range slices.Sorted(maps.Keys(p.members)) {
		p.respond(p.members[at], asked[at], again)
	}
	if again != "" {
		p.respond(asks, p.collect()[-1-probe.Account.Index], "")
	}
	p.collect()
}

// respond publishes answers to each of the replies: two, and an empty one.
func (p *play) respond(c *peer.Client, replies []string, again string) {
	for _, reply := range replies {
		p.send(c, fmt.Sprintf("PUB %s %s 1\r\n1\r\nPUB %s 1\r\n2\r\nPUB %s 0\r\n\r\nPUB %s 4\r\nover\r\n", reply, again, reply, reply, reply))
		p.flush(c, "answers")
	}
}

// flush waits until a client's server has done what it was told, and notes what came.
func (p *play) flush(c *peer.Client, who string) []string {
	lines, open := c.Flush()
	if !open {
		p.note("%s: closed", who)
	}
	return p.messages(lines, who)
}

// collect notes what has come to anybody, and gives the replies at which somebody waits for
// an answer, by the account of who may give it; those of inboxes by -1 less.
func (p *play) collect() map[int][]string {
	out := map[int][]string{}
	for _, at := range slices.Sorted(maps.Keys(p.members)) {
		if replies := p.flush(p.members[at], fmt.Sprintf("member %d", at)); len(replies) > 0 {
			out[at] = replies
		}
		if replies := p.flush(p.inboxes[at], fmt.Sprintf("inbox %d", at)); len(replies) > 0 {
			out[-1-at] = replies
		}
	}
	return out
}

// secret is a reply subject that a server made.
var secret = regexp.MustCompile(`_R_\.\S+`)

// messages notes lines, sorted, for who is told first is not the same twice, and gives the
// reply subjects of a server's making.
func (p *play) messages(lines []string, who string) []string {
	type said struct{ text, info, reply string }
	var all []said
	for _, l := range lines {
		text, info, reply := p.read(l)
		all = append(all, said{who + ": " + text, who + ": " + info, reply})
	}
	slices.SortStableFunc(all, func(a, b said) int { return strings.Compare(a.text+a.info, b.text+b.info) })
	var replies []string
	for _, s := range all {
		p.answer.Lines = append(p.answer.Lines, s.text)
		if !strings.HasSuffix(s.info, ": ") {
			p.answer.Info = append(p.answer.Info, s.info)
		}
		if s.reply != "" && !slices.Contains(replies, s.reply) {
			replies = append(replies, s.reply)
		}
	}
	return replies
}

// read takes a line apart: what is the same on every server, what it tells of who asks, and
// the reply that the server made.
func (p *play) read(line string) (text, info, reply string) {
	fields := strings.Fields(line)
	if fields[0] != "MSG" && fields[0] != "HMSG" {
		return p.keyless(secret.ReplaceAllString(line, "_R_")), "", ""
	}
	quoted := line[strings.IndexByte(line, '"'):]
	data, err := strconv.Unquote(quoted)
	if err != nil {
		data = quoted
	}
	head := strings.Fields(line[:len(line)-len(quoted)])
	sizes := 1
	if fields[0] == "HMSG" {
		sizes = 2
	}
	head = head[:len(head)-sizes]
	if len(head) == 4 && strings.HasPrefix(head[3], "_R_.") {
		reply = head[3]
	}
	headers := ""
	if fields[0] == "HMSG" {
		n, _ := strconv.Atoi(fields[len(head)])
		headers, info = p.headers(data[:min(n, len(data))])
		data = data[min(n, len(data)):]
	}
	text = strings.Join(head[1:], " ") + " " + strconv.Quote(data) + headers
	return p.keyless(secret.ReplaceAllString(text, "_R_")), p.keyless(info), reply
}

// headers gives a block of headers without, and what it tells of who asks.
func (p *play) headers(block string) (text, info string) {
	in := textproto.NewReader(bufio.NewReader(strings.NewReader(block)))
	status, _ := in.ReadLine()
	all, _ := in.ReadMIMEHeader()
	info = requestor(all.Values("Nats-Request-Info"))
	all.Del("Nats-Request-Info")
	if status = strings.TrimPrefix(status, "NATS/1.0"); status != "" || len(all) > 0 {
		text = fmt.Sprintf("%s %v", status, all)
	}
	return text, info
}

// requestor writes what is told of who asks: of what no two servers or connections have in
// common, that it is there.
func requestor(values []string) string {
	if len(values) != 1 {
		return strings.Join(values, " and ")
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(values[0]), &m); err != nil {
		return values[0]
	}
	for _, own := range []string{"start", "id", "rtt", "server", "host"} {
		if _, ok := m[own]; ok {
			m[own] = true
		}
	}
	if _, ok := m["jwt"]; ok {
		m["jwt"] = "a token"
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (p *play) close() {
	for _, clients := range []map[int]*peer.Client{p.members, p.inboxes} {
		for _, c := range clients {
			c.Close()
		}
	}
}
