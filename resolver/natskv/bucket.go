package natskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natsauth/natsauth/claims"
)

// bind finds the bucket, and makes it where Options.Replicas says so. Every request begins with it: where there is no
// connection, nobody has to wait for his context to end.
func (s *Store) bind(ctx context.Context) (jetstream.KeyValue, error) {
	if !s.js.Conn().IsConnected() {
		return nil, nats.ErrDisconnected
	}
	s.mu.Lock()
	bucket := s.bucket
	s.mu.Unlock()
	if bucket != nil {
		return bucket, nil
	}
	bucket, err := s.js.KeyValue(ctx, s.options.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && s.options.Replicas > 0 {
		bucket, err = s.make(ctx)
	}
	if err == nil {
		err = s.suits(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bucket = bucket
	return bucket, nil
}

// make makes the bucket as ADR-8 of NATS has it, but for two things: only the leader answers reads, who knows of every write,
// and there are no roll-ups, by which who may write one key takes out all others.
func (s *Store) make(ctx context.Context) (jetstream.KeyValue, error) {
	_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:              s.stream(),
		Description:       "account tokens",
		Subjects:          []string{s.subjects()},
		MaxMsgsPerSubject: 1,
		MaxBytes:          s.options.MaxBytes,
		MaxMsgSize:        claims.MaxTokenSize,
		Replicas:          s.options.Replicas,
		Discard:           jetstream.DiscardNew,
		DenyDelete:        true,
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody else has made it
		return nil, err
	}
	return s.js.KeyValue(ctx, s.options.Bucket)
}

// suits says what is wrong with a bucket that somebody else has made: one in which tokens, or what deletions leave, come to an
// end by themselves, or of which copies answer that may not have heard of the last write.
func (s *Store) suits(ctx context.Context) error {
	stream, err := s.js.Stream(ctx, s.stream())
	if err != nil {
		return err
	}
	switch c := stream.CachedInfo().Config; {
	case c.MaxAge != 0:
		return fmt.Errorf("%w: its entries end after %v", ErrBucket, c.MaxAge)
	case c.Discard != jetstream.DiscardNew:
		return fmt.Errorf("%w: it discards old entries when it is full", ErrBucket)
	case c.Replicas > 1 && c.AllowDirect:
		return fmt.Errorf("%w: any of its copies answers (allow_direct)", ErrBucket)
	case c.Mirror != nil:
		return fmt.Errorf("%w: it is a mirror", ErrBucket)
	case !slices.Equal(c.Subjects, []string{s.subjects()}):
		return fmt.Errorf("%w: there is more in its stream", ErrBucket)
	}
	return nil
}

// stream is the name of the bucket's stream.
func (s *Store) stream() string { return "KV_" + s.options.Bucket }

// subjects are those of its keys.
func (s *Store) subjects() string { return "$KV." + s.options.Bucket + ".>" }

// isAnswer says whether an error is JetStream's answer, so that what was asked for has not happened.
func isAnswer(err error) bool {
	var answer *jetstream.APIError
	return errors.As(err, &answer) || errors.Is(err, nats.ErrMaxPayload)
}

// Codes of answers that say there is no room: nats-server v2.15 server/errors.json.
const (
	accountResourcesExceeded = 10002
	storageResourcesExceeded = 10047
	streamStoreFailed        = 10077
)

// isFull says whether an error is that the bucket has no room.
func isFull(err error) bool {
	var answer *jetstream.APIError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.ErrorCode {
	case accountResourcesExceeded, storageResourcesExceeded:
		return true
	default:
		return answer.ErrorCode == streamStoreFailed && strings.HasSuffix(answer.Description, "exceeded")
	}
}
