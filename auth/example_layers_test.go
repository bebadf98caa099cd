package auth_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/url"
)

// Layers, from the inside out: a directory that is ours, in which everything that was once found stays; accounts that are
// pinned, from the configuration; what an account server said in the last minute; the server. When the server is down and
// the process has forgotten everything, users connect by the directory.
//
// The directory is asked first about an account that is not in force, and the others about one that is: so a change at the
// server is in force after Refresh and the cache's TTL at the latest.
func Example_layers() {
	onServer := must(resolver.NewMemory(accountToken))
	server := httptest.NewServer(must(accountsrv.New(accountsrv.Config{Accounts: onServer})))
	defer server.Close()
	dir := must(os.MkdirTemp("", "natsauth"))
	defer os.RemoveAll(dir)

	for _, day := range []string{"first", "second"} {
		pinned := must(resolver.NewMemory( /* the system account, from a file */ ))
		remote := must(url.New(server.URL+"/jwt/v1/accounts", url.Options{Attempts: 1}))
		remembered := must(cache.New(remote, cache.Options{TTL: time.Minute}))
		kept := must(full.Open(dir, full.Options{}))
		authorizer := must(auth.New(auth.Config{
			Trust:    auth.Trust{Operators: []string{operatorToken}, SystemAccount: systemKey},
			Store:    kept,
			Resolver: resolver.Chain(pinned, remembered), // further servers go to the end
			Watch:    []resolver.Watcher{kept},           // who writes into the directory is heard
			Refresh:  5 * time.Minute,
			MaxStale: 24 * time.Hour,
		}))

		key := must(claims.ParseAccount(accountToken)).Key
		_, err := authorizer.Account(context.Background(), key)
		fmt.Println(day, "day:", err == nil, "by", remote.Stats().Requests, "requests")

		authorizer.Close()
		kept.Close()
		remembered.Close()
		remote.Close()
		server.Close() // overnight
	}
	// Output:
	// first day: true by 1 requests
	// second day: true by 0 requests
}
