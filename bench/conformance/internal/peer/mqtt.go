package peer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// MQTT is a connection that speaks MQTT 3.1.1, as little of it as is needed to be
// admitted and to subscribe. It is for one goroutine.
type MQTT struct {
	conn net.Conn
	in   *bufio.Reader
}

// The packets, with the flags that they must have, and the answers to them.
const (
	mqttConnect   = 0x10
	mqttSubscribe = 0x82
	mqttClean     = 0xc2 // a user name, a password, and no session kept
)

// MQTT connects to nats-server's MQTT listener with a password, and gives the
// return code: 0 is admitted, 5 is not authorised.
func (s *Server) MQTT(client, password string) (*MQTT, byte, error) {
	_, port, err := s.Ports()
	if err != nil {
		return nil, 0, err
	}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), patience)
	if err != nil {
		return nil, 0, fmt.Errorf("peer: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	m := &MQTT{conn: conn, in: bufio.NewReader(conn)}
	body := append(field("MQTT"), 4, mqttClean, 0, 60)
	for _, text := range []string{client, "user", password} {
		body = append(body, field(text)...)
	}
	answer, err := m.ask(mqttConnect, body)
	if err != nil {
		m.Close()
		return nil, 0, err
	}
	return m, answer[len(answer)-1], nil
}

// Subscribe subscribes to one topic and gives the granted quality of service, or
// 0x80 for a refusal.
func (m *MQTT) Subscribe(topic string, quality byte) (byte, error) {
	body := append([]byte{0, 1}, field(topic)...)
	answer, err := m.ask(mqttSubscribe, append(body, quality))
	if err != nil {
		return 0, err
	}
	return answer[len(answer)-1], nil
}

// Close ends the connection.
func (m *MQTT) Close() { _ = m.conn.Close() }

// ask sends a packet and gives the body of the next one.
func (m *MQTT) ask(kind byte, body []byte) ([]byte, error) {
	packet := binary.AppendUvarint([]byte{kind}, uint64(len(body))) // MQTT writes lengths in the same way
	if _, err := m.conn.Write(append(packet, body...)); err != nil {
		return nil, fmt.Errorf("peer: mqtt: %w", err)
	}
	if _, err := m.in.ReadByte(); err != nil {
		return nil, fmt.Errorf("peer: mqtt: %w", err)
	}
	size, err := binary.ReadUvarint(m.in)
	if err != nil || size == 0 {
		return nil, fmt.Errorf("peer: mqtt: no answer: %w", err)
	}
	answer := make([]byte, min(size, 1<<10))
	_, err = io.ReadFull(m.in, answer)
	return answer, err
}

// field is a text with its length in front.
func field(text string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
}
