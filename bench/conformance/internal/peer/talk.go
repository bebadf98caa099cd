package peer

import "fmt"

// Talk is one client's conversation with a server, over one connection or
// several, and its transcript. It is for one goroutine. Close it when it is done.
type Talk struct {
	server  *Server
	clients []*Client
	lines   []string
}

// Talk begins a conversation.
func (s *Server) Talk() *Talk { return &Talk{server: s} }

// Dial opens a connection, and notes of INFO what lasts.
func (t *Talk) Dial() (*Client, error) {
	c, err := t.Try()
	if err != nil {
		return nil, err
	}
	t.Keep(c)
	return c, nil
}

// Try opens a connection that is not noted before it is kept, and is the caller's
// to close until then.
func (t *Talk) Try() (*Client, error) { return t.server.Dial() }

// Keep makes a connection part of the conversation.
func (t *Talk) Keep(c *Client) {
	t.clients = append(t.clients, c)
	t.Note("dial", []string{c.Info().Lasting()}, true)
}

// Note adds lines to the transcript, and that the connection was closed if it is
// not open.
func (t *Talk) Note(step string, lines []string, open bool) {
	for _, l := range lines {
		t.lines = append(t.lines, step+": "+l)
	}
	if !open {
		t.lines = append(t.lines, step+": (closed)")
	}
}

// Flush waits for what a client was sent, notes it under the name of the step, and
// says whether the connection is still open.
func (t *Talk) Flush(step string, c *Client) bool {
	lines, open := c.Flush()
	t.Note(step, lines, open)
	return open
}

// Login connects as a user, notes the answer and says whether the user was
// admitted.
func (t *Talk) Login(c *Client, u User) (bool, error) {
	if err := c.Login(u); err != nil {
		return false, err
	}
	return t.Admitted(c), nil
}

// Admitted waits for the answer to a CONNECT that was sent, notes it, and says
// whether the client was admitted.
func (t *Talk) Admitted(c *Client) bool {
	open := t.Flush("login", c)
	if open {
		t.Note("login", []string{fmt.Sprintf("admitted, max_payload=%d", c.Info().MaxPayload)}, true)
	}
	return open
}

// Lines is the transcript so far.
func (t *Talk) Lines() []string { return t.lines }

// Close ends every connection.
func (t *Talk) Close() {
	for _, c := range t.clients {
		c.Close()
	}
}
