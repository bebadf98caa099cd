package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/claims"
)

// setter takes one value into the configuration.
type setter func(p *parser, v value) error

// supported are the keys that this broker heeds.
var supported = map[string]setter{
	"operator": operators, "operators": operators,
	"roots": operators, "root": operators, "root_operators": operators, "root_operator": operators,
	"trusted": trustedKeys, "trusted_keys": trustedKeys,
	"system_account": text(func(p *parser) *string { return &p.Trust.SystemAccount }),
	"system":         text(func(p *parser) *string { return &p.Trust.SystemAccount }),
	// Where nobody names a system account there is none, whatever these say.
	"no_system_account": noSystem, "no_system": noSystem, "no_sys_acc": noSystem,

	"resolver": resolvers, "account_resolver": resolvers, "accounts_resolver": resolvers,
	"resolver_preload":         preloads,
	"resolver_tls":             resolverTLS,
	"resolver_pinned_accounts": func(p *parser, v value) error { return list(v, &p.Trust.PinnedAccounts) },
	"default_sentinel":         sentinel,
	"proxies":                  proxies,
	"authorization":            authorization,

	"listen": listen,
	"host":   text(func(p *parser) *string { return &p.Host }),
	"net":    text(func(p *parser) *string { return &p.Host }),
	"port":   number(func(p *parser) *int { return &p.Port }),

	"server_name":  serverName,
	"cluster_name": text(func(p *parser) *string { return &p.Cluster }),

	"max_payload": func(p *parser, v value) error {
		n, err := v.number()
		p.MaxPayload = int64(n)
		return err
	},
	"max_pending": func(p *parser, v value) error {
		n, ok := v.of.(int64)
		if !ok {
			return errors.New("a number is expected")
		}
		p.MaxPending = n
		return nil
	},
	"max_connections": maxConnections, "max_conn": maxConnections,
	"max_subscriptions":       number(func(p *parser) *int { return &p.MaxSubscriptions }),
	"max_subs":                number(func(p *parser) *int { return &p.MaxSubscriptions }),
	"max_subscription_tokens": maxTokens, "max_sub_tokens": maxTokens,
	"max_control_line": number(func(p *parser) *int { return &p.MaxControlLine }),
	"write_deadline":   span(func(p *parser) *time.Duration { return &p.WriteDeadline }),
	"ping_interval":    span(func(p *parser) *time.Duration { return &p.PingInterval }),
	"ping_max":         number(func(p *parser) *int { return &p.PingMax }),

	"debug": flag(func(p *parser) *bool { return &p.Debug }),
	// The log has no colours, files or ages to choose from: these change nothing.
	"trace": ignore, "logtime": ignore, "logtime_utc": ignore,
}

// unsupported are the keys of nats-server v2.15 server/opts.go that this broker
// refuses, with the reason. Leaving one out silently could leave a door open.
var unsupported = byReason(map[string]string{
	"users and accounts come from tokens": "accounts no_auth_user mappings maps",
	"the broker speaks plain TCP":         "tls allow_non_tls ocsp ocsp_cache proxy_protocol websocket ws mqtt",
	"the broker stands alone":             "cluster gateway leaf leafnodes client_advertise connect_error_reports reconnect_error_reports",
	"the broker keeps nothing": "jetstream store_dir storedir default_js_domain " +
		"pidfile pid_file ports_file_dir",
	"the broker has no monitoring": "http https http_port https_port monitor_port http_base_path prof_port prof_block_rate " +
		"server_tags server_metadata feature_flags max_closed_clients",
	"the log goes to standard error": "logfile log_file logfile_size_limit log_size_limit logfile_max_num log_max_num " +
		"syslog remote_syslog trace_verbose trace_headers max_traced_msg_len",
	"it has no meaning here": "disable_sublist_cache no_sublist_cache lame_duck_duration lame_duck_grace_period " +
		"no_header_support no_fast_producer_stall write_timeout",
})

func byReason(keys map[string]string) map[string]string {
	out := make(map[string]string)
	for reason, names := range keys {
		for _, name := range strings.Fields(names) {
			out[name] = reason
		}
	}
	return out
}

func text(field func(*parser) *string) setter {
	return func(p *parser, v value) error {
		s, err := v.text()
		*field(p) = s
		return err
	}
}

func flag(field func(*parser) *bool) setter {
	return func(p *parser, v value) error {
		b, err := v.flag()
		*field(p) = b
		return err
	}
}

func number(field func(*parser) *int) setter {
	return func(p *parser, v value) error {
		n, err := v.number()
		*field(p) = n
		return err
	}
}

func span(field func(*parser) *time.Duration) setter {
	return func(p *parser, v value) error {
		d, err := v.span()
		*field(p) = d
		return err
	}
}

func list(v value, field *[]string) error {
	texts, err := v.texts()
	*field = texts
	return err
}

func ignore(*parser, value) error { return nil }

func noSystem(_ *parser, v value) error { return isFlag(v) }

// operators reads operator tokens: each a file, decorated or not, or the token
// itself (F006).
func operators(p *parser, v value) error {
	entries, err := v.texts()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		token, err := p.token(entry)
		if err != nil {
			return fmt.Errorf("operator: %w", err)
		}
		if _, err = claims.ParseOperator(token); err != nil {
			return err
		}
		p.Trust.Operators = append(p.Trust.Operators, token)
	}
	return nil
}

// tokenStart is how every token begins: base64 of `{"`.
const tokenStart = "eyJ"

// token reads a token from a file, or takes the text for one.
func (p *parser) token(entry string) (string, error) {
	path := p.path(entry)
	if raw, err := os.ReadFile(path); err == nil { //nolint:gosec // the file is the one that the configuration names
		return claims.Undecorate(string(raw)), nil
	} else if !strings.HasPrefix(entry, tokenStart) {
		return "", err
	}
	return entry, nil
}

func (p *parser) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.base, name)
}

// trustedKeys reads public operator keys (F008).
func trustedKeys(p *parser, v value) error {
	if err := list(v, &p.Trust.Keys); err != nil {
		return err
	}
	for _, key := range p.Trust.Keys {
		if !claims.IsOperatorKey(key) {
			return fmt.Errorf("%q is no public operator key", key)
		}
	}
	return nil
}

// sentinel reads the token that stands in for none, or a file that holds it
// (F010).
func sentinel(p *parser, v value) error {
	entry, err := v.text()
	if err != nil {
		return err
	}
	p.Trust.Sentinel, err = p.token(entry)
	return err
}

// proxies reads proxies { trusted: [ { key: K } ] }.
func proxies(p *parser, v value) error {
	m, err := v.block()
	if err != nil {
		return err
	}
	for name, raw := range m {
		if strings.ToLower(name) != "trusted" {
			return fmt.Errorf("unknown key %q", name)
		}
		entries, ok := read(raw).of.([]any)
		if !ok {
			return errors.New("trusted: a list is expected")
		}
		for _, entry := range entries {
			if err := p.proxy(read(entry)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) proxy(v value) error {
	m, err := v.block()
	if err != nil {
		return err
	}
	for name, raw := range m {
		if k := strings.ToLower(name); k != "key" && k != "public_key" {
			return fmt.Errorf("unknown key %q", name)
		}
		key, err := read(raw).text()
		if err != nil {
			return err
		}
		if !nkeys.IsValidPublicKey(key) {
			return fmt.Errorf("%q is no public key", key)
		}
		p.Trust.Proxies = append(p.Trust.Proxies, key)
	}
	return nil
}

// authorization reads the timeout. Whoever may connect stands in tokens.
func authorization(p *parser, v value) error {
	m, err := v.block()
	if err != nil {
		return err
	}
	for name, raw := range m {
		switch strings.ToLower(name) {
		case "timeout":
			if p.AuthTimeout, err = read(raw).span(); err != nil {
				return err
			}
		case "user", "username", "pass", "password", "token", "users", "default_permissions", "auth_callout", "auth_hook", "proxy_required":
			return fmt.Errorf("broker: %q is not supported: users and accounts come from tokens", name)
		default:
			return fmt.Errorf("unknown key %q", name)
		}
	}
	return nil
}

// listen reads host:port, :port or port.
func listen(p *parser, v value) error {
	if n, ok := v.of.(int64); ok {
		p.Port = int(n)
		return nil
	}
	s, err := v.text()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return err
	}
	p.Host = host
	p.Port, err = strconv.Atoi(port)
	return err
}

func serverName(p *parser, v value) error {
	s, err := v.text()
	if err == nil && strings.Contains(s, " ") {
		return errors.New("a blank in the name")
	}
	p.Name = s
	return err
}

// maxConnections reads a bound of which 0 is the strictest.
func maxConnections(p *parser, v value) error {
	n, err := v.number()
	if n == 0 {
		n = -1
	}
	p.MaxConnections = n
	return err
}

// maxTokens reads a bound that fits into a byte, as the reference's does.
func maxTokens(p *parser, v value) error {
	n, err := v.number()
	if err == nil && (n < 1 || n > 255) {
		return fmt.Errorf("%d is not between 1 and 255", n)
	}
	p.MaxSubscriptionTokens = n
	return err
}
