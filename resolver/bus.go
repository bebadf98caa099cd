package resolver

import "context"

// Msg is a message on a [Bus]. Reply is the subject to answer to, or empty. The zero Msg has no subject and cannot be
// published.
type Msg struct {
	Subject, Reply string
	Header         map[string][]string
	Data           []byte
}

// Bus carries messages by subject, as NATS does: it is a broker's own, or a connection to another. Its methods may be
// called by several goroutines at once.
//
// Publish hands m over, and keeps nothing of it when it returns. No error means that the message was taken, not that
// somebody has received it.
//
// Subscribe calls fn with each message whose subject matches. The subject may have wildcards. Of the subscriptions with
// one queue that is not empty, one gets the message; every other subscription gets it. For one subscription fn is
// called by one goroutine at a time, with what one publisher has sent in the order it was sent. The message is fn's
// until it returns: it changes nothing of it, and copies what it keeps. It returns soon, and may call the Bus.
//
// After stop has returned, no call of fn begins; one that has begun may still be running. Stop may be called again.
type Bus interface {
	Publish(ctx context.Context, m Msg) error
	Subscribe(subject, queue string, fn func(Msg)) (stop func() error, err error)
}
