package url_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

func to(location string) reply { return reply{302, map[string]string{"Location": location}, ""} }

func TestB18Redirects(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for _, row := range []struct {
		name        string
		option, how int
		ok          bool
	}{
		{"none", 0, 0, true},
		{"one less than by default", 0, 2, true},
		{"as many as by default", 0, 3, true},
		{"one more than by default", 0, 4, false},
		{"one, and one is followed", 1, 1, true},
		{"two, and one is followed", 1, 2, false},
		{"none, and none is followed", -1, 0, true},
		{"one, and none is followed", -1, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := 0
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n++; n <= row.how {
					http.Redirect(w, r, "/"+strconv.Itoa(n), http.StatusTemporaryRedirect)
					return
				}
				says(reply{200, nil, token})(w, r)
			}))
			r := dial(t, s.URL, url.Options{Redirects: row.option})
			if row.ok {
				gives(t, r, token)
				return
			}
			fails(t, r, url.ErrRedirect)
			require.Equal(t, row.how, n, "no attempt after it")
		})
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	account := resolvertest.Account(t, 1)
	for _, row := range []struct{ name, location, want string }{
		{"to itself", "", "to no URL"},
		{"to itself, by a relative path", account, "in a circle"},
		{"to itself, and a fragment", account + "#x", "in a circle"},
		{"to plain http", "http://accounts.example/" + account, "from https to another scheme"},
		{"to a file", "file:///etc/passwd", "to no URL"},
		{"to another scheme", "ftp://accounts.example/x", "from https to another scheme"},
		{"to no host", "https:///x", "to no URL"},
		{"to a path that is none", "https://h/%zz", "to no URL"},
		{"with a user", "https://u:p@accounts.example/x", "to no URL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			rt := scripted(to(row.location))
			err := fails(t, open(t, rt, url.Options{}), url.ErrRedirect)
			require.Contains(t, err.Error(), row.want)
			require.Len(t, rt.asked, 1)
		})
	}
	circle := scripted(to("/a"), to("/b"), to("/a"))
	err := fails(t, open(t, circle, url.Options{Redirects: 9}), url.ErrRedirect)
	require.Contains(t, err.Error(), "in a circle")
	require.Len(t, circle.asked, 3)
}

// TestB8HeaderStaysAtHome: it goes to the scheme, host and port of the base only, also on the way back.
func TestB8HeaderStaysAtHome(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for _, row := range []struct {
		location string
		sent     bool
	}{
		{"/elsewhere", true},
		{"https://accounts.example/elsewhere", true},
		{"https://ACCOUNTS.example/elsewhere", true},
		{"https://accounts.example:8443/elsewhere", false},
		{"https://other.example/elsewhere", false},
		{"https://sub.accounts.example/elsewhere", false},
		{"//other.example/elsewhere", false},
	} {
		rt := scripted(to(row.location), to("https://accounts.example/back"), reply{200, nil, token})
		o := url.Options{Header: http.Header{"authorization": {"s3cret"}, "X-Key": {"s3cret"}}}
		gives(t, open(t, rt, o), token)
		for i, sent := range []bool{true, row.sent, true} {
			h := rt.asked[i].Header
			require.Equal(t, sent, h.Get("Authorization") != "", "%s, request %d", row.location, i)
			require.Equal(t, sent, strings.Contains(fmt.Sprint(h), "s3cret"), "%s, request %d", row.location, i)
			require.Empty(t, h.Get("Referer"))
		}
	}
}

// TestB8HeaderAndScheme: the same name with another scheme is another server.
func TestB8HeaderAndScheme(t *testing.T) {
	for location, sent := range map[string]bool{"http://accounts.example/y": true, "https://accounts.example/y": false} {
		rt := scripted(to(location), reply{status: 404})
		r := dial(t, "http://accounts.example", url.Options{Transport: rt, Header: http.Header{"X-Key": {"s3cret"}}})
		notFound(t, r)
		require.Equal(t, []string{"s3cret"}, rt.asked[0].Header["X-Key"])
		require.Equal(t, sent, rt.asked[1].Header["X-Key"] != nil, location)
	}
}

func TestRedirectFromPlainToTLS(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	secure := serve(t, says(reply{200, nil, token}), func(*httptest.Server) {})
	plain := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, secure.URL+r.URL.Path, http.StatusMovedPermanently)
	}))
	back := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL+r.URL.Path, http.StatusMovedPermanently)
	}), func(*httptest.Server) {})
	trust := x509.NewCertPool()
	trust.AddCert(secure.Certificate())
	trust.AddCert(back.Certificate())
	o := url.Options{TLS: &tls.Config{RootCAs: trust}}
	gives(t, dial(t, plain.URL, o), token)
	fails(t, dial(t, back.URL, o), url.ErrRedirect)
}
