package authtest_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

const folder = "../testdata/vectors"

const accepted = `# a comment
title: a title: with a colon
rule: F001
now: 2026-01-05T12:00:00Z
rule: B3

connected: MQTT 2
account: AKEY a.b.c
want: ok
`

const refused = accepted + `twin: other.txt
differs: jwt
reason: token_missing
step: token
wire: Authorization Violation
`

func without(text, line string) string { return strings.Replace(text, line+"\n", "", 1) }

// TestReadVector reads good files and refuses the others by name and line.
func TestReadVector(t *testing.T) {
	accepting := strings.Replace(refused, "want: ok", "want: refused", 1)
	ending := accepted + "twin: other.txt\ndiffers: then\nthen: close\nended: session_closed\nended_wire: Authorization Violation\n"
	for _, row := range []struct{ name, text, want string }{
		{"accepted", accepted, ""},
		{"refused", accepting, ""},
		{"ended", ending, ""},
		{"an unknown key", accepted + "tittle: x\n", `x.txt:10: unknown key "tittle"`},
		{"no key", accepted + "tittle\n", "x.txt:10: no key"},
		{"no value", accepted + "jwt:  \n", `key "jwt" has no value`},
		{"a key twice", accepted + "title: x\n", `key "title" is there twice`},
		{"a time that is none", accepted + "expires: noon\n", `key "expires"`},
		{"a time in another zone", accepted + "expires: 2026-01-05T12:00:00+01:00\n", "spelled otherwise"},
		{"a switch that is on", accepted + "mirror: yes\n", ""},
		{"a switch that is off", accepted + "mirror: no\n", "spelled otherwise"},
		{"a switch that is neither", accepted + "mirror: true\n", "spelled otherwise"},
		{"a number that is none", accepted + "lookups: many\n", `key "lookups"`},
		{"a limit that is none", accepted + "payload: much\n", `key "payload"`},
		{"a number with a sign", accepted + "lookups: +1\n", "spelled otherwise"},
		{"a type that is none", accepted + "connection_type: PIGEON\n", "no connection type"},
		{"a type in small letters", accepted + "connection_type: mqtt\n", "spelled otherwise"},
		{"connections without a number", accepted + "connected: MQTT\n", "two words"},
		{"connections of no type", accepted + "connected: PIGEON 1\n", "no connection type"},
		{"an answer without a token", accepted + "account: AKEY\n", "two words"},
		{"an address that is none", accepted + "source: here\n", `key "source"`},
		{"an action that is none", accepted + "then: wait\n", "no action"},
		{"a sweep without a time", accepted + "then: sweep\n", `key "then"`},
		{"neither yes nor no", accepted + "asked: maybe\n", "none of"},
		{"permissions from nowhere", accepted + "permissions_from: heaven\n", "none of"},
		{"a verdict that is none", strings.Replace(accepted, "want: ok", "want: fine", 1), "none of"},
		{"a reason that is none", strings.Replace(accepting, "token_missing", "lazy", 1), "no reason"},
		{"no title", without(accepted, "title: a title: with a colon"), `key "title" is missing`},
		{"no time", without(accepted, "now: 2026-01-05T12:00:00Z"), `key "now" is missing`},
		{"no verdict", without(accepted, "want: ok"), `key "want" is missing`},
		{"accepted for a reason", refused, "reason, step and wire"},
		{"refused without a reason", without(accepting, "reason: token_missing"), "reason, step and wire"},
		{"refused without a step", without(accepting, "step: token"), "reason, step and wire"},
		{"refused without a text", without(accepting, "wire: Authorization Violation"), "reason, step and wire"},
		{"refused without a twin", without(accepting, "twin: other.txt"), "has a twin"},
		{"refused without a difference", without(accepting, "differs: jwt"), "has a twin"},
		{"accepted with a twin", accepted + "twin: other.txt\ndiffers: jwt\n", "has a twin"},
		{"ended without an action", without(ending, "then: close"), "ended comes after"},
		{"ended without a text", without(ending, "ended_wire: Authorization Violation"), "ended_wire"},
		{"ended without a twin", without(ending, "twin: other.txt"), "has a twin"},
		{"refused, then ended", accepting + "then: close\nended: session_closed\nended_wire: x\n", "ended comes after"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v, err := authtest.ReadVector("x.txt", strings.NewReader(row.text))
			if row.want == "" {
				require.NoError(t, err)
				require.Equal(t, "x.txt", v.File)
				return
			}
			require.Nil(t, v)
			require.ErrorContains(t, err, row.want)
			require.ErrorContains(t, err, "authtest: x.txt")
		})
	}
}

// TestVectorValues reads what a file says into the right places.
func TestVectorValues(t *testing.T) {
	v, err := authtest.ReadVector("x.txt", strings.NewReader(accepted))
	require.NoError(t, err)
	require.Equal(t, "a title: with a colon", v.Title)
	require.Equal(t, []string{"F001", "B3"}, v.Rules)
	require.True(t, authtest.Now().Equal(v.Now))
	require.Equal(t, []authtest.Connected{{Type: auth.MQTT, N: 2}}, v.Connected)
	require.Equal(t, []authtest.Answer{{Key: "AKEY", Token: "a.b.c"}}, v.Accounts)
	require.Equal(t, []string{"MQTT 2"}, v.Values("connected"))
	require.Nil(t, v.Values("unheard of"))
}

// TestVectorDiff compares settings, not outcomes.
func TestVectorDiff(t *testing.T) {
	a := &authtest.Vector{Title: "a", Lookups: 1, Wire: "a"}
	b := &authtest.Vector{Title: "b", Lookups: 1, Wire: "b"}
	require.Empty(t, a.Diff(b))
	b.Client.JWT, b.Lookups = "x", 2
	require.Equal(t, []string{"lookups", "jwt"}, a.Diff(b))
}

// TestVectorConfig wants an error for what no broker can be made of.
func TestVectorConfig(t *testing.T) {
	for _, v := range []authtest.Vector{{Location: "Mars/Olympus_Mons"}, {Stored: []string{"letmein"}}} {
		_, err := v.Config()
		require.ErrorContains(t, err, "authtest: ")
	}
	c, err := (&authtest.Vector{}).Config()
	require.NoError(t, err)
	require.Nil(t, c.Store, "no stored token, no store")
}

// TestMarshalText refuses what would be read as something else.
func TestMarshalText(t *testing.T) {
	for _, bad := range []string{" ", " x", "x ", "x\ny", "x\rwant: ok"} {
		v := &authtest.Vector{Title: "x"}
		v.Client.Password = bad
		text, err := v.MarshalText()
		require.ErrorContains(t, err, `"password"`)
		require.Nil(t, text)
	}
}

// TestLoadVectors wants vectors in a folder, and good ones.
func TestLoadVectors(t *testing.T) {
	good, bad := &fstest.MapFile{Data: []byte(accepted)}, &fstest.MapFile{Data: []byte("x: y")}
	all, err := authtest.LoadVectors(fstest.MapFS{"b.txt": good, "a.txt": good, "README.md": bad})
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "a.txt", all[0].File)
	for _, folder := range []fstest.MapFS{{}, {"README.md": good}, {"a.txt": good, "b.txt": bad}} {
		all, err := authtest.LoadVectors(folder)
		require.Error(t, err)
		require.Nil(t, all)
	}
}

// FuzzReadVector writes what it could read, and reads that again.
func FuzzReadVector(f *testing.F) {
	seeds, err := os.ReadDir(folder)
	require.NoError(f, err)
	require.Greater(f, len(seeds), 100)
	for _, s := range seeds {
		text, err := os.ReadFile(folder + "/" + s.Name())
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := authtest.ReadVector("x.txt", bytes.NewReader(text))
		if err != nil {
			require.Nil(t, v)
			return
		}
		written, err := v.MarshalText()
		if err != nil {
			return // a carriage return inside a line
		}
		again, err := authtest.ReadVector("x.txt", bytes.NewReader(written))
		require.NoError(t, err)
		rewritten, err := again.MarshalText()
		require.NoError(t, err)
		require.Equal(t, string(written), string(rewritten))
	})
}
