package wire

// Error is why the bytes of a client cannot be followed any longer: its
// connection has to end, and nothing else.
type Error struct {
	what string
	wire string
}

// The errors of a [Reader]. Whatever else it returns comes from below.
var (
	// ErrOperation says that the bytes are no operation that a client may send.
	ErrOperation = &Error{"unknown protocol operation", "Unknown Protocol Operation"}

	// ErrLine says that a line is longer than [Limits.Line].
	ErrLine = &Error{"control line over its limit", "maximum control line exceeded"}

	// ErrPayload says that a declared payload is larger than [Limits.Payload].
	ErrPayload = &Error{"payload over its limit", "Maximum Payload Violation"}

	// ErrArguments says that an operation has not the arguments it needs. The
	// client is told nothing, as by nats-server v2.15 server/client.go processPub.
	ErrArguments = &Error{"wrong arguments", ""}

	// ErrHeaders says that HPUB came from a client that did not ask for headers.
	// The client is told nothing.
	ErrHeaders = &Error{"headers without the client's consent", ""}
)

// Error says what is wrong. It holds nothing that the client sent.
func (e *Error) Error() string { return "wire: " + e.what }

// Wire is the text for -ERR; empty: the connection ends without one.
func (e *Error) Wire() string { return e.wire }
