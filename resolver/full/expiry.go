package full

const (
	// retryTime is after how many seconds what could not be removed is tried again.
	retryTime = 60
	// maxExpired is how many tokens whose time is over one call removes: each is a mark and a change of a folder that have to
	// get to the disk, and everybody waits for the lock meanwhile. The next call goes on.
	maxExpired = 16
)

// expire removes tokens whose time is over, and gives the time. One that it leaves is nobody's token either.
func (s *Store) expire() int64 {
	now := s.options.Clock().Unix()
	s.mu.RLock()
	due := s.index.due(now)
	s.mu.RUnlock()
	if !due {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return now
	}
	for _, k := range s.index.over(now, maxExpired) {
		if _, err := s.observe(k); err != nil {
			s.index.next = now + retryTime
			s.options.Logger.Warn("full: a token whose time is over was not removed", "account", k.String(), "error", err)
		}
	}
	return now
}
