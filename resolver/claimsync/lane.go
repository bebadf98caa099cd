package claimsync

import (
	"context"
	"sync/atomic"

	"github.com/natsauth/natsauth/resolver"
)

// lane is work of one kind that waits, within bounds, and is done in order.
type lane struct {
	jobs    chan job
	bytes   atomic.Int64 // of the messages that wait
	atMost  int64
	workers int
}

type job struct {
	do  func(context.Context, resolver.Msg)
	msg resolver.Msg
}

func newLane(jobs, bytes, workers int) *lane {
	return &lane{jobs: make(chan job, jobs), atMost: int64(bytes), workers: workers}
}

// offer queues a job, unless there is no room. It does not wait.
func (l *lane) offer(j job) bool {
	size := int64(len(j.msg.Data))
	if now := l.bytes.Add(size); now > l.atMost && now > size {
		l.bytes.Add(-size)
		return false
	}
	select {
	case l.jobs <- j:
		return true
	default:
		l.bytes.Add(-size)
		return false
	}
}

// run does what waits until ctx ends.
func (l *lane) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-l.jobs:
			l.bytes.Add(-int64(len(j.msg.Data)))
			if ctx.Err() == nil {
				j.do(ctx, j.msg)
			}
		}
	}
}
