package claims_test

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // the rows name zones, whatever the machine has

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/claims"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// hours is a grant with some ranges, "08:00:00-17:00:00".
func hours(t testing.TB, locale string, ranges ...string) *claims.Grant {
	t.Helper()
	list := ""
	for _, r := range ranges {
		list += fmt.Sprintf(`,{"start":%q,"end":%q}`, r[:8], r[9:])
	}
	return user(t, fmt.Sprintf(`{"nats":{"times":[%s],"times_location":%q}}`, list[min(1, len(list)):], locale)).Grant
}

// The expectations restate nats-server v2.15 server/jwt.go validateTimesAt: the ends belong to the day of now in the
// zone, both are outside, and a start after the end spans midnight.
func TestOpenAt(t *testing.T) {
	berlin := "Europe/Berlin"
	for _, row := range []struct {
		name   string
		locale string
		ranges []string
		now    string // RFC 3339
		until  string // empty: not open; "-": open without an end
	}{
		{"no ranges", "", nil, "2026-06-01T12:00:00Z", "-"},
		{"a zone and no ranges", berlin, nil, "2026-06-01T12:00:00Z", "-"},

		{"before the start", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T07:59:59.999999999Z", ""},
		{"at the start", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T08:00:00Z", ""},
		{"just after the start", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T08:00:00.000000001Z", "2026-06-01T17:00:00Z"},
		{"after the start", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T08:00:01Z", "2026-06-01T17:00:00Z"},
		{"just before the end", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T16:59:59.999999999Z", "2026-06-01T17:00:00Z"},
		{"at the end", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T17:00:00Z", ""},
		{"after the end", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-01T17:00:01Z", ""},
		{"the next day", "UTC", []string{"08:00:00-17:00:00"}, "2026-06-02T16:00:00Z", "2026-06-02T17:00:00Z"},

		{"over midnight, before the start", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-01T21:59:59Z", ""},
		{"over midnight, at the start", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-01T22:00:00Z", ""},
		{"over midnight, after the start", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-01T22:00:01Z", "2026-06-02T06:00:00Z"},
		{"over midnight, at midnight", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-02T00:00:00Z", "2026-06-02T06:00:00Z"},
		{"over midnight, before the end", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-02T05:59:59Z", "2026-06-02T06:00:00Z"},
		{"over midnight, at the end", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-02T06:00:00Z", ""},
		{"over midnight, after the end", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-02T06:00:01Z", ""},
		{"over the end of a month", "UTC", []string{"22:00:00-06:00:00"}, "2026-06-30T23:00:00Z", "2026-07-01T06:00:00Z"},
		{"until midnight, before", "UTC", []string{"22:00:00-00:00:00"}, "2026-06-01T23:59:59Z", "2026-06-02T00:00:00Z"},
		{"until midnight, at", "UTC", []string{"22:00:00-00:00:00"}, "2026-06-02T00:00:00Z", ""},
		{"from midnight, at", "UTC", []string{"00:00:00-06:00:00"}, "2026-06-02T00:00:00Z", ""},
		{"from midnight, after", "UTC", []string{"00:00:00-06:00:00"}, "2026-06-02T00:00:01Z", "2026-06-02T06:00:00Z"},

		{"start is the end, before", "UTC", []string{"08:00:00-08:00:00"}, "2026-06-01T07:00:00Z", ""},
		{"start is the end, at", "UTC", []string{"08:00:00-08:00:00"}, "2026-06-01T08:00:00Z", ""},
		{"start is the end, after", "UTC", []string{"08:00:00-08:00:00"}, "2026-06-01T09:00:00Z", ""},

		{"the longer range comes first", "UTC", []string{"08:00:00-17:00:00", "09:00:00-12:00:00"}, "2026-06-01T10:00:00Z", "2026-06-01T17:00:00Z"},
		{"the longer range comes last", "UTC", []string{"09:00:00-12:00:00", "08:00:00-17:00:00"}, "2026-06-01T10:00:00Z", "2026-06-01T17:00:00Z"},
		{"only one range holds", "UTC", []string{"08:00:00-09:00:00", "10:00:00-11:00:00"}, "2026-06-01T10:30:00Z", "2026-06-01T11:00:00Z"},
		{"between two ranges", "UTC", []string{"08:00:00-09:00:00", "10:00:00-11:00:00"}, "2026-06-01T09:30:00Z", ""},
		{"one ends where the other begins", "UTC", []string{"08:00:00-09:00:00", "09:00:00-10:00:00"}, "2026-06-01T09:00:00Z", ""},
		{"one over midnight outlasts one of today", "UTC", []string{"20:00:00-23:59:59", "22:00:00-06:00:00"}, "2026-06-01T23:00:00Z", "2026-06-02T06:00:00Z"},

		{"hours of Berlin, in UTC too early", berlin, []string{"08:00:00-17:00:00"}, "2026-06-01T06:30:00Z", "2026-06-01T15:00:00Z"},
		{"hours of Berlin, in UTC not yet late", berlin, []string{"08:00:00-17:00:00"}, "2026-06-01T15:00:00Z", ""},
		{"hours of Berlin, asked from New York", berlin, []string{"08:00:00-17:00:00"}, "2026-06-01T02:30:00-04:00", "2026-06-01T15:00:00Z"},
		{"midnight of Berlin is another day in UTC", berlin, []string{"00:00:00-01:00:00"}, "2026-06-01T22:30:00Z", "2026-06-01T23:00:00Z"},

		// In Berlin the clock goes from 2:00 to 3:00 on 29 March 2026.
		{"spring, over the gap", berlin, []string{"01:30:00-03:30:00"}, "2026-03-29T01:15:00Z", "2026-03-29T01:30:00Z"},
		{"spring, over the gap, before it", berlin, []string{"01:30:00-03:30:00"}, "2026-03-29T00:45:00Z", "2026-03-29T01:30:00Z"},
		{"spring, over the gap, at the end", berlin, []string{"01:30:00-03:30:00"}, "2026-03-29T01:30:00Z", ""},
		{"spring, over midnight into the gap's day", berlin, []string{"22:00:00-06:00:00"}, "2026-03-28T22:00:00Z", "2026-03-29T04:00:00Z"},
		{"spring, over midnight, after the gap", berlin, []string{"22:00:00-06:00:00"}, "2026-03-29T03:59:59Z", "2026-03-29T04:00:00Z"},
		{"spring, over midnight, at the end", berlin, []string{"22:00:00-06:00:00"}, "2026-03-29T04:00:00Z", ""},
		{"spring, the day before", berlin, []string{"08:00:00-17:00:00"}, "2026-03-28T15:59:59Z", "2026-03-28T16:00:00Z"},
		{"spring, the day itself", berlin, []string{"08:00:00-17:00:00"}, "2026-03-29T06:00:01Z", "2026-03-29T15:00:00Z"},

		// In Berlin the clock goes from 3:00 back to 2:00 on 25 October 2026.
		{"autumn, over the hour that comes twice, first time", berlin, []string{"01:30:00-03:30:00"}, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"},
		{"autumn, over the hour that comes twice, second time", berlin, []string{"01:30:00-03:30:00"}, "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"},
		{"autumn, at the end", berlin, []string{"01:30:00-03:30:00"}, "2026-10-25T02:30:00Z", ""},
		{"autumn, over midnight into the day", berlin, []string{"22:00:00-06:00:00"}, "2026-10-24T21:00:00Z", "2026-10-25T05:00:00Z"},
		{"autumn, over midnight, at the end", berlin, []string{"22:00:00-06:00:00"}, "2026-10-25T05:00:00Z", ""},
		{"autumn, the day itself", berlin, []string{"08:00:00-17:00:00"}, "2026-10-25T07:00:01Z", "2026-10-25T16:00:00Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339Nano, row.now)
			require.NoError(t, err)
			until, open := hours(t, row.locale, row.ranges...).OpenAt(now, time.UTC)
			require.Equal(t, row.until != "", open)
			want := time.Time{}
			if row.until != "" && row.until != "-" {
				want, err = time.Parse(time.RFC3339Nano, row.until)
				require.NoError(t, err)
			}
			require.True(t, want.Equal(until), "%v, not %v", until, want)
			require.Equal(t, want.IsZero(), until.IsZero())
		})
	}
}

// A range that begins or ends in an hour that the clock leaves out or shows twice takes the instant that time.Date
// takes, as in the reference.
func TestOpenAtInAnOddHour(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, day := range []time.Time{time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)} {
		y, m, d := day.Date()
		edge := time.Date(y, m, d, 2, 30, 0, 0, berlin)
		from, to := hours(t, "Europe/Berlin", "02:30:00-05:00:00"), hours(t, "Europe/Berlin", "01:00:00-02:30:00")
		for _, row := range []struct {
			at         time.Duration
			from, upTo bool
		}{{-time.Second, false, true}, {0, false, false}, {time.Second, true, false}} {
			_, open := from.OpenAt(edge.Add(row.at), nil)
			require.Equal(t, row.from, open, "%v %v", day, row.at)
			_, open = to.OpenAt(edge.Add(row.at), nil)
			require.Equal(t, row.upTo, open, "%v %v", day, row.at)
		}
	}
}

// Hours without a zone are those of the caller's place.
func TestOpenAtPlace(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) // 14:00 in Berlin, 8:00 in New York
	morning, afternoon := "07:00:00-09:00:00", "13:00:00-15:00:00"
	berlin, newYork := zone(t, "Europe/Berlin"), zone(t, "America/New_York")
	for _, row := range []struct {
		name, locale, hours string
		local               *time.Location
		want                bool
	}{
		{"the caller is in Berlin, afternoon", "", afternoon, berlin, true},
		{"the caller is in Berlin, morning", "", morning, berlin, false},
		{"the caller is in New York, morning", "", morning, newYork, true},
		{"the caller is in New York, afternoon", "", afternoon, newYork, false},
		{"the token says Berlin, the caller New York, afternoon", "Europe/Berlin", afternoon, newYork, true},
		{"the token says Berlin, the caller New York, morning", "Europe/Berlin", morning, newYork, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, open := hours(t, row.locale, row.hours).OpenAt(now, row.local)
			require.Equal(t, row.want, open)
			_, again := hours(t, row.locale, row.hours).OpenAt(now.In(newYork), row.local)
			require.Equal(t, open, again, "where now is told does not matter")
		})
	}
	g := hours(t, "", afternoon)
	wantUntil, want := g.OpenAt(now, time.Local)
	until, open := g.OpenAt(now, nil)
	require.Equal(t, want, open)
	require.True(t, wantUntil.Equal(until))
}

// wall is the oracle: it reads the clock on the wall, second by second, and knows no instants of starts and ends.
type wall struct{ start, end int } // seconds of the day

func (w wall) holds(t time.Time) bool {
	h, m, s := t.Clock()
	now, fraction := h*3600+m*60+s, t.Nanosecond() > 0
	afterStart := now > w.start || now == w.start && fraction
	beforeEnd := now < w.end
	if w.start > w.end {
		return afterStart || beforeEnd
	}
	return w.start < w.end && afterStart && beforeEnd
}

// until walks on until the clock shows the end.
func (w wall) until(t time.Time) time.Time {
	for u := t.Truncate(time.Second).Add(time.Second); ; u = u.Add(time.Second) {
		if h, m, s := u.Clock(); h*3600+m*60+s == w.end {
			return u
		}
	}
}

func clock(seconds int) string {
	return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// On days of 24 hours, and on the odd ones where no end lies in the odd hour, reading the wall is enough.
func TestOpenAtAgainstTheWall(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	days := []time.Time{
		time.Date(2026, 6, 1, 0, 0, 0, 0, berlin), time.Date(2026, 12, 31, 0, 0, 0, 0, berlin),
		time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 0, 0, 0, 0, berlin),
	}
	edge := rapid.Custom(func(t *rapid.T) int {
		return rapid.OneOf(rapid.SampledFrom([]int{0, 1, 3600, 7199, 10800, 86399}), rapid.IntRange(10800, 86399)).Draw(t, "edge")
	})
	rapid.Check(t, func(r *rapid.T) {
		day := rapid.SampledFrom(days).Draw(r, "day")
		var ranges []string
		var walls []wall
		for range rapid.IntRange(1, 3).Draw(r, "ranges") {
			w := wall{edge.Draw(r, "start"), edge.Draw(r, "end")}
			walls = append(walls, w)
			ranges = append(ranges, clock(w.start)+"-"+clock(w.end))
		}
		near := walls[0].start
		if rapid.Bool().Draw(r, "at the end") {
			near = walls[0].end
		}
		offset := rapid.OneOf(rapid.IntRange(-2, 2), rapid.IntRange(-80_000, 80_000)).Draw(r, "offset")
		now := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, near, 0, berlin).Add(time.Duration(offset) * time.Second)
		now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 999_999_999}).Draw(r, "fraction")))

		var want time.Time
		for _, w := range walls {
			if w.holds(now) {
				if end := w.until(now); end.After(want) {
					want = end
				}
			}
		}
		until, open := hours(t, "Europe/Berlin", ranges...).OpenAt(now, time.UTC)
		require.Equal(r, !want.IsZero(), open, "%v at %v", ranges, now)
		require.True(r, want.Equal(until), "%v at %v: %v, not %v", ranges, now, until, want)
	})
}
