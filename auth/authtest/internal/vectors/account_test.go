package vectors_test

import (
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// windowRows are about nbf and exp of user, account and operator: one rule for
// all three, and three rows for each end.
func windowRows() []row {
	var out []row
	for _, w := range []struct {
		name, rule      string
		of              func(client, ...authtest.Option) client
		early, over     auth.Reason
		earlyAt, overAt auth.Step
	}{
		{"user", "F005 F029", client.userOf, auth.UserNotYet, auth.UserExpired, auth.StepValidity, auth.StepValidity},
		{"account", "F005 F041", client.accountOf, auth.AccountNotYet, auth.AccountExpired, auth.StepTrust, auth.StepTrust},
		{"operator", "B12", client.operatorOf, auth.OperatorNotYet, auth.OperatorExpired, auth.StepTrust, auth.StepTrust},
	} {
		expiring, coming := w.of(plain, authtest.Expires(at(0))), w.of(plain, authtest.NotBefore(at(0)))
		out = append(out,
			admits(w.name+"_expires_before", w.rule+" B11", "a second before the "+w.name+"'s token expires", expiring.now(at(-1))),
			refuses(w.name+"_expires_at", w.rule+" B11", "the second in which the "+w.name+"'s token expires", w.name+"_expires_before",
				expiring, w.over, w.overAt),
			refuses(w.name+"_expires_after", w.rule+" B11", "a second after the "+w.name+"'s token has expired", w.name+"_expires_before",
				expiring.now(at(1)), w.over, w.overAt),
			refuses(w.name+"_not_before_before", w.rule+" B11", "a second before the "+w.name+"'s token begins", w.name+"_not_before_at",
				coming.now(at(-1)), w.early, w.earlyAt),
			admits(w.name+"_not_before_at", w.rule+" B11", "the second in which the "+w.name+"'s token begins", coming),
			admits(w.name+"_not_before_after", w.rule+" B11", "a second after the "+w.name+"'s token has begun", coming.now(at(1))),
		)
	}
	return out
}

// trustRows are about whom the broker believes.
func trustRows() []row {
	strict := plain.operatorOf(authtest.SigningKeys("os"), authtest.Strict()).
		accountOf(authtest.SignedBy("os"), authtest.SigningKey("sk"))
	loose := plain.operatorOf(authtest.SigningKeys("os")).accountOf(authtest.SignedBy("os"), authtest.SigningKey("sk"))
	keys := func(k ...string) client {
		return plain.with(func(s *scene) { s.Trust = auth.Trust{Keys: k} })
	}
	first, second := operatorKey("O"), operatorKey("second")
	pinned := func(c client, names ...string) client {
		return c.with(func(s *scene) {
			for _, n := range names {
				s.Trust.PinnedAccounts = append(s.Trust.PinnedAccounts, accountKey("O/"+n))
			}
		})
	}
	systemIs := func(name string) client {
		return pinned(plain, "B").with(func(s *scene) { s.Trust.SystemAccount = accountKey("O/" + name) })
	}
	selfSigned := plain.with(func(s *scene) {
		s.Accounts[0].Token = s.o.Account("A", authtest.SignedByKey(s.a.Key())).Token()
	})
	return []row{
		admits("operator_two", "F006", "two operators, the second one vouches", plain.with(func(s *scene) {
			s.Trust.Operators = []string{authtest.NewOperator(s.t, authtest.From("second")).Token(), s.o.Token()}
		})),
		refuses("operator_other", "F006 F031", "another operator than the one who vouches", "operator_two", plain.with(func(s *scene) {
			s.Trust.Operators = []string{authtest.NewOperator(s.t, authtest.From("second")).Token()}
		}), auth.AccountUntrusted, auth.StepTrust),
		admits("trusted_key", "F008", "a bare key in place of an operator's token", keys(second, first)),
		refuses("trusted_key_other", "F008", "bare keys, and none of them vouches", "trusted_key",
			keys(second), auth.AccountUntrusted, auth.StepTrust),
		refuses("account_of_stranger", "F031", "signed by an operator that nobody trusts", "plain", plain.with(func(s *scene) {
			s.Accounts[0].Token = s.o.Account("A", authtest.SignedByKey(authtest.Key(nkeys.PrefixByteOperator, "stranger"))).Token()
		}), auth.AccountUntrusted, auth.StepTrust),
		refuses("account_self_signed", "F031", "signed by the account itself", "plain", selfSigned, auth.AccountUntrusted, auth.StepTrust),
		admits("operator_signing_key", "F013", "signed by one of the operator's signing keys", loose),

		admits("strict", "F013 F014 B13", "strict: signing keys all the way", strict.userOf(authtest.SignedBy("sk"))),
		refuses("strict_operator_identity", "F013", "strict: the operator's identity key signs no account", "strict",
			strict.userOf(authtest.SignedBy("sk")).with(func(s *scene) {
				s.Accounts[0].Token = s.o.Account("A", authtest.SignedByKey(s.o.Key()), authtest.SigningKey("sk")).Token()
			}), auth.AccountUntrusted, auth.StepTrust),
		refuses("strict_account_identity", "F014 B13", "strict: the account's identity key signs no user", "strict_not",
			strict, auth.SignerIdentity, auth.StepSigner),
		admits("strict_not", "F014", "not strict: the account's identity key signs users", loose),

		admits("pinned", "F015", "one of the pinned accounts", pinned(plain, "B", "A")),
		refuses("pinned_not", "F015", "not one of the pinned accounts: refused before anybody is asked", "pinned",
			pinned(plain, "B", "C"), auth.AccountNotPinned, auth.StepPinned),
		admits("pinned_system", "F015", "the system account is pinned with the others", systemIs("A")),
		refuses("pinned_system_other", "F015", "another account is the system account", "pinned_system",
			systemIs("C"), auth.AccountNotPinned, auth.StepPinned),
		admits("pinned_system_of_operator", "F011 F015", "the system account that the operator names is pinned with the others",
			pinned(plain.operatorOf(authtest.SystemAccount("A")), "B")),
		admits("server_version", "F012", "a broker of the version that the operator asserts",
			plain.operatorOf(authtest.AssertServerVersion("2.10.0")).with(func(s *scene) { s.ServerVersion = "2.10.0" })),
	}
}

func operatorKey(path string) string { return public(authtest.Key(nkeys.PrefixByteOperator, path)) }

// accountRows are about what a look-up brings.
func accountRows() []row {
	answers := func(f func(*scene) []authtest.Answer) client {
		return plain.with(func(s *scene) { s.Accounts = f(s) })
	}
	garbage := func(text string) client {
		return plain.with(func(s *scene) { s.Accounts[0].Token = text })
	}
	invalid := func(file, rule, title, twin string, c client) row {
		return refuses(file, rule, title, twin, c, auth.AccountInvalid, auth.StepAccount)
	}
	tokenBytes := func(more int) client {
		return plain.accountOf(authtest.Tags("a long tag, so that the account's token is longer than the user's")).
			with(func(s *scene) { s.TokenBytes = len(s.a.Token()) + more })
	}
	imports := func(n int) client { return plain.accountOf(importing("a", "b")).with(func(s *scene) { s.Imports = n }) }
	exports := func(n int) client { return plain.accountOf(exporting("a", "b")).with(func(s *scene) { s.Exports = n }) }
	pending := func(lookups int) client {
		return plain.with(func(s *scene) { s.Lookups, s.Pending = lookups, []string{accountKey("O/B")} })
	}
	// upstream has a token of that time, and the store one of an hour ago.
	upstream := func(c client, issued time.Time, has ...authtest.Option) client {
		return c.with(func(s *scene) {
			s.Stored = []string{s.o.Account("A", has...).Token()}
			s.Accounts[0].Token = s.o.Account("A", authtest.IssuedAt(issued)).Token()
		})
	}
	stored := func(issued time.Time) client { return upstream(plain, issued, authtest.Expires(at(-60))) }
	mirror := func(issued time.Time) client {
		return upstream(plain.with(func(s *scene) { s.Mirror = true }), issued, authtest.Limits(5, -1))
	}
	const hour = 3600
	return []row{
		refuses("account_not_found", "F031", "nobody knows the account", "plain",
			answers(func(*scene) []authtest.Answer { return nil }), auth.AccountNotFound, auth.StepAccount),
		refuses("account_unavailable", "F031 B7", "nobody can be asked: that is not the same as not found", "plain",
			plain.with(func(s *scene) { s.Unavailable = []string{s.a.PublicKey()} }), auth.AccountUnavailable, auth.StepAccount),
		refuses("account_pending", "B18", "as many look-ups under way as there may be", "account_pending_before",
			pending(1), auth.AccountBusy, auth.StepAccount),
		admits("account_pending_before", "B18", "one look-up under way fewer than there may be", pending(2)),

		invalid("account_garbage", "F031", "what was found is no token", "plain", garbage("letmein")),
		invalid("account_of_user", "F031", "what was found says it is a user's", "plain", plain.accountOf(nats("type", "user"))),
		invalid("account_tampered", "F031", "a bit of the account token's signature turned", "plain",
			plain.with(func(s *scene) { s.Accounts[0].Token = tampered(s.a.Token()) })),
		invalid("account_nats_null", "F031 null-objects", "null where the account's own claims belong", "plain", plain.accountOf(claim("nats", nil))),
		invalid("account_sub_short", "B19 key-length", "the account's sub is a key of 31 bytes", "plain",
			plain.accountOf(claim("sub", short(nkeys.PrefixByteAccount)))),
		invalid("account_signing_key_short", "B19 key-length", "a signing key of 31 bytes", "account_signing_key",
			plain.accountOf(authtest.SigningKey("sk"), nats("signing_keys", []string{short(nkeys.PrefixByteAccount)}))),
		admits("account_signing_key", "F033", "a signing key that is not used", plain.accountOf(authtest.SigningKey("sk"))),
		invalid("account_name_line_break", "line-breaks", "a line break in the account's name", "plain", plain.accountOf(authtest.Name("A\nB"))),
		admits("account_bytes_at", "B18", "an account token of as many bytes as allowed", tokenBytes(0)),
		invalid("account_bytes_over", "B18", "an account token of a byte more than allowed", "account_bytes_at", tokenBytes(-1)),
		admits("account_imports_before", "B18", "one import fewer than allowed", imports(3)),
		admits("account_imports_at", "B18", "as many imports as allowed", imports(2)),
		invalid("account_imports_over", "B18", "one import more than allowed", "account_imports_at", imports(1)),
		admits("account_exports_at", "B18", "as many exports as allowed", exports(2)),
		invalid("account_exports_over", "B18", "one export more than allowed", "account_exports_at", exports(1)),

		refuses("account_mismatch", "F031", "what was found is another account's token", "plain",
			answers(func(s *scene) []authtest.Answer {
				return []authtest.Answer{{Key: s.a.PublicKey(), Token: s.o.Account("A", authtest.From("O/B")).Token()}}
			}), auth.AccountMismatch, auth.StepAccount),
		refuses("account_named_by_user", "F030 F033 chosen-account", "the user names an account that did not sign it", "issuer_account_two",
			twoAccounts("B"), auth.SignerUnknown, auth.StepSigner),
		admits("issuer_account_two", "F030 F033 chosen-account", "the user names the account that signed it", twoAccounts("A")),

		admits("account_stored_newer", "B4", "upstream's token is newer than the one that is stored and over", stored(at(-hour+1))),
		refuses("account_rollback", "B4", "upstream's token is older than the one that is stored and over", "account_stored_newer",
			stored(at(-hour-1)), auth.AccountRollback, auth.StepTrust),
		admits("account_mirror_older", "B4", "upstream's token is older than the one that is stored, which counts", mirror(at(-hour-1)), limits(5, -1)),
		admits("account_mirror_newer", "B4", "upstream's token is newer than the one that is stored", mirror(at(-hour+1)), limits(-1, -1)),
		admits("account_store_alone", "F016", "the store knows the account, and upstream does not", plain.with(func(s *scene) {
			s.Stored, s.Accounts = []string{s.a.Token()}, nil
		})),
		admits("account_mirror_unavailable", "B9", "upstream cannot be asked, and the store knows the account", plain.with(func(s *scene) {
			s.Mirror, s.Stored, s.Accounts, s.Unavailable = true, []string{s.a.Token()}, nil, []string{s.a.PublicKey()}
		})),
		refuses("account_mirror_not_found", "F031", "upstream knows no such account, whatever the store has", "account_mirror",
			plain.with(func(s *scene) { s.Mirror, s.Stored, s.Accounts = true, []string{s.a.Token()}, nil }),
			auth.AccountNotFound, auth.StepAccount),
		admits("account_mirror", "F031", "upstream and the store have one token",
			plain.with(func(s *scene) { s.Mirror, s.Stored = true, []string{s.a.Token()} })),

		admits("account_ahead_before", "B4", "issued a second less than five minutes ahead", plain.accountOf(authtest.IssuedAt(at(299)))),
		admits("account_ahead_at", "B4", "issued five minutes ahead", plain.accountOf(authtest.IssuedAt(at(300)))),
		refuses("account_ahead_over", "B4", "issued a second more than five minutes ahead", "account_ahead_at",
			plain.accountOf(authtest.IssuedAt(at(301))), auth.AccountAhead, auth.StepTrust),
	}
}

// twoAccounts has a user that account A signed name another as its own.
func twoAccounts(named string) client {
	return plain.accountOf(authtest.SigningKey("sk")).userOf(authtest.SignedBy("sk"), authtest.Edit(func(c *jwt.UserClaims) {
		c.IssuerAccount = accountKey("O/" + named)
	})).with(func(s *scene) {
		b := s.o.Account("B", authtest.SigningKey("sk"))
		s.Accounts = append(s.Accounts, authtest.Answer{Key: b.PublicKey(), Token: b.Token()})
	})
}

func importing(subjects ...jwt.Subject) authtest.Option {
	return authtest.Edit(func(c *jwt.AccountClaims) {
		for _, s := range subjects {
			c.Imports.Add(&jwt.Import{Subject: s, Account: accountKey("O/B"), Type: jwt.Stream})
		}
	})
}

func exporting(subjects ...jwt.Subject) authtest.Option {
	return authtest.Edit(func(c *jwt.AccountClaims) {
		for _, s := range subjects {
			c.Exports.Add(&jwt.Export{Subject: s, Type: jwt.Stream})
		}
	})
}

// signerRows are about the keys by which an account vouches for its users.
func signerRows() []row {
	listed := plain.accountOf(authtest.SigningKey("sk")).userOf(authtest.SignedBy("sk"))
	return []row{
		refuses("signer_removed", "F033", "the account does not list the signing key any more", "issuer_account",
			listed.with(func(s *scene) { s.Accounts[0].Token = s.o.Account("A").Token() }), auth.SignerUnknown, auth.StepSigner),
		refuses("signer_stranger", "F033", "signed by a key that the account does not know", "issuer_account",
			listed.with(func(s *scene) {
				s.Client.JWT = s.a.User("u", authtest.SignedBy("sk"), authtest.SignedByKey(authtest.Key(nkeys.PrefixByteAccount, "stranger")),
					authtest.Edit(func(c *jwt.UserClaims) { c.IssuerAccount = s.a.PublicKey() })).Token()
			}), auth.SignerUnknown, auth.StepSigner),
		refuses("signer_not_found", "F030 F031", "iss is an account that nobody knows", "plain",
			plain.with(func(s *scene) {
				s.Client.JWT = s.a.User("u", authtest.SignedByKey(authtest.Key(nkeys.PrefixByteAccount, "stranger"))).Token()
			}), auth.AccountNotFound, auth.StepAccount),
	}
}
