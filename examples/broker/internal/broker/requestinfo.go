package broker

import (
	"encoding/json"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// requestInfo is what the account of a service is told of who asks, in the order and by the
// names of nats-server v2.15 server/events.go ClientInfo. The library says what it may be
// told; the connection adds how it is reached, and, where the importer shares, since when.
type requestInfo struct {
	Start *time.Time `json:"start,omitempty"`
	ID    uint64     `json:"id,omitempty"`
	auth.Requestor
	RTT     time.Duration `json:"rtt,omitempty"`
	Server  string        `json:"server,omitempty"`
	Cluster string        `json:"cluster,omitempty"`
	Kind    string        `json:"kind,omitempty"`
	Type    string        `json:"client_type,omitempty"`
}

// requestInfoHeader carries it with a request.
const requestInfoHeader = "Nats-Request-Info"

// requestInfo tells who the connection is, all of it or the account alone.
func (c *conn) requestInfo(session *auth.Session, share bool) requestInfo {
	info := requestInfo{Requestor: session.Requestor(share), RTT: c.roundTrip()}
	if share {
		info.Start, info.ID, info.Kind, info.Type = &c.start, c.id, "Client", "nats"
		info.Server, info.Cluster = c.server.options.Name, c.server.options.Cluster
	}
	return info
}

// informed takes over what a message carries, and what it has to tell of who asks. What the
// message says of that itself is not believed.
func (m *message) informed(from *message) error {
	text, err := json.Marshal(m.path.info)
	if err != nil {
		return err
	}
	m.head, m.body = wire.SetHeader(from.head, requestInfoHeader, string(text)), from.body
	return nil
}
