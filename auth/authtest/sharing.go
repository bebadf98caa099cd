package authtest

import "github.com/nats-io/jwt/v2"

// StreamExport adds a stream to what an account exports, and ServiceExport a service;
// edits change what jwt/v2 makes of it. Without, everybody may import it.
func StreamExport(subject string, edits ...func(*jwt.Export)) Option {
	return export("StreamExport", jwt.Stream, subject, edits)
}

// ServiceExport is [StreamExport] for a service.
func ServiceExport(subject string, edits ...func(*jwt.Export)) Option {
	return export("ServiceExport", jwt.Service, subject, edits)
}

func export(option string, kind jwt.ExportType, subject string, edits []func(*jwt.Export)) Option {
	return onAccount(option, func(_ *draft, c *jwt.AccountClaims) {
		e := &jwt.Export{Subject: jwt.Subject(subject), Type: kind}
		for _, edit := range edits {
			edit(e)
		}
		c.Exports.Add(e)
	})
}

// StreamImport adds a stream of another account, by its public key, to what an account
// imports, under the name local, or its own where that is empty; edits change what jwt/v2
// makes of it.
func StreamImport(exporter, subject, local string, edits ...func(*jwt.Import)) Option {
	return imports("StreamImport", jwt.Stream, exporter, subject, local, edits)
}

// ServiceImport is [StreamImport] for a service.
func ServiceImport(exporter, subject, local string, edits ...func(*jwt.Import)) Option {
	return imports("ServiceImport", jwt.Service, exporter, subject, local, edits)
}

func imports(option string, kind jwt.ExportType, exporter, subject, local string, edits []func(*jwt.Import)) Option {
	return onAccount(option, func(_ *draft, c *jwt.AccountClaims) {
		i := &jwt.Import{Account: exporter, Subject: jwt.Subject(subject), LocalSubject: jwt.RenamingSubject(local), Type: kind}
		for _, edit := range edits {
			edit(i)
		}
		c.Imports.Add(i)
	})
}

// Maps adds a mapping to an account: of what is published to source, every destination
// gets as much as the others.
func Maps(source string, destinations ...string) Option {
	return onAccount("Maps", func(_ *draft, c *jwt.AccountClaims) {
		if c.Mappings == nil {
			c.Mappings = make(jwt.Mapping)
		}
		for _, d := range destinations {
			w := jwt.WeightedMapping{Subject: jwt.Subject(d), Weight: uint8(100 / len(destinations))} //nolint:gosec // G115: at most 100
			c.Mappings[jwt.Subject(source)] = append(c.Mappings[jwt.Subject(source)], w)
		}
	})
}

// ActivationFor makes the account's leave for another one, by its public key, to import a
// stream or a service: for [jwt.Import.Token]. [SignedBy], [SignedByKey], [Expires],
// [NotBefore] and [IssuedAt] go with it.
func (a *Account) ActivationFor(importer string, kind jwt.ExportType, subject string, opts ...Option) string {
	a.operator.tb.Helper()
	d := newDraft(a.operator.tb, "an activation of "+a.name, a.path+"!"+importer, opts)
	c := jwt.NewActivationClaims(importer)
	c.Activation.Type, c.Version, c.IssuedAt = jwt.ActivationClaim, 2, issued().Unix()
	c.ImportSubject, c.ImportType = jwt.Subject(subject), kind
	d.claims = c
	if d.by != "" && d.stranger == nil {
		c.IssuerAccount = a.PublicKey()
	}
	d.finish(opts)
	return d.token(d.signer(a.pair, a.keys).pair)
}

// Activated gives an import its activation.
func Activated(token string) func(*jwt.Import) {
	return func(i *jwt.Import) { i.Token = token }
}

// To names an import as tokens did before there was a local subject: by a prefix of a
// stream's subject, or by a service's subject in the exporter's account.
func To(to string) func(*jwt.Import) {
	return func(i *jwt.Import) { i.To = jwt.Subject(to) } //nolint:staticcheck // SA1019: tokens have it
}
