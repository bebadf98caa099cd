package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
)

// TestNobodyToAsk: where there are no peers a full directory has all there is, and of a cache nobody knows what is missing;
// what the file preloads is not.
func TestNobodyToAsk(t *testing.T) {
	o := authtest.NewOperator(t)
	for kind, want := range map[config.Kind]error{config.Full: resolver.ErrNotFound, config.Cache: resolver.ErrUnavailable} {
		memory, err := resolver.NewMemory(o.Account("A").Token())
		require.NoError(t, err)
		a := &config.Accounts{Kind: kind, Memory: memory, Dir: t.TempDir(), Directory: full.Options{Limit: 1, Evict: kind == config.Cache}}
		log := slog.New(slog.DiscardHandler)
		s, err := openDirectory(t.Context(), a, new(broker.Relay), log)
		require.NoError(t, err)
		defer s.close(log)
		_, err = s.upstream.Resolve(t.Context(), o.Account("B").PublicKey())
		require.ErrorIs(t, err, want)
		require.Equal(t, kind == config.Full, resolver.IsNotFound(err))
		_, err = s.upstream.Resolve(t.Context(), o.Account("A").PublicKey())
		require.Equal(t, kind == config.Cache, err == nil)
	}
}
