package claims_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// contents are rules of content: a change of the good document that breaks the rule, and its twin that keeps it.
// Where ours is set, the rule is our own: the reference reads the bad document too.
var contents = map[string][]struct {
	name, bad, good string
	ours            bool
}{
	"operator": {
		{"subject is an account", `{"sub":"@A0"}`, `{"sub":"@O1"}`, true},
		{"subject is missing", `{"sub":null}`, `{}`, true},
		{"signing key of an account", `{"nats":{"signing_keys":["@A1"]}}`, `{"nats":{"signing_keys":["@O1"]}}`, false},
		{"second signing key is a word", `{"nats":{"signing_keys":["@O1","x"]}}`, `{"nats":{"signing_keys":["@O1","@O2"]}}`, false},
		{"signing key with a line break", `{"nats":{"signing_keys":["@O1\n"]}}`, `{"nats":{"signing_keys":[]}}`, true},
		{"system account is an operator", `{"nats":{"system_account":"@O0"}}`, `{"nats":{"system_account":"@A0"}}`, false},
		{"system account with a line break", `{"nats":{"system_account":"\r@A0"}}`, `{"nats":{"system_account":""}}`, true},
		{"version of two parts", `{"nats":{"assert_server_version":"2.15"}}`, `{"nats":{"assert_server_version":"2.15.0"}}`, false},
		{"negative version", `{"nats":{"assert_server_version":"2.-1.0"}}`, `{"nats":{"assert_server_version":""}}`, false},
		{"account server without a protocol", `{"nats":{"account_server_url":"host/jwt"}}`, `{"nats":{"account_server_url":"https://host/jwt"}}`, false},
		{"service over HTTP", `{"nats":{"operator_service_urls":["http://h"]}}`, `{"nats":{"operator_service_urls":["nats://h:4222","tls://h","ws://h","wss://h"]}}`, false},
		{"service with a password", `{"nats":{"operator_service_urls":["nats://u:p@h"]}}`, `{"nats":{"operator_service_urls":[""]}}`, false},
		{"line break in the name", `{"name":"a\nb"}`, `{"name":"a b"}`, true},
		{"line break in a tag", `{"nats":{"tags":["a","b\r"]}}`, `{"nats":{"tags":["a","b"]}}`, true},
	},
	"user": {
		{"subject is an account", `{"sub":"@A1"}`, `{"sub":"@U1"}`, true},
		{"subject is missing", `{"sub":null}`, `{}`, true},
		{"issuer account is a user", `{"nats":{"issuer_account":"@U1"}}`, `{"nats":{"issuer_account":"@A1"}}`, false},
		{"issuer account with a line break", `{"nats":{"issuer_account":"@A1\n"}}`, `{"nats":{"issuer_account":""}}`, true},
		{"empty subject", `{"nats":{"pub":{"allow":["a",""]}}}`, `{"nats":{"pub":{"allow":["a","b"]}}}`, false},
		{"leading dot", `{"nats":{"pub":{"deny":[".a"]}}}`, `{"nats":{"pub":{"deny":["a"]}}}`, false},
		{"trailing dot", `{"nats":{"sub":{"allow":["a."]}}}`, `{"nats":{"sub":{"allow":["a.b"]}}}`, false},
		{"two dots", `{"nats":{"sub":{"deny":["a..b"]}}}`, `{"nats":{"sub":{"deny":["a.*.b"]}}}`, false},
		{"queue group for publishing", `{"nats":{"pub":{"allow":["a q"]}}}`, `{"nats":{"sub":{"allow":["a q"]}}}`, false},
		{"queue group denied for publishing", `{"nats":{"pub":{"deny":["a q"]}}}`, `{"nats":{"sub":{"deny":["a q"]}}}`, false},
		{"three fields", `{"nats":{"sub":{"allow":["a q r"]}}}`, `{"nats":{"sub":{"allow":["a q"]}}}`, false},
		{"two spaces", `{"nats":{"sub":{"allow":["a  q"]}}}`, `{"nats":{"sub":{"allow":["a q.>"]}}}`, false},
		{"queue group with two dots", `{"nats":{"sub":{"allow":["a q..r"]}}}`, `{"nats":{"sub":{"allow":["a q.r"]}}}`, false},
		{"tab between subject and group", `{"nats":{"sub":{"allow":["a\tq"]}}}`, `{"nats":{"sub":{"allow":["a q"]}}}`, true},
		{"line break in an allowed subject", `{"nats":{"pub":{"allow":["a\r\nPUB b"]}}}`, `{"nats":{"pub":{"allow":["a.PUB"]}}}`, false},
		{"line break alone in an allowed subject", `{"nats":{"pub":{"allow":["a\nb"]}}}`, `{"nats":{"pub":{"allow":["ab"]}}}`, true},
		{"zero byte in a denied subject", `{"nats":{"pub":{"deny":["a\u0000"]}}}`, `{"nats":{"pub":{"deny":["a\u00e9"]}}}`, true},
		{"delete byte in a denied subject", `{"nats":{"sub":{"deny":["a\u007f"]}}}`, `{"nats":{"sub":{"deny":["a~"]}}}`, true},
		{"address without a length", `{"nats":{"src":["10.0.0.1"]}}`, `{"nats":{"src":["10.0.0.1/32"]}}`, false},
		{"address range too long", `{"nats":{"src":["10.0.0.0/33"]}}`, `{"nats":{"src":["10.0.0.0/0"]}}`, false},
		{"address range with leading zeros", `{"nats":{"src":["010.0.0.0/8"]}}`, `{"nats":{"src":["10.0.0.0/8"]}}`, false},
		{"second address range bad", `{"nats":{"src":["::/0","x"]}}`, `{"nats":{"src":["::/0","0.0.0.0/0"]}}`, false},
		{"address range with a zone", `{"nats":{"src":["fe80::%eth0/10"]}}`, `{"nats":{"src":["fe80::/10"]}}`, false},
		{"addresses as one bad text", `{"nats":{"src":"10.0.0.0/8 192.168.0.0/16"}}`, `{"nats":{"src":"10.0.0.0/8, 192.168.0.0/16"}}`, false},
		{"empty address range", `{"nats":{"src":[""]}}`, `{"nats":{"src":[]}}`, false},
		{"no end", `{"nats":{"times":[{"start":"08:00:00"}]}}`, `{"nats":{"times":[{"start":"08:00:00","end":"09:00:00"}]}}`, false},
		{"no start", `{"nats":{"times":[{"end":"08:00:00"}]}}`, `{"nats":{"times":[]}}`, false},
		{"hour 24", `{"nats":{"times":[{"start":"08:00:00","end":"24:00:00"}]}}`, `{"nats":{"times":[{"start":"8:00:00","end":"23:59:59"}]}}`, false},
		{"no seconds", `{"nats":{"times":[{"start":"08:00","end":"09:00:00"}]}}`, `{"nats":{"times":[{"start":"08:00:00","end":"08:00:00"}]}}`, false},
		{"time range of null", `{"nats":{"times":[null]}}`, `{"nats":{"times":null}}`, false},
		{"unknown zone", `{"nats":{"times_location":"Mars/Olympus"}}`, `{"nats":{"times_location":"Europe/Berlin"}}`, false},
		{"zone outside of the database", `{"nats":{"times_location":"../../etc/passwd"}}`, `{"nats":{"times_location":"UTC"}}`, false},
		{"zone by an absolute path", `{"nats":{"times_location":"/etc/localtime"}}`, `{"nats":{"times_location":""}}`, false},
		{"line break in the name", `{"name":"a\rb"}`, `{"name":"a b"}`, true},
		{"tab in the name", `{"name":"a\tb"}`, `{"name":"a b"}`, true},
		{"escape in the name", `{"name":"a\u001b[2Jb"}`, `{"name":"a[2Jb"}`, true},
		{"line separator in the name", `{"name":"a\u2028b"}`, `{"name":"a\u2027b"}`, true},
		{"line break in a tag", `{"nats":{"tags":["a:b\n"]}}`, `{"nats":{"tags":["a:b"]}}`, true},
	},
	"activation": {
		{"subject is a user", `{"sub":"@U0"}`, `{"sub":"@A2"}`, true},
		{"subject is everybody", `{"sub":"*"}`, `{}`, true},
		{"issuer account is an operator", `{"nats":{"issuer_account":"@O0"}}`, `{"nats":{"issuer_account":"@A1"}}`, false},
		{"no kind", `{"nats":{"kind":null}}`, `{"nats":{"kind":"service"}}`, false},
		{"no subject", `{"nats":{"subject":null}}`, `{"nats":{"subject":"*"}}`, false},
		{"two dots", `{"nats":{"subject":"a..b"}}`, `{"nats":{"subject":"a.>"}}`, false},
		{"space", `{"nats":{"subject":"a b"}}`, `{"nats":{"subject":"a.b"}}`, false},
		{"line break in the subject", `{"nats":{"subject":"a\n"}}`, `{"nats":{"subject":"a"}}`, true},
		{"line break in the name", `{"name":"a\nb"}`, `{"name":"orders.>"}`, true},
	},
	"account": {
		{"subject is an operator", `{"sub":"@O0"}`, `{"sub":"@A1"}`, true},
		{"line break in the name", `{"name":"a\nb"}`, `{"name":"a b"}`, true},
		{"line break in a tag", `{"nats":{"tags":["\n"]}}`, `{"nats":{"tags":[""]}}`, true},
		{"description too long", `{"nats":{"description":"` + strings.Repeat("d", 8193) + `"}}`, `{"nats":{"description":"` + strings.Repeat("d", 8192) + `"}}`, false},
		{"info URL without a scheme", `{"nats":{"info_url":"host/x"}}`, `{"nats":{"info_url":"https://host/x"}}`, false},

		{"null export", `{"nats":{"exports":[null]}}`, `{"nats":{"exports":[]}}`, false},
		{"export without a kind", `{"nats":{"exports":[{"subject":"a"}]}}`, `{"nats":{"exports":[{"subject":"a","type":"stream"}]}}`, false},
		{"export without a subject", `{"nats":{"exports":[{"type":"stream"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":">"}]}}`, false},
		{"export with a space", `{"nats":{"exports":[{"type":"stream","subject":"a b"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a"}]}}`, false},
		{"export with a line break", `{"nats":{"exports":[{"type":"stream","subject":"a\nb"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a.b"}]}}`, true},
		{"export whose name has a line break", `{"nats":{"exports":[{"type":"stream","subject":"a","name":"\n"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a","name":" "}]}}`, true},
		{"unknown response type", `{"nats":{"exports":[{"type":"service","subject":"a","response_type":"Many"}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","response_type":"Chunked"}]}}`, false},
		{"stream with a response type", `{"nats":{"exports":[{"type":"stream","subject":"a","response_type":"Singleton"}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","response_type":"Singleton"}]}}`, false},
		{"stream with a trace", `{"nats":{"exports":[{"type":"stream","subject":"a","allow_trace":true}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","allow_trace":true}]}}`, false},
		{"stream with a threshold", `{"nats":{"exports":[{"type":"stream","subject":"a","response_threshold":1}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","response_threshold":1}]}}`, false},
		{"negative threshold", `{"nats":{"exports":[{"type":"service","subject":"a","response_threshold":-1}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","response_threshold":0}]}}`, false},
		{"stream with latency", `{"nats":{"exports":[{"type":"stream","subject":"a","service_latency":{"sampling":1,"results":"r"}}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":1,"results":"r"}}]}}`, false},
		{"sampling of 101", `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":101,"results":"r"}}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":100,"results":"r"}}]}}`, false},
		{"sampling of -1", `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":-1,"results":"r"}}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":"headers","results":"r"}}]}}`, false},
		{"latency to a wildcard", `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":1,"results":"r.*"}}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":1,"results":"r.s"}}]}}`, false},
		{"latency to a line break", `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":1,"results":"\n"}}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":null}]}}`, true},
		{"latency to nowhere", `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{}}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a"}]}}`, false},
		{"position in a literal", `{"nats":{"exports":[{"type":"stream","subject":"a.b","account_token_position":2}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a.*","account_token_position":2}]}}`, false},
		{"position beyond the end", `{"nats":{"exports":[{"type":"stream","subject":"a.*","account_token_position":3}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a.*.*","account_token_position":3}]}}`, false},
		{"position of another token", `{"nats":{"exports":[{"type":"stream","subject":"a.*","account_token_position":1}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"*.a","account_token_position":1}]}}`, false},
		{"position of the tail", `{"nats":{"exports":[{"type":"stream","subject":"a.>","account_token_position":2}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a.>","account_token_position":0}]}}`, false},
		{"export described too long", `{"nats":{"exports":[{"type":"stream","subject":"a","description":"` + strings.Repeat("d", 8193) + `"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a","description":"` + strings.Repeat("d", 8192) + `"}]}}`, false},

		{"two equal streams", `{"nats":{"exports":[{"type":"stream","subject":"a"},{"type":"stream","subject":"a"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a"},{"type":"service","subject":"a"}]}}`, false},
		{"a stream in another", `{"nats":{"exports":[{"type":"stream","subject":"a.b"},{"type":"stream","subject":"a.*"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a.b"},{"type":"stream","subject":"b.*"}]}}`, false},
		{"a tail in a star", `{"nats":{"exports":[{"type":"service","subject":"a.>"},{"type":"service","subject":"a.*"}]}}`, `{"nats":{"exports":[{"type":"service","subject":"a.>"},{"type":"service","subject":"a"}]}}`, false},
		{"streams that cross", `{"nats":{"exports":[{"type":"stream","subject":"a.*"},{"type":"stream","subject":"*.*"}]}}`, `{"nats":{"exports":[{"type":"stream","subject":"a.*"},{"type":"stream","subject":"*.b"}]}}`, false},

		{"null import", `{"nats":{"imports":[null]}}`, `{"nats":{"imports":[]}}`, false},
		{"import without a kind", `{"nats":{"imports":[{"account":"@A1","subject":"a"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","type":"stream"}]}}`, false},
		{"import from nobody", `{"nats":{"imports":[{"subject":"a","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","type":"stream"}]}}`, false},
		{"import from a line break", `{"nats":{"imports":[{"account":"@A1\n","subject":"a","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"../@A1","subject":"a","type":"stream"}]}}`, true},
		{"import of nothing", `{"nats":{"imports":[{"account":"@A1","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"*","type":"stream"}]}}`, false},
		{"import of a line break", `{"nats":{"imports":[{"account":"@A1","subject":"a\r","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","name":"n","type":"stream"}]}}`, true},
		{"import whose name has a line break", `{"nats":{"imports":[{"account":"@A1","subject":"a","name":"n\n","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","name":"n","type":"stream"}]}}`, true},
		{"import to a line break", `{"nats":{"imports":[{"account":"@A1","subject":"a","to":"\n","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","to":"b","type":"stream"}]}}`, true},
		{"import named twice", `{"nats":{"imports":[{"account":"@A1","subject":"a","to":"b","local_subject":"b","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","local_subject":"b","type":"stream"}]}}`, false},
		{"stream that shares", `{"nats":{"imports":[{"account":"@A1","subject":"a","share":true,"type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","share":true,"type":"service"}]}}`, false},
		{"service with a trace", `{"nats":{"imports":[{"account":"@A1","subject":"a","allow_trace":true,"type":"service"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","allow_trace":true,"type":"stream"}]}}`, false},
		{"local subject with a space", `{"nats":{"imports":[{"account":"@A1","subject":"a","local_subject":"b c","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","local_subject":"b.c","type":"stream"}]}}`, false},
		{"local subject with a line break", `{"nats":{"imports":[{"account":"@A1","subject":"a","local_subject":"b\n","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","local_subject":"b","type":"stream"}]}}`, true},
		{"local subject loses the tail", `{"nats":{"imports":[{"account":"@A1","subject":"a.>","local_subject":"b","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a.>","local_subject":"b.>","type":"stream"}]}}`, false},
		{"local subject gains a tail", `{"nats":{"imports":[{"account":"@A1","subject":"a","local_subject":"b.>","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":">","local_subject":"b.>","type":"stream"}]}}`, false},
		{"local subject loses a star", `{"nats":{"imports":[{"account":"@A1","subject":"*.*","local_subject":"b.$1","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"*.*","local_subject":"b.$2.$1","type":"stream"}]}}`, false},
		{"local subject refers too far", `{"nats":{"imports":[{"account":"@A1","subject":"*.*","local_subject":"$3.*","type":"stream"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"*.*","local_subject":"$2.*","type":"stream"}]}}`, false},
		{"services at one place", `{"nats":{"imports":[{"account":"@A1","subject":"a","type":"service"},{"account":"@A1","subject":"b","local_subject":"a","type":"service"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"a","type":"service"},{"account":"@A2","subject":"b","local_subject":"a","type":"service"}]}}`, false},
		{"services that overlap by a reference", `{"nats":{"imports":[{"account":"@A1","subject":"x.*","local_subject":"a.$1","type":"service"},{"account":"@A1","subject":"y","to":"a.b","type":"service"}]}}`, `{"nats":{"imports":[{"account":"@A1","subject":"x.*","local_subject":"a.$1","type":"stream"},{"account":"@A1","subject":"y","to":"a.b","type":"service"}]}}`, false},

		{"one import too many", `{"nats":{"limits":{"imports":0},"imports":[{"account":"@A1","subject":"a","type":"stream"}]}}`, `{"nats":{"limits":{"imports":1},"imports":[{"account":"@A1","subject":"a","type":"stream"}]}}`, false},
		{"imports limited to -2", `{"nats":{"limits":{"imports":-2}}}`, `{"nats":{"limits":{"imports":0}}}`, false},
		{"one export too many", `{"nats":{"limits":{"exports":0},"exports":[{"subject":"a","type":"stream"}]}}`, `{"nats":{"limits":{"exports":1},"exports":[{"subject":"a","type":"stream"}]}}`, false},
		{"exports limited to -2", `{"nats":{"limits":{"exports":-2}}}`, `{"nats":{"limits":{"exports":0}}}`, false},
		{"wildcard export where none may be", `{"nats":{"limits":{"exports":1,"wildcards":false},"exports":[{"subject":"a.*","type":"stream"}]}}`, `{"nats":{"limits":{"exports":-1,"wildcards":false},"exports":[{"subject":"a.*","type":"stream"}]}}`, false},
		{"wildcard export where literal ones may be", `{"nats":{"limits":{"exports":1,"wildcards":false},"exports":[{"subject":">","type":"service"}]}}`, `{"nats":{"limits":{"exports":1,"wildcards":true},"exports":[{"subject":">","type":"service"}]}}`, false},
		{"limits missing, with an import", `{"nats":{"limits":null,"imports":[{"account":"@A1","subject":"a","type":"stream"}]}}`, `{"nats":{"limits":null}}`, false},
		{"tier without a name", `{"nats":{"limits":{"tiered_limits":{"":{}}}}}`, `{"nats":{"limits":{"tiered_limits":{"R1":{}}}}}`, false},

		{"mapping of nothing", `{"nats":{"mappings":{"":[]}}}`, `{"nats":{"mappings":{"a":null}}}`, false},
		{"mapping of a line break", `{"nats":{"mappings":{"\n":[]}}}`, `{"nats":{"mappings":{"a":[]}}}`, true},
		{"mapping to nothing", `{"nats":{"mappings":{"a":[{}]}}}`, `{"nats":{"mappings":{"a":[{"subject":"b"}]}}}`, false},
		{"mapping to a line break", `{"nats":{"mappings":{"a":[{"subject":"b\n"}]}}}`, `{"nats":{"mappings":{"a":[{"subject":"b"}]}}}`, true},
		{"weight of 101", `{"nats":{"mappings":{"a":[{"subject":"b","weight":101}]}}}`, `{"nats":{"mappings":{"a":[{"subject":"b","weight":100}]}}}`, false},
		{"weights of 101", `{"nats":{"mappings":{"a":[{"subject":"b","weight":60},{"subject":"c","weight":41}]}}}`, `{"nats":{"mappings":{"a":[{"subject":"b","weight":60},{"subject":"c","weight":40}]}}}`, false},
		{"weight left out counts whole", `{"nats":{"mappings":{"a":[{"subject":"b"},{"subject":"c","weight":1}]}}}`, `{"nats":{"mappings":{"a":[{"subject":"b"},{"subject":"c","weight":1,"cluster":"x"}]}}}`, false},
		{"weights of 101 in a cluster", `{"nats":{"mappings":{"a":[{"subject":"b","weight":60,"cluster":"x"},{"subject":"c","weight":41,"cluster":"x"}]}}}`, `{"nats":{"mappings":{"a":[{"subject":"b","weight":60,"cluster":"x"},{"subject":"c","weight":41,"cluster":"y"}]}}}`, false},

		{"bad default permission", `{"nats":{"default_permissions":{"pub":{"allow":["a."]}}}}`, `{"nats":{"default_permissions":{"pub":{"allow":["a"]}}}}`, false},
		{"queue group in a default to publish", `{"nats":{"default_permissions":{"pub":{"deny":["a q"]}}}}`, `{"nats":{"default_permissions":{"sub":{"deny":["a q"]}}}}`, false},
		{"line break in a default permission", `{"nats":{"default_permissions":{"sub":{"deny":["a\n"]}}}}`, `{"nats":{"default_permissions":{"sub":{"deny":["a"]}}}}`, true},

		{"signing key of a user", `{"nats":{"signing_keys":["@U1"]}}`, `{"nats":{"signing_keys":["@A1"]}}`, false},
		{"signing key with a line break", `{"nats":{"signing_keys":["@A1\n"]}}`, `{"nats":{"signing_keys":["@A1","@A0"]}}`, true},
		{"scope for the key of a user", `{"nats":{"signing_keys":[{"kind":"user_scope","key":"@U1"}]}}`, `{"nats":{"signing_keys":[{"kind":"user_scope","key":"@A1"}]}}`, false},
		{"scope for no key", `{"nats":{"signing_keys":[{"kind":"user_scope"}]}}`, `{"nats":{"signing_keys":[null,1,true]}}`, false},
		{"scope for a key with a line break", `{"nats":{"signing_keys":[{"kind":"user_scope","key":"\r\n@A1"}]}}`, `{"nats":{"signing_keys":[{"kind":"user_scope","key":"@A1","role":"r"}]}}`, true},

		{"callout of an account's key", `{"nats":{"authorization":{"auth_users":["@A1"]}}}`, `{"nats":{"authorization":{"auth_users":["@U1"]}}}`, false},
		{"callout with a line break", `{"nats":{"authorization":{"auth_users":["@U1\n"]}}}`, `{"nats":{"authorization":{}}}`, true},
		{"accounts without users", `{"nats":{"authorization":{"allowed_accounts":["@A1"]}}}`, `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["@A1"]}}}`, false},
		{"every account and one more", `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["*","@A1"]}}}`, `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["*"]}}}`, false},
		{"allowed account is a user", `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["@U1"]}}}`, `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["@A1","@A2"]}}}`, false},
		{"allowed account with a line break", `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["@A1\n"]}}}`, `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":[]}}}`, true},
		{"curve key that is none", `{"nats":{"authorization":{"auth_users":["@U1"],"xkey":"@A1"}}}`, `{"nats":{"authorization":{"auth_users":["@U1"],"xkey":"@X1"}}}`, false},

		{"trace to nowhere", `{"nats":{"trace":{}}}`, `{"nats":{"trace":null}}`, false},
		{"trace to a wildcard", `{"nats":{"trace":{"dest":"a.>"}}}`, `{"nats":{"trace":{"dest":"a.b"}}}`, false},
		{"trace to a line break", `{"nats":{"trace":{"dest":"a\n"}}}`, `{"nats":{"trace":{"dest":"a"}}}`, true},
		{"trace of 101", `{"nats":{"trace":{"dest":"a","sampling":101}}}`, `{"nats":{"trace":{"dest":"a","sampling":100}}}`, false},
		{"trace of -1", `{"nats":{"trace":{"dest":"a","sampling":-1}}}`, `{"nats":{"trace":{"dest":"a","sampling":0}}}`, false},
		{"unknown traffic", `{"nats":{"cluster_traffic":"other"}}`, `{"nats":{"cluster_traffic":"owner"}}`, false},
	},
}

func TestContent(t *testing.T) {
	each(func(kind string) {
		for _, row := range contents[kind] {
			t.Run(kind+", "+row.name, func(t *testing.T) {
				good, bad := mint(t, kind, row.good), mint(t, kind, row.bad)
				_, err := parsers[kind](t, good)
				require.NoError(t, err)
				require.NoError(t, reference(kind, good))

				_, err = parsers[kind](t, bad)
				require.ErrorIs(t, err, claims.ErrInvalid)
				require.Equal(t, row.ours, reference(kind, bad) == nil, "the rule is ours alone")
			})
		}
	})
}

// What has the wrong type never becomes content.
func TestContentOfTheWrongType(t *testing.T) {
	for _, row := range []struct{ kind, name, change string }{
		{"account", "weight of 256", `{"nats":{"mappings":{"a":[{"subject":"b","weight":256}]}}}`},
		{"account", "negative position", `{"nats":{"exports":[{"type":"stream","subject":"*","account_token_position":-1}]}}`},
		{"account", "kind nobody knows", `{"nats":{"exports":[{"type":"topic","subject":"a"}]}}`},
		{"account", "scope nobody knows", `{"nats":{"signing_keys":[{"kind":"account_scope","key":"@A1"}]}}`},
		{"account", "scope without a kind", `{"nats":{"signing_keys":[{"key":"@A1"}]}}`},
		{"account", "signing keys as a map", `{"nats":{"signing_keys":{"@A1":null}}}`},
		{"account", "sampling of all", `{"nats":{"exports":[{"type":"service","subject":"a","service_latency":{"sampling":"all","results":"r"}}]}}`},
		{"account", "limit over 64 bits", `{"nats":{"limits":{"conn":9223372036854775808}}}`},
		{"user", "sources as a number", `{"nats":{"src":1}}`},
		{"user", "permissions as a list", `{"nats":{"pub":[]}}`},
		{"user", "bearer as a word", `{"nats":{"bearer_token":"true"}}`},
		{"activation", "kind nobody knows", `{"nats":{"kind":"topic"}}`},
		{"operator", "signing key as a number", `{"nats":{"signing_keys":[1]}}`},
	} {
		t.Run(row.kind+", "+row.name, func(t *testing.T) {
			outcome(t, row.kind, mint(t, row.kind, row.change), claims.ErrMalformed)
		})
	}
}
