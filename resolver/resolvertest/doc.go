// Package resolvertest holds the promises of package resolver against an implementation: [Run] for what a
// resolver.Resolver and a resolver.Store say of themselves, [Remembers] for stores that keep the marks of accounts that
// were deleted. Ours pass it, and so should anybody's:
//
//	func TestStore(t *testing.T) {
//		resolvertest.Run(t, func(t *testing.T, tokens ...string) resolver.Resolver {
//			s := open(t)
//			for _, token := range tokens {
//				if _, err := s.Save(t.Context(), token, resolver.Merge); err != nil {
//					t.Fatal(err)
//				}
//			}
//			return s
//		})
//	}
//
// [RunWatcher] and [RunBus] do the same for a resolver.Watcher and a resolver.Bus. [Bus] is one in memory, for the tests of
// what works over one.
//
// The tokens are signed with keys that everybody can make: [Token] is for tests only.
package resolvertest
