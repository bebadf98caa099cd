package auth

import (
	"iter"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// Export is what an account offers to others.
type Export struct {
	claims.Export
	Service *Service // what holds for its requests; nil for a stream
	Implied bool     // not in the token: every system account has it (F092)
}

// Service is what holds for the requests to an exported service. It does not change.
type Service struct {
	Subject    string          // of the export; may have wildcards
	Response   ResponseType    // how it is answered
	Threshold  time.Duration   // how long an answer may take
	Latency    *claims.Latency // where it is measured; nil: it is not
	AllowTrace bool            // message traces go on behind it
}

// ResponseType is how a service answers a request. The zero ResponseType is Singleton.
type ResponseType uint8

// The response types (F078).
const (
	Singleton ResponseType = iota // with one message
	Streamed                      // with any number, the last of which is empty
	Chunked                       // likewise, in parts of one answer
)

// String gives the word that the tokens use.
func (r ResponseType) String() string {
	switch r {
	case Singleton:
		return "Singleton"
	case Streamed:
		return "Stream"
	case Chunked:
		return "Chunked"
	default:
		return "unknown"
	}
}

// MarshalText gives the name.
func (r ResponseType) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// DefaultThreshold is how long an answer may take where the export does not say
// (nats-server v2.15 server/const.go DEFAULT_SERVICE_EXPORT_RESPONSE_THRESHOLD; F079).
const DefaultThreshold = 2 * time.Minute

// Exports gives what the account offers, in the order of its token, and behind it what
// every system account has besides.
func (a *Account) Exports() iter.Seq[Export] {
	return func(yield func(Export) bool) {
		if a.exports == nil {
			return
		}
		x := a.exports.open()
		for i := range x.list {
			e := Export{Export: x.list[i], Service: x.services[&x.list[i]], Implied: i >= len(a.claims.Exports)}
			if !yield(e) {
				return
			}
		}
	}
}

// exports are the offers of one token, made ready when somebody first imports.
type exports struct {
	claims *claims.Account
	system bool

	once     sync.Once
	list     []claims.Export
	offers   *claims.Offers
	services map[*claims.Export]*Service // of list
	byKey    map[exportKey]*claims.Export
}

// exportKey names an export among those of its account.
type exportKey struct {
	kind    claims.Kind
	subject string // empty: none
}

// open makes the exports ready.
func (x *exports) open() *exports {
	x.once.Do(func() {
		x.list = x.claims.Exports
		if x.system {
			x.list = append(slices.Clip(x.list), impliedExports(x.list)...)
		}
		x.offers = claims.NewOffers(&claims.Account{Header: x.claims.Header, SigningKeys: x.claims.SigningKeys, Exports: x.list})
		x.services = make(map[*claims.Export]*Service)
		x.byKey = make(map[exportKey]*claims.Export, len(x.list))
		for i := range x.list {
			e := &x.list[i]
			x.byKey[exportKey{e.Kind, e.Subject}] = e
			if e.Kind == claims.Service {
				x.services[e] = x.service(e)
			}
		}
	})
	return x
}

// service says what holds for the requests of an export.
func (x *exports) service(e *claims.Export) *Service {
	s := &Service{Subject: e.Subject, Threshold: e.ResponseThreshold, AllowTrace: e.AllowTrace}
	if s.Threshold == 0 {
		s.Threshold = DefaultThreshold
	}
	switch e.ResponseType {
	case "Stream":
		s.Response = Streamed
	case "Chunked":
		s.Response = Chunked
	}
	if s.Response == Singleton && e.Latency != nil && subject.Literal(e.Latency.Results) && !x.serves(e.Latency.Results) {
		s.Latency = e.Latency
	}
	return s
}

// serves says whether a subject is one of the account's own services: measurements that
// went there would be measured again (F080; nats-server v2.15 server/accounts.go
// TrackServiceExportWithSampling).
func (x *exports) serves(s string) bool {
	return x.offers.Find(&claims.Import{Kind: claims.Service, Subject: s}) != nil
}

// The services that every system account offers, unless its token covers them.
const (
	accountConnz    = "$SYS.REQ.ACCOUNT.*.CONNZ"
	accountStatz    = "$SYS.REQ.ACCOUNT.*.STATZ"
	userInfo        = "$SYS.REQ.USER.*.INFO"
	debugSubs       = "$SYS.DEBUG.SUBSCRIBERS"
	accountPosition = 4 // where the importer's key stands
)

// impliedExports are those that a token does not cover (F092; nats-server v2.15
// server/events.go addSystemAccountExports).
func impliedExports(list []claims.Export) []claims.Export {
	var out []claims.Export
	for _, e := range []claims.Export{
		{Subject: accountConnz, ResponseType: "Stream", AccountTokenPosition: accountPosition},
		{Subject: accountStatz, ResponseType: "Stream", AccountTokenPosition: accountPosition},
		{Subject: debugSubs},
		{Subject: userInfo},
	} {
		covered := slices.ContainsFunc(list, func(own claims.Export) bool {
			return own.Kind == claims.Service && subject.Subset(e.Subject, own.Subject)
		})
		if !covered {
			e.Kind = claims.Service
			out = append(out, e)
		}
	}
	return out
}

// sameTerms says whether two exports let in the same importers, their activations and the
// revocations of these apart, and mean the same for what crosses.
func sameTerms(a, b *claims.Export) bool {
	x, y := *a, *b
	x.Revocations, y.Revocations = nil, nil
	return reflect.DeepEqual(x, y)
}
