package wire

import (
	"encoding/json"
	"strconv"
)

// ServerInfo is what a server tells in INFO. Names and order are those of
// nats-server v2.15 server/server.go Info.
type ServerInfo struct {
	ID            string `json:"server_id"`
	Name          string `json:"server_name"`
	Version       string `json:"version"`
	Proto         int    `json:"proto"`
	Go            string `json:"go"`
	Host          string `json:"host"`
	Port          int    `json:"port"`
	Headers       bool   `json:"headers"`
	AuthRequired  bool   `json:"auth_required,omitempty"`
	MaxPayload    int64  `json:"max_payload"`
	ClientID      uint64 `json:"client_id,omitempty"`
	ClientIP      string `json:"client_ip,omitempty"`
	Nonce         string `json:"nonce,omitempty"`
	Cluster       string `json:"cluster,omitempty"`
	ConnectInfo   bool   `json:"connect_info,omitempty"`
	RemoteAccount string `json:"remote_account,omitempty"`
	SystemAccount bool   `json:"acc_is_sys,omitempty"`
}

// AppendInfo appends INFO, as the reference writes it: with a blank before the
// end of the line.
func AppendInfo(dst []byte, info ServerInfo) []byte {
	text, err := json.Marshal(info)
	if err != nil {
		panic("wire: " + err.Error()) // strings, numbers and booleans: there is none
	}
	dst = append(append(dst, "INFO "...), text...)
	return append(dst, " \r\n"...)
}

// AppendErr appends -ERR with a text between quotes.
func AppendErr(dst []byte, text string) []byte {
	dst = append(append(dst, "-ERR '"...), text...)
	return append(dst, "'\r\n"...)
}

// AppendMsg appends the line of MSG. The payload and the end of its line follow.
func AppendMsg(dst []byte, subject, sid, reply string, size int) []byte {
	dst = target(append(dst, "MSG "...), subject, sid, reply)
	dst = strconv.AppendInt(dst, int64(size), 10)
	return append(dst, '\r', '\n')
}

// AppendHMsg appends the line of HMSG, of header bytes and size bytes in all.
func AppendHMsg(dst []byte, subject, sid, reply string, header, size int) []byte {
	dst = target(append(dst, "HMSG "...), subject, sid, reply)
	dst = strconv.AppendInt(dst, int64(header), 10)
	dst = strconv.AppendInt(append(dst, ' '), int64(size), 10)
	return append(dst, '\r', '\n')
}

func target(dst []byte, subject, sid, reply string) []byte {
	dst = append(append(dst, subject...), ' ')
	dst = append(append(dst, sid...), ' ')
	if reply != "" {
		dst = append(append(dst, reply...), ' ')
	}
	return dst
}
