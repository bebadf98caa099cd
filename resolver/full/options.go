package full

import (
	"errors"
	"log/slog"
	"time"
)

var (
	// ErrDelete says that the store does not delete: [Options].Delete is [DeleteOff].
	ErrDelete = errors.New("full: the store does not delete")

	// ErrInUse says that another process, or another [Store], has the directory.
	ErrInUse = errors.New("full: the directory is in use")

	// ErrClosed says that the store was closed. What wraps it wraps resolver.ErrUnavailable, too.
	ErrClosed = errors.New("full: the store is closed")

	// ErrFault says that the account's file is not its token. What wraps it wraps resolver.ErrUnavailable, too: another
	// source may have the token.
	ErrFault = errors.New("full: the file is not the account's token")
)

// DeleteMode is what becomes of the file when an account is deleted (F111).
type DeleteMode uint8

const (
	// DeleteOff refuses to delete, with [ErrDelete]. It is the zero value, as in nats-server.
	DeleteOff DeleteMode = iota
	// DeleteRename renames the file to <KEY>.jwt.deleted, in place of an earlier one. Renaming it back restores it.
	DeleteRename
	// DeleteHard removes it.
	DeleteHard
)

// Options of a [Store]. The zero value is that of nats-server's full resolver.
type Options struct {
	// Sharded puts each file into a folder that is named by the last two characters of the key.
	Sharded bool
	// Delete says what Delete does, and what becomes of tokens whose time is over. With DeleteOff and DeleteHard these
	// are removed (F108).
	Delete DeleteMode
	// Limit is how many accounts there may be; one more is resolver.ErrFull. One whose file is at fault
	// counts. 0: as many as there are.
	Limit int
	// Evict has the account that was not asked for or saved for longest make room for one more, in place of
	// resolver.ErrFull, as in nats-server's cache resolver (F109). Its file is removed, whatever Delete says.
	// That deletes nobody: the same token and any later one may come back, and an older one is a rollback (B4). After Open
	// the order is that of the files' times. Without a Limit it does nothing.
	Evict bool
	// Rescan is how often Watch looks at the whole directory; 0: once a minute.
	Rescan time.Duration
	// Clock tells when a token's time is over; nil: time.Now.
	Clock func() time.Time
	// Logger gets what is set aside and what could not be written of the index; nil: nobody.
	Logger *slog.Logger
}

// checked fills in what is not set.
func (o Options) checked() (Options, error) {
	if o.Delete > DeleteHard {
		return o, errors.New("full: Options.Delete is none of the modes")
	}
	if o.Limit < 0 || o.Rescan < 0 {
		return o, errors.New("full: Options.Limit or Options.Rescan is negative")
	}
	if o.Rescan == 0 {
		o.Rescan = time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the default of Options.Clock is the wall clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
