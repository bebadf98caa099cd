package url_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

// This file is about servers that are down, slow or hostile, over real connections.

// raw is a server that says the same bytes to everybody, and closes.
func raw(t testing.TB, text string) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			io.WriteString(c, text)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestB7ServerIsDown(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	r := dial(t, s.URL, url.Options{})
	err := fails(t, r, url.ErrNoAnswer)
	var network *net.OpError
	require.ErrorAs(t, err, &network)
	require.Equal(t, url.Stats{Requests: 3, Retries: 2, Failures: 1}, r.Stats())
	outage(t, r.Probe(t.Context()), url.ErrNoAnswer)
	require.EqualValues(t, 4, r.Stats().Requests)
}

func TestB7ServerBreaksOff(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for _, row := range []struct {
		name, text string
		err        error
	}{
		{"nothing", "", io.EOF},
		{"half a header", "HTTP/1.1 200 OK\r\n", io.ErrUnexpectedEOF},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + token, io.ErrUnexpectedEOF},
		{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + token, io.ErrUnexpectedEOF},
		{"another protocol", "INFO {}\r\n", url.ErrNoAnswer},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := fails(t, dial(t, raw(t, row.text), url.Options{}), row.err)
			require.ErrorIs(t, err, url.ErrNoAnswer)
		})
	}
	whole := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(token), token)
	gives(t, dial(t, raw(t, whole), url.Options{}), token)
}

// TestF107SlowServer: headers that do not come, and a body that stops.
func TestF107SlowServer(t *testing.T) {
	stall := func(begin ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, text := range begin {
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		}
	}
	for _, h := range []http.HandlerFunc{stall(), stall("eyJ")} {
		r := dial(t, serve(t, h).URL, url.Options{Timeout: 50 * time.Millisecond, Attempts: 2})
		require.ErrorIs(t, fails(t, r, url.ErrNoAnswer), context.DeadlineExceeded)
		require.EqualValues(t, 2, r.Stats().Requests)
	}
}

func TestB18BodyIsBounded(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	n := len(token) + 100
	for _, row := range []struct {
		name string
		size int
		ok   bool
	}{{"a byte less", n - 1, true}, {"the bound", n, true}, {"a byte more", n + 1, false}} {
		for _, length := range []bool{true, false} {
			t.Run(row.name+", its length told: "+strconv.FormatBool(length), func(t *testing.T) {
				body := token + strings.Repeat("\n", row.size-len(token))
				s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if length {
						w.Header().Set("Content-Length", strconv.Itoa(len(body)))
					} else {
						w.(http.Flusher).Flush()
					}
					io.WriteString(w, body)
				}))
				r := dial(t, s.URL, url.Options{MaxBody: n})
				if row.ok {
					gives(t, r, token)
					return
				}
				fails(t, r, url.ErrTooLarge)
				require.EqualValues(t, 1, r.Stats().Requests, "it will not be smaller")
			})
		}
	}
}

func TestB18BodyWithoutEnd(t *testing.T) {
	chunk := bytes.Repeat([]byte("e"), 64<<10)
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	fails(t, dial(t, serve(t, endless).URL, url.Options{Timeout: time.Minute}), url.ErrTooLarge)
}

// TestB18Compression: we ask for none. What a server compresses all the same is no token, and what another's transport
// makes of it counts as it is read.
func TestB18Compression(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 2 {
		z.Write(zeros)
	}
	require.NoError(t, z.Close())
	require.Less(t, bomb.Len(), 8<<10)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Accepted", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb.Bytes())
	}))
	fails(t, dial(t, s.URL, url.Options{}), url.ErrToken)

	own := new(http.Transport)
	defer own.CloseIdleConnections()
	inflating := transport(func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		r.Header.Del("Accept-Encoding") // own asks for gzip then, and inflates
		return own.RoundTrip(r)
	})
	fails(t, dial(t, s.URL, url.Options{Transport: inflating}), url.ErrTooLarge)
}

func TestB18HeaderIsBounded(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	s := serve(t, says(reply{200, map[string]string{"X-Much": strings.Repeat("x", 100<<10)}, token}))
	r := dial(t, s.URL, url.Options{})
	fails(t, r, url.ErrNoAnswer)
	gives(t, dial(t, s.URL, url.Options{MaxHeader: 128 << 10}), token)
}

// TestConnectionsAreUsedAgain: also after answers that are not read.
func TestConnectionsAreUsedAgain(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	elsewhere := to("/x")
	elsewhere.body = "there"
	replies := []reply{{404, nil, "no matching account JWT"}, {503, nil, "later"}, {200, nil, token}, elsewhere}
	n, clients := 0, make(map[string]bool)
	r := dial(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clients[r.RemoteAddr] = true
		says(replies[n%len(replies)])(w, r)
		n++
	})).URL, url.Options{Attempts: 1})
	for range 3 {
		notFound(t, r)
		fails(t, r, nil)
		gives(t, r, token)
		notFound(t, r) // by way of the redirect
		fails(t, r, nil)
		gives(t, r, token)
		n = 0
	}
	require.Len(t, clients, 1)
}
