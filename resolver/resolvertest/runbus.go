package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/natsauth/natsauth/resolver"
)

// RunBus holds a bus to what resolver.Bus promises. Open gives one for the time of the test, that nobody else uses
// under subjects that begin with "bus.".
func RunBus(t *testing.T, open func(t *testing.T) resolver.Bus) {
	t.Run("Subjects", func(t *testing.T) { hearsSubjects(t, open(t)) })
	t.Run("Whole", func(t *testing.T) { hearsWhole(t, open(t)) })
	t.Run("Order", func(t *testing.T) { hearsInOrder(t, open(t)) })
	t.Run("Queues", func(t *testing.T) { hearsInQueues(t, open(t)) })
	t.Run("Stop", func(t *testing.T) { hearsUntilStopped(t, open(t)) })
	t.Run("Calls", func(t *testing.T) { callsBack(t, open(t)) })
	t.Run("Refuses", func(t *testing.T) { refuses(t, open(t)) })
}

// patience is how long something may take that has to happen. A test that passes does not wait for it.
const patience = 20 * time.Second

// ear keeps what a subscription hears.
type ear struct {
	mu  sync.Mutex
	got []resolver.Msg
}

func hear(t *testing.T, b resolver.Bus, subject, queue string) (*ear, func() error) {
	t.Helper()
	e := new(ear)
	stop, err := b.Subscribe(subject, queue, func(m resolver.Msg) {
		m.Data, m.Header = slices.Clone(m.Data), maps.Clone(m.Header)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.got = append(e.got, m)
	})
	if err != nil {
		t.Fatalf("Subscribe(%q, %q) gave %v", subject, queue, err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop gave %v", err)
		}
	})
	return e, stop
}

func (e *ear) heard() []resolver.Msg {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

// wait waits until the ears have heard so many messages together.
func wait(t *testing.T, n int, ears ...*ear) {
	t.Helper()
	got := func() (sum int) {
		for _, e := range ears {
			sum += len(e.heard())
		}
		return sum
	}
	for end := time.Now().Add(patience); got() < n && time.Now().Before(end); { //nolint:forbidigo // of the suite's patience
		time.Sleep(time.Millisecond)
	}
	if got := got(); got != n {
		t.Fatalf("%d messages were heard, want %d", got, n)
	}
}

func publish(t *testing.T, b resolver.Bus, subject, data string) {
	t.Helper()
	if err := b.Publish(t.Context(), resolver.Msg{Subject: subject, Data: []byte(data)}); err != nil {
		t.Fatalf("Publish to %q gave %v", subject, err)
	}
}

// Of each row the last subject is heard: what is not comes before.
func hearsSubjects(t *testing.T, b resolver.Bus) {
	for i, row := range []struct {
		pattern string
		subject []string
		want    []string
	}{
		{"a.b", []string{"a", "a.c", "a.b.c", "a.B", "a.b"}, []string{"a.b"}},
		{"a.*.c", []string{"a.c", "a.b.d", "a.b.b.c", "a.b.c"}, []string{"a.b.c"}},
		{"a.*", []string{"a", "a.b.c", "a.b", "a.c"}, []string{"a.b", "a.c"}},
		{"a.>", []string{"a", "b.a", "a.b", "a.b.c"}, []string{"a.b", "a.b.c"}},
		{"*.>", []string{"a", "b.a", "a.b.c"}, []string{"b.a", "a.b.c"}},
	} {
		t.Run(row.pattern, func(t *testing.T) {
			prefix := fmt.Sprintf("bus.%d.", i)
			e, _ := hear(t, b, prefix+row.pattern, "")
			for _, subject := range row.subject {
				publish(t, b, prefix+subject, "")
			}
			wait(t, len(row.want), e)
			for i, m := range e.heard() {
				if m.Subject != prefix+row.want[i] {
					t.Errorf("%q was heard, want %q", m.Subject, prefix+row.want[i])
				}
			}
		})
	}
}

// A message comes with its reply subject, its header and its data, as they were when it was published.
func hearsWhole(t *testing.T, b resolver.Bus) {
	e, _ := hear(t, b, "bus.whole", "")
	m := resolver.Msg{Subject: "bus.whole", Reply: "bus.reply", Data: []byte("data")}
	m.Header = map[string][]string{"Key": {"one", "two"}}
	if err := b.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.Data[0], m.Header["Key"][0] = 'D', "changed"
	wait(t, 1, e)
	got := e.heard()[0]
	if got.Subject != "bus.whole" || got.Reply != "bus.reply" || string(got.Data) != "data" ||
		!slices.Equal(got.Header["Key"], []string{"one", "two"}) {
		t.Errorf("%+v was heard", got)
	}
	publish(t, b, "bus.whole", "")
	wait(t, 2, e)
	if got := e.heard()[1]; got.Reply != "" || len(got.Data) != 0 || len(got.Header) != 0 {
		t.Errorf("%+v was heard", got)
	}
}

// One function is called by one goroutine at a time, in the order of what one publisher has sent.
func hearsInOrder(t *testing.T, b resolver.Bus) {
	const n = 200
	e, _ := hear(t, b, "bus.order.*", "")
	for i := range n {
		publish(t, b, "bus.order."+fmt.Sprint(i%3), fmt.Sprint(i))
	}
	wait(t, n, e)
	for i, m := range e.heard() {
		if string(m.Data) != fmt.Sprint(i) {
			t.Fatalf("message %s was heard as number %d", m.Data, i)
		}
	}
}

// Of a queue group one hears each message, and everybody else does.
func hearsInQueues(t *testing.T, b resolver.Bus) {
	const n = 60
	one, stop := hear(t, b, "bus.queue", "q")
	two, _ := hear(t, b, "bus.*", "q")
	other, _ := hear(t, b, "bus.queue", "r")
	alone, _ := hear(t, b, "bus.queue", "")
	for i := range n {
		publish(t, b, "bus.queue", fmt.Sprint(i))
	}
	for _, ears := range [][]*ear{{one, two}, {other}, {alone}} {
		wait(t, n, ears...)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	left := len(two.heard())
	for i := range n {
		publish(t, b, "bus.queue", fmt.Sprint(i))
	}
	wait(t, left+n, two)
	wait(t, 2*n, alone)
}

func hearsUntilStopped(t *testing.T, b resolver.Bus) {
	e, stop := hear(t, b, "bus.stop", "")
	still, _ := hear(t, b, "bus.stop", "")
	publish(t, b, "bus.stop", "before")
	wait(t, 1, e)
	for range 2 {
		if err := stop(); err != nil {
			t.Fatalf("stop gave %v", err)
		}
	}
	publish(t, b, "bus.stop", "after")
	wait(t, 2, still)
	wait(t, 1, e)
}

// A function may use the bus: it answers.
func callsBack(t *testing.T, b resolver.Bus) {
	answers, _ := hear(t, b, "bus.answers", "")
	stop, err := b.Subscribe("bus.question", "", func(m resolver.Msg) {
		if err := b.Publish(context.WithoutCancel(t.Context()), resolver.Msg{Subject: m.Reply, Data: m.Data}); err != nil {
			t.Errorf("Publish gave %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop() }) //nolint:errcheck // hear looks at what it gives
	if err := b.Publish(t.Context(), resolver.Msg{Subject: "bus.question", Reply: "bus.answers", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	wait(t, 1, answers)
}

func refuses(t *testing.T, b resolver.Bus) {
	e, _ := hear(t, b, "bus.>", "")
	for _, subject := range []string{"", "bus. a", "bus.\r\nPUB bus.a 0\r\n\r\n"} {
		if err := b.Publish(t.Context(), resolver.Msg{Subject: subject}); err == nil {
			t.Errorf("Publish took the subject %q", subject)
		}
	}
	for _, subject := range []string{"", "bus..a", "bus. a"} {
		if _, err := b.Subscribe(subject, "", func(resolver.Msg) {}); err == nil {
			t.Errorf("Subscribe took the subject %q", subject)
		}
	}
	if _, err := b.Subscribe("bus.nil", "", nil); err == nil {
		t.Error("Subscribe took no function")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Publish(ctx, resolver.Msg{Subject: "bus.ended"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish with an ended context gave %v", err)
	}
	publish(t, b, "bus.last", "")
	wait(t, 1, e)
}
