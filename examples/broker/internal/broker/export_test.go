package broker

// NotHeld is the answer of [Server.Listeners] for an account of which nothing is kept.
const NotHeld = -1

// Listeners is how many subscriptions there are to what is published in an account.
func (s *Server) Listeners(key string) int {
	a := s.accounts.find(key)
	if a == nil {
		return NotHeld
	}
	return a.table.Len()
}
