package auth

// Requestor is what the account of a service learns of who asks: the account, and the rest
// where the importer shares it. Names are those of the Nats-Request-Info header, to which a
// broker adds what it knows of the connection. The user's token is not told: whoever reads
// it could show it (B8).
//
// Rules: F088; nats-server v2.15 server/client.go processServiceImport and getClientInfo.
type Requestor struct {
	Account string   `json:"acc,omitempty"`
	Service string   `json:"svc,omitempty"`  // the account whose import led on, where more than one did
	Host    string   `json:"host,omitempty"` // source address; empty: in process
	User    string   `json:"user,omitempty"` // public key
	Name    string   `json:"name,omitempty"` // what the client calls itself, as are the next two
	Lang    string   `json:"lang,omitempty"`
	Version string   `json:"ver,omitempty"`
	Issuer  string   `json:"issuer_key,omitempty"` // the key that signed the user
	NameTag string   `json:"name_tag,omitempty"`   // what the token calls the user
	Tags    []string `json:"tags,omitempty"`       // of the user, the first 32
}

// maxTags is how many tags of a user are told: they go with every request.
const maxTags = 32

// Requestor tells who the session is, to the account of a service: share is
// [ServiceRoute.Share]. It does no I/O. The zero Session is nobody.
func (s *Session) Requestor(share bool) Requestor {
	who := s.User()
	if !share {
		return Requestor{Account: who.Account}
	}
	said := s.Client()
	r := Requestor{
		Account: who.Account, User: who.Key, Issuer: who.Issuer, NameTag: line(who.Name),
		Name: line(said.Name), Lang: line(said.Lang), Version: line(said.Version),
	}
	for _, tag := range who.Tags[:min(len(who.Tags), maxTags)] {
		r.Tags = append(r.Tags, line(tag))
	}
	if s.source.IsValid() {
		r.Host = s.source.String()
	}
	return r
}
