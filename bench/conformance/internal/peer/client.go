package peer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// silence is what stands in a transcript where an answer was waited for in vain.
const silence = "(silence)"

// Client is one connection that speaks the protocol by hand. It is for one
// goroutine. Its lines leave out what differs between two runs of one server:
// INFO, PING and the PONG that ends a flush.
type Client struct {
	conn  net.Conn
	lines *bufio.Reader
	info  Info
	wait  time.Duration
}

// Dial connects and reads INFO. Close the client when it is done.
func (s *Server) Dial() (*Client, error) {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	return NewClient(conn)
}

// NewClient speaks over a connection that is there already, and reads INFO.
func NewClient(conn net.Conn) (*Client, error) {
	c := &Client{conn: conn, lines: bufio.NewReader(conn), wait: patience}
	c.hurry()
	line, err := c.lines.ReadString('\n')
	if err == nil {
		err = c.info.read(line)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("peer: no INFO: %w", err)
	}
	return c, nil
}

// Info is what the server said last: first on its own, and again where it has
// news.
func (c *Client) Info() Info { return c.info }

// Close ends the connection.
func (c *Client) Close() { _ = c.conn.Close() }

// Connect sends CONNECT with the options.
func (c *Client) Connect(options map[string]any) error {
	text, err := json.Marshal(options)
	if err != nil {
		return fmt.Errorf("peer: connect: %w", err)
	}
	return c.Send("CONNECT " + string(text) + "\r\n")
}

// Options are the CONNECT options of a user: its token, the signature over the
// connection's nonce, and what every client says. Change them as you like.
func (c *Client) Options(u User) (map[string]any, error) {
	options := map[string]any{
		"verbose": false, "pedantic": false, "tls_required": false, "lang": "go", "version": "1.0.0",
		"protocol": 1, "echo": true, "headers": true, "no_responders": true, "name": "conformance",
	}
	if u.JWT == "" {
		return options, nil
	}
	sig, err := u.Sign(c.info.Nonce)
	options["jwt"] = u.JWT
	if sig != "" {
		options["sig"] = sig
	}
	return options, err
}

// Login sends CONNECT for a user: the token, and its signature over the nonce.
func (c *Client) Login(u User) error {
	options, err := c.Options(u)
	if err != nil {
		return err
	}
	return c.Connect(options)
}

// Send writes bytes as they are. A connection that the server has ended is no
// error: reading tells.
func (c *Client) Send(raw string) error {
	c.hurry()
	_, err := io.WriteString(c.conn, raw)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("peer: the server does not read: %w", err)
	}
	return nil
}

// Flush sends PING and gives everything that comes before its PONG, and whether
// the connection is still open. A message is one line with its payload quoted;
// everything else is as it came.
func (c *Client) Flush() (lines []string, open bool) {
	if err := c.Send("PING\r\n"); err != nil {
		return []string{err.Error()}, false
	}
	return c.read(func(line string) bool { return line == "PONG" }, false)
}

// Until gives lines up to and with the first one that last accepts, and whether
// the connection is still open.
func (c *Client) Until(last func(line string) bool) (lines []string, open bool) {
	return c.read(last, true)
}

// Rest gives what comes until the server ends the connection. One that stays open
// ends in a line that says so.
func (c *Client) Rest() []string {
	lines, _ := c.read(func(string) bool { return false }, true)
	return lines
}

// Patience changes how long reading waits for the next line; 20 seconds unless
// told.
func (c *Client) Patience(d time.Duration) { c.wait = d }

func (c *Client) hurry() { _ = c.conn.SetDeadline(time.Now().Add(c.wait)) }

func (c *Client) read(last func(string) bool, keep bool) ([]string, bool) {
	var lines []string
	for {
		line, err := c.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return append(lines, silence), true
		case err != nil:
			return lines, false
		case !last(line):
			lines = append(lines, line)
		case keep:
			return append(lines, line), true
		default:
			return lines, true
		}
	}
}

// next gives the next line that belongs in a transcript, and answers or notes
// what does not.
func (c *Client) next() (string, error) {
	for {
		c.hurry()
		line, err := c.lines.ReadString('\n')
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(line, "INFO "):
			if err := c.info.read(line); err != nil {
				return "", err
			}
		case line == "PING":
			_ = c.Send("PONG\r\n")
		case strings.HasPrefix(line, "MSG "), strings.HasPrefix(line, "HMSG "), strings.HasPrefix(line, "LMSG "):
			return c.message(line)
		default:
			return line, nil
		}
	}
}

// message reads the payload that follows the line of a message.
func (c *Client) message(line string) (string, error) {
	fields := strings.Fields(line)
	size, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil || size < 0 {
		return "", fmt.Errorf("peer: %q has no size", line)
	}
	payload := make([]byte, size+2)
	if _, err := io.ReadFull(c.lines, payload); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %q", line, payload[:size]), nil
}
