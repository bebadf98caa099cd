package claims

import (
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
)

// TimeRange is a daily span in which a user may be connected. Both ends are
// exclusive; a Start after the End spans midnight; a Start that is the End is
// never.
type TimeRange struct{ Start, End Clock }

// Clock is a time of day on the wall clock of some location.
type Clock struct{ Hour, Minute, Second int }

// on gives the instant at which the clock shows c, on the day of t in t's
// location. Where summer time makes that ambiguous or impossible, it is the
// instant that time.Date chooses.
func (c Clock) on(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, c.Hour, c.Minute, c.Second, 0, t.Location())
}

// OpenAt says whether the grant lets a user be connected at now, and until
// when: the zero time if nothing ends it. local is the location for grants that
// name none; nil means time.Local. Of several ranges that hold now the longest
// counts. The rule is that of nats-server v2.15 server/jwt.go validateTimesAt.
func (g *Grant) OpenAt(now time.Time, local *time.Location) (until time.Time, open bool) {
	if len(g.Times) == 0 {
		return time.Time{}, true
	}
	at := now.In(g.location(local))
	var last time.Time
	for _, r := range g.Times {
		if end, ok := r.holds(at); ok && end.After(last) {
			last = end
		}
	}
	return last, !last.IsZero()
}

func (g *Grant) location(local *time.Location) *time.Location {
	switch {
	case g.Location != nil:
		return g.Location
	case local != nil:
		return local
	default:
		return time.Local
	}
}

// holds says whether the range holds t, whose location is the one to use, and
// when it ends.
func (r TimeRange) holds(t time.Time) (end time.Time, ok bool) {
	start, end := r.Start.on(t), r.End.on(t)
	if start.Before(t) && t.Before(end) {
		return end, true
	}
	if !start.After(end) {
		return time.Time{}, false
	}
	if t.Before(end) { // the range began yesterday
		return end, true
	}
	end = end.AddDate(0, 0, 1)
	return end, start.Before(t) && t.Before(end)
}

func newTimes(list []jwt.TimeRange) ([]TimeRange, error) {
	var out []TimeRange
	for _, r := range list {
		start, err := parseClock(r.Start)
		if err != nil {
			return nil, err
		}
		end, err := parseClock(r.End)
		if err != nil {
			return nil, err
		}
		out = append(out, TimeRange{Start: start, End: end})
	}
	return out, nil
}

func parseClock(text string) (Clock, error) {
	t, err := time.Parse("15:04:05", text)
	if err != nil {
		return Clock{}, fmt.Errorf("%q is not a time of day, hours:minutes:seconds", text)
	}
	h, m, s := t.Clock()
	return Clock{Hour: h, Minute: m, Second: s}, nil
}

// newLocation loads the time zone once, when the token is read: afterwards
// nothing touches the tz database.
func newLocation(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone of the tz database", name)
	}
	return loc, nil
}

// Seconds is the time of day in seconds since midnight, on a day without a
// change of summer time.
func (c Clock) Seconds() int { return c.Hour*3600 + c.Minute*60 + c.Second }
