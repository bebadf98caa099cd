package peer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How long an answer to the question may take, and how often it is asked: a server
// that has just started may not listen for it yet.
const (
	answerTime = 500 * time.Millisecond
	askTimes   = 20
)

// UserInfo asks the server who the client is and notes the answer, without what
// differs between two servers: its name, the order of permissions, and the minutes
// of the remaining time. A client that may not ask, or not listen, gets an error
// line and no answer. It is the last that a client says.
func (t *Talk) UserInfo(c *Client) bool {
	const sid, inbox = "userinfo", "conformance.userinfo"
	const ask = "PUB $SYS.REQ.USER.INFO " + inbox + " 0\r\n\r\n"
	if err := c.Send("SUB " + inbox + " " + sid + "\r\n" + ask); err != nil {
		t.Note("userinfo", []string{err.Error()}, false)
		return false
	}
	lines, open := c.Flush()
	c.Patience(answerTime)
	defer c.Patience(patience)
	for range askTimes {
		if !open || slices.ContainsFunc(lines, settled) {
			break
		}
		var more []string
		if more, open = c.Until(settled); slices.ContainsFunc(more, settled) {
			lines = append(lines, more...)
		} else {
			_ = c.Send(ask)
		}
	}
	for i, l := range lines {
		lines[i] = whoami(l)
	}
	t.Note("userinfo", lines, open)
	return open
}

// settled says that a line answers the question, or says that there will be no
// answer.
func settled(line string) bool {
	return strings.HasPrefix(line, "MSG ") || strings.HasPrefix(line, "-ERR ")
}

// whoami rewrites the line of a user info message; any other line stays.
func whoami(line string) string {
	at := strings.IndexByte(line, '"')
	if !strings.HasPrefix(line, "MSG ") || at < 0 {
		return line
	}
	text, err := strconv.Unquote(line[at:])
	if err != nil {
		return line
	}
	var answer struct {
		Server map[string]any `json:"server"`
		Data   map[string]any `json:"data"`
		Error  any            `json:"error"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return line
	}
	if left, ok := answer.Data["expires"].(float64); ok {
		answer.Data["expires"] = fmt.Sprintf("%v tens of minutes", math.Round(left/float64(10*time.Minute)))
	}
	sorted(answer.Data)
	data, err := json.Marshal(map[string]any{"server": len(answer.Server) > 0, "data": answer.Data, "error": answer.Error})
	if err != nil {
		return line
	}
	return strings.Join(strings.Fields(line)[:3], " ") + " " + string(data)
}

// sorted puts every list of strings in order, once each.
func sorted(v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	for key, value := range m {
		list, ok := value.([]any)
		if !ok {
			sorted(value)
			continue
		}
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = fmt.Sprint(e)
		}
		slices.Sort(texts)
		m[key] = slices.Compact(texts)
	}
}
