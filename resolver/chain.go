package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Chain makes one Resolver of several, which asks them in order until one has the token. It answers [ErrNotFound] only
// if each of them does: where one could not say, and none of the others has the token, the answer wraps
// [ErrUnavailable] and the reasons. A context that has ended stops the chain with the same.
//
// The empty chain answers ErrNotFound. A nil member answers ErrUnavailable. The chain keeps a copy of the list, and may
// be used by several goroutines.
func Chain(rs ...Resolver) Resolver {
	return chain(slices.Clone(rs))
}

type chain []Resolver

func (c chain) Resolve(ctx context.Context, account string) (string, error) {
	var outage error
	for i, r := range c {
		if err := ended(ctx); err != nil {
			return "", err
		}
		token, err := ask(ctx, r, account)
		if err == nil {
			return token, nil
		}
		if !IsNotFound(err) {
			outage = remember(outage, i, err)
		}
	}
	if outage != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, outage)
	}
	return "", ErrNotFound
}

func ask(ctx context.Context, r Resolver, account string) (string, error) {
	if r == nil {
		return "", fmt.Errorf("%w: nil Resolver", ErrUnavailable)
	}
	return r.Resolve(ctx, account)
}

// remember adds the reason of member i to those before. A reason that would pass for [ErrNotFound] keeps its text only.
func remember(before error, i int, err error) error {
	if errors.Is(err, ErrNotFound) {
		err = errors.New(err.Error())
	}
	if before == nil {
		return fmt.Errorf("member %d: %w", i, err)
	}
	return fmt.Errorf("%w; member %d: %w", before, i, err)
}
