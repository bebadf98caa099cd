package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// sentByNSC reads what nsc has sent.
func sentByNSC(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(nscHere, "push", name+".txt"))
	require.NoError(t, err)
	return string(text)
}

// messages reads so many messages, and gives their bodies.
func (c *raw) messages(n int) []string {
	c.t.Helper()
	var out []string
	for len(out) < n {
		words := strings.Fields(c.line())
		require.Contains(c.t, []string{"MSG"}, words[0])
		size, err := strconv.Atoi(words[len(words)-1])
		require.NoError(c.t, err)
		body := c.line()
		require.Len(c.t, body, size)
		out = append(out, body)
	}
	return out
}

// claimsAnswer is what the claims protocol answers.
type claimsAnswer struct {
	Server struct{ Name string }
	Data   json.RawMessage
	Error  *struct {
		Code        int
		Description string
	}
}

func readAnswer(t *testing.T, text string) claimsAnswer {
	t.Helper()
	var a claimsAnswer
	require.NoError(t, json.Unmarshal([]byte(text), &a), text)
	require.NotEmpty(t, a.Server.Name)
	return a
}

// askClaims sends a request of the claims protocol, and gives the answer.
func askClaims(t *testing.T, nc *nats.Conn, subject, body string) claimsAnswer {
	t.Helper()
	m, err := nc.Request(subject, []byte(body), patience)
	require.NoError(t, err)
	return readAnswer(t, string(m.Data))
}

// TestF131NSC replays what nsc sends to push, pull and prune accounts.
func TestF131NSC(t *testing.T) {
	dir := t.TempDir()
	text := readText(t, filepath.Join(nscHere, "push", "nats.conf"))
	if reference() { // its folder is relative to the process
		text = strings.Replace(text, "'./jwt'", "'"+filepath.Join(dir, "jwt")+"'", 1)
	}
	s := serveIn(t, dir, text)
	creds := readText(t, filepath.Join(nscHere, "push", "sys.creds"))
	token, err := jwt.ParseDecoratedJWT([]byte(creds))
	require.NoError(t, err)
	pair, err := nkeys.ParseDecoratedUserNKey([]byte(creds))
	require.NoError(t, err)
	enterSystem := func() *raw {
		c := dial(t, s)
		c.connect(user{token, pair})
		c.sync()
		return c
	}

	push := sentByNSC(t, "push")
	pushed := map[string]string{} // by account
	for _, line := range strings.Split(push, "\r\n") {
		if account, err := jwt.DecodeAccountClaims(line); err == nil {
			pushed[account.Subject] = line
		}
	}
	require.Len(t, pushed, 3)
	c := enterSystem()
	c.send("%s", push)
	for _, text := range c.messages(3) {
		a := readAnswer(t, text)
		require.Nil(t, a.Error, text)
		require.Contains(t, string(a.Data), `"jwt updated"`)
		require.Contains(t, string(a.Data), `"code":200`)
	}
	for key, token := range pushed {
		require.Equal(t, token, readText(t, filepath.Join(dir, "jwt", key+".jwt")))
	}

	s.restart() // and keeps them
	c = enterSystem()
	c.send("%s", sentByNSC(t, "pull"))
	pulled := map[string]string{}
	for _, text := range c.messages(4) {
		for line := range strings.Lines(text) {
			key, token, _ := strings.Cut(strings.TrimSpace(line), "|")
			pulled[key] = token
		}
	}
	require.Equal(t, pushed, pulled)

	c = enterSystem()
	c.send("%s", sentByNSC(t, "prune"))
	answers := c.messages(2) // in any order: one reads, the other writes
	list, deleted := readAnswer(t, answers[0]), readAnswer(t, answers[1])
	if !bytes.HasPrefix(list.Data, []byte("[")) {
		list, deleted = deleted, list
	}
	var keys []string
	require.NoError(t, json.Unmarshal(list.Data, &keys))
	require.Len(t, keys, 3)
	if !reference() { // a request is good for five minutes (B23)
		require.NotNil(t, deleted.Error)
		require.Contains(t, deleted.Error.Description, "old")
	}
}

// TestPush: a system user pushes, lists and deletes accounts, and live sessions change with them; nobody else
// does.
func TestPush(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := serveIn(t, dir, "operator: "+w.operator.Token()+"\nsystem_account: "+w.sys.PublicKey()+
		"\nresolver { type: full, dir: '"+filepath.Join(dir, "jwt")+"', allow_delete: true }\nresolver_preload { "+w.sys.PublicKey()+": "+w.sys.Token()+" }\n")
	admin := dialNATS(t, s, of(w.sys.User("admin")))
	ask := func(nc *nats.Conn, subject, body string) claimsAnswer {
		t.Helper()
		return askClaims(t, nc, subject, body)
	}
	ok := func(a claimsAnswer) {
		t.Helper()
		require.Nil(t, a.Error)
	}
	ok(ask(admin, "$SYS.REQ.CLAIMS.UPDATE", w.app.Token()))
	ok(ask(admin, "$SYS.REQ.ACCOUNT."+w.shop.PublicKey()+".CLAIMS.UPDATE", w.shop.Token()))
	require.NotNil(t, ask(admin, "$SYS.REQ.ACCOUNT."+w.shop.PublicKey()+".CLAIMS.UPDATE", w.app.Token()).Error)

	one, two, shop := together(t, s, of(w.app.User("one"))), together(t, s, of(w.app.User("two"))), dialNATS(t, s, of(w.shop.User("u")))
	revoked := w.app.Renew(authtest.Revoke("one", authtest.Now()))
	a := ask(admin, "$SYS.REQ.ACCOUNT."+w.app.PublicKey()+".CLAIMS.UPDATE", revoked.Token())
	ok(a)
	if !reference() {
		require.Contains(t, string(a.Data), `"report"`)
	}
	one.wantEnd("User Authentication Revoked")
	two.talk()
	m, err := admin.Request("$SYS.REQ.ACCOUNT."+w.app.PublicKey()+".CLAIMS.LOOKUP", nil, patience)
	require.NoError(t, err)
	require.Equal(t, revoked.Token(), string(m.Data))

	_, err = shop.Request("$SYS.REQ.CLAIMS.UPDATE", []byte(w.app.Token()), patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	if !reference() {
		foreign := authtest.NewOperator(t, authtest.From("elsewhere")).Account("X")
		require.NotNil(t, ask(admin, "$SYS.REQ.CLAIMS.UPDATE", foreign.Token()).Error)
		require.NoFileExists(t, filepath.Join(dir, "jwt", foreign.PublicKey()+".jwt"))
		require.NotNil(t, ask(admin, "$SYS.REQ.CLAIMS.UPDATE", w.app.Token()).Error, "an older one")
	}

	deletion := jwt.NewGenericClaims(w.operator.PublicKey())
	deletion.Data["accounts"] = []string{w.app.PublicKey()}
	deletion.Expires = time.Now().Add(time.Minute).Unix()
	request, err := deletion.Encode(w.operator.Key())
	require.NoError(t, err)
	ok(ask(admin, "$SYS.REQ.CLAIMS.DELETE", request))
	two.wantEnd("Account Authentication Expired")
	require.NoFileExists(t, filepath.Join(dir, "jwt", w.app.PublicKey()+".jwt"))
	_, err = os.Stat(filepath.Join(dir, "jwt", w.app.PublicKey()+".jwt.deleted"))
	require.NoError(t, err)
	require.NotNil(t, refuseNATS(t, s, of(w.app.User("two"))))
}

// TestF105Push: where accounts come from the file or from an account server, a system user updates those that are in
// use, and live sessions change with them.
func TestF105Push(t *testing.T) {
	for name, config := range map[string]func(*testing.T, *world) string{
		"memory": func(_ *testing.T, w *world) string { return w.config() },
		"an account server": func(t *testing.T, w *world) string {
			server := httptest.NewServer(accountServer(t, w.sys, w.app, w.shop))
			t.Cleanup(server.Close)
			return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(%s)\n", w.operator.Token(), w.sys.PublicKey(), server.URL+accountsPath)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := serve(t, config(t, w))
			admin := dialNATS(t, s, of(w.sys.User("admin")))
			update := func(of *authtest.Account, token *authtest.Account) claimsAnswer {
				t.Helper()
				return askClaims(t, admin, "$SYS.REQ.ACCOUNT."+of.PublicKey()+".CLAIMS.UPDATE", token.Token())
			}
			a := update(w.shop, w.shop.Renew())
			require.Nil(t, a.Error)
			require.Contains(t, string(a.Data), `"jwt update skipped"`)
			require.Contains(t, string(a.Data), `"code":200`)

			one, two := together(t, s, of(w.app.User("one"))), together(t, s, of(w.app.User("two")))
			revoked := w.app.Renew(authtest.Revoke("one", authtest.Now()))
			require.NotNil(t, update(w.app, revoked.Renew(authtest.Revoke("two", authtest.Now()), authtest.SignedByKey(w.shop.Key()))).Error)
			require.NotNil(t, update(w.app, w.shop).Error)
			one.talk()
			two.talk()
			a = update(w.app, revoked)
			require.Nil(t, a.Error)
			require.Contains(t, string(a.Data), `"jwt updated"`)
			one.wantEnd("User Authentication Revoked")
			two.talk()
			require.NotNil(t, refuseNATS(t, s, of(w.app.User("one"))))

			again := revoked.Renew(authtest.Revoke("two", authtest.Now()))
			a = askClaims(t, admin, "$SYS.ACCOUNT."+w.app.PublicKey()+".CLAIMS.UPDATE", again.Token())
			require.Nil(t, a.Error)
			two.wantEnd("User Authentication Revoked")
			if !reference() {
				require.Contains(t, string(a.Data), `"closed_count":2`, "each of the pair")
				a = update(w.app, revoked)
				require.NotNil(t, a.Error)
				require.Contains(t, a.Error.Description, "older")
				require.NotNil(t, refuseNATS(t, s, of(w.app.User("two"))))
			}
			for _, subject := range []string{"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.PACK", "$SYS.REQ.CLAIMS.DELETE"} {
				_, err := admin.Request(subject, []byte(again.Token()), patience)
				require.ErrorIs(t, err, nats.ErrNoResponders, subject)
			}
			_, err := dialNATS(t, s, of(w.shop.User("u"))).Request("$SYS.REQ.ACCOUNT."+w.shop.PublicKey()+".CLAIMS.UPDATE", []byte(w.shop.Token()), patience)
			require.ErrorIs(t, err, nats.ErrNoResponders)
		})
	}
}

// TestF105Restart: what was pushed into memory lasts as long as the broker.
func TestF105Restart(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	enter(t, s, of(w.app.User("u"))).sync()
	a := askClaims(t, dialNATS(t, s, of(w.sys.User("admin"))), "$SYS.REQ.ACCOUNT."+w.app.PublicKey()+".CLAIMS.UPDATE",
		w.app.Renew(authtest.Revoke("u", authtest.Now())).Token())
	require.Nil(t, a.Error)
	require.NotNil(t, refuseNATS(t, s, of(w.app.User("u"))))
	if !reference() {
		require.NoError(t, s.again()) // the file's token is older
		waitFor(t, "the file to be read again", func() bool { return strings.Contains(s.log.String(), "msg=reloaded") })
		require.NotNil(t, refuseNATS(t, s, of(w.app.User("u"))))
	}
	s.restart()
	enter(t, s, of(w.app.User("u"))).sync()
}
