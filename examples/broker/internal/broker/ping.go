package broker

import (
	"time"

	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// ping answers PING. The first answer after CONNECT is followed by an INFO that
// tells the client where it is, if it said that it takes one.
//
// Behaviour: nats-server v2.15 server/client.go processPing.
func (c *conn) ping() {
	c.alive()
	c.out.send([]byte("PONG\r\n"))
	if c.ponged {
		return
	}
	c.ponged = true
	if c.client.Protocol < 1 {
		return
	}
	info := c.server.info
	info.MaxPayload = c.payloadLimit.Load()
	info.ConnectInfo = true
	info.RemoteAccount, info.SystemAccount = c.place()
	c.sendInfo(info)
}

// sendInfo sends INFO with what is the client's own.
func (c *conn) sendInfo(info wire.ServerInfo) {
	info.ClientID = c.id
	if c.source.IsValid() {
		info.ClientIP = c.source.String()
	}
	if !info.ConnectInfo {
		info.Nonce = c.nonce
	}
	c.out.send(wire.AppendInfo(nil, info))
}

// place is the account that the client is in, and whether it is the system's.
func (c *conn) place() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account == nil {
		return "", false
	}
	return c.account.key, c.account.key == c.server.options.SystemAccount
}

// alive notes that the client did something.
func (c *conn) alive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = time.Now()
}

// pong takes the answer to a PING.
func (c *conn) pong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings = 0
	if !c.pinged.IsZero() {
		c.rtt, c.pinged = time.Since(c.pinged), time.Time{}
	}
}

// roundTrip is how long it takes to the client and back: the time of the last ping, or of
// CONNECT if there was none.
func (c *conn) roundTrip() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.rtt, 1)
}

// pingTime asks a client that has been silent whether it is still there, and ends
// the connection if too many questions were left without an answer.
//
// Behaviour: nats-server v2.15 server/client.go processPingTimer.
func (c *conn) pingTime() {
	switch c.silence(time.Now()) {
	case tooLong:
		c.close("Stale Connection", "Stale Connection")
	case some:
		c.out.send([]byte("PING\r\n"))
	}
}

// silence is how long a client has said nothing.
type silence uint8

const (
	none    silence = iota // not long enough to ask
	some                   // it is asked
	tooLong                // it was asked too often
)

func (c *conn) silence(now time.Time) silence {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return none
	}
	every := c.server.options.PingInterval
	c.pingTimer.Reset(every)
	if now.Sub(c.heard) < every {
		return none
	}
	if c.pings >= c.server.options.PingMax {
		return tooLong
	}
	c.pings++
	c.pinged = now
	return some
}
