package auth

import (
	"sync"

	"github.com/natsauth/natsauth/claims"
)

// Counts are connections of one account. The zero Counts are none.
type Counts struct {
	Connections int64 `json:"connections"` // leaf nodes included, the brokers' own not
	LeafNodes   int64 `json:"leaf_nodes"`
}

// plus adds.
func (c Counts) plus(o Counts) Counts {
	return Counts{c.Connections + o.Connections, c.LeafNodes + o.LeafNodes}
}

// checked takes nonsense from another node for none.
func (c Counts) checked() Counts {
	const most = 1 << 40 // so that no sum of many overflows
	return Counts{min(max(0, c.Connections), most), min(max(0, c.LeafNodes), most)}
}

// remotes are the connections that other nodes have told of. The zero remotes are
// none.
type remotes struct {
	mu    sync.Mutex
	nodes map[string]map[string]Counts // guarded by mu; node -> account -> counts
	sums  map[string]Counts            // guarded by mu; by account
}

// sum is what all other nodes have of an account.
func (r *remotes) sum(account string) Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sums[account]
}

// set notes what a node has, and gives the new sum. r.mu is held.
func (r *remotes) set(node, account string, n Counts) Counts {
	if r.nodes == nil {
		r.nodes, r.sums = make(map[string]map[string]Counts), make(map[string]Counts)
	}
	was := r.nodes[node][account]
	sum := r.sums[account].plus(n).plus(Counts{-was.Connections, -was.LeafNodes})
	r.sums[account] = sum
	if sum == (Counts{}) {
		delete(r.sums, account)
	}
	if r.nodes[node] == nil {
		r.nodes[node] = make(map[string]Counts)
	}
	r.nodes[node][account] = n
	if n == (Counts{}) {
		delete(r.nodes[node], account)
	}
	if len(r.nodes[node]) == 0 {
		delete(r.nodes, node)
	}
	return sum
}

// SetRemote notes how many connections another node has of an account: the limits
// are judged on the sum of all nodes. Where the account is over its limit now, its
// newest connections here are closed; the internal ones never (F051; nats-server
// v2.15 server/accounts.go updateRemoteServer). A node tells its count whenever it
// changes; the last one counts, and negative numbers count as none. The caller
// vouches for the node. The Report is of the account.
func (a *Authorizer) SetRemote(node, account string, n Counts) Report {
	if !a.open() || !claims.IsAccountKey(account) {
		return Report{Account: account}
	}
	r := &a.directory.remotes
	r.mu.Lock()
	defer r.mu.Unlock()
	return a.remote(account, r.set(node, account, n.checked()))
}

// DropRemote forgets a node that is gone.
func (a *Authorizer) DropRemote(node string) {
	r := &a.directory.remotes
	r.mu.Lock()
	defer r.mu.Unlock()
	for account := range r.nodes[node] {
		a.remote(account, r.set(node, account, Counts{}))
	}
}

// remote gives an account's place the new sum. remotes.mu is held.
func (a *Authorizer) remote(account string, sum Counts) Report {
	p := a.directory.known(account)
	if p == nil {
		return Report{Account: account}
	}
	p.mu.Lock()
	p.remote = sum
	view := p.current.Load()
	var ending []change
	if view != nil {
		ending = p.settle(p.crowd(view.claims.Limits))
	}
	p.mu.Unlock()
	a.tell(ending)
	return newReport(account, view, view, ending)
}

// crowd are the sessions that no longer find room beside those of other nodes.
// p.mu is held.
func (p *place) crowd(l claims.AccountLimits) []change {
	out := p.overflow(nil, l)
	if l.LeafNodes == claims.Unlimited {
		return out
	}
	over := p.leafNodes + p.remote.LeafNodes - l.LeafNodes
	return p.evict(out, over, exceeded(LeafNodesExceeded, l).at(StepLive), func(s *Session) bool { return s.kind.leaf() })
}

// Counts tells how many connections an account has here, as other nodes want to know
// for their SetRemote. It does no I/O.
func (a *Authorizer) Counts(account string) Counts {
	p := a.directory.known(account)
	if p == nil {
		return Counts{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return Counts{Connections: p.connections, LeafNodes: p.leafNodes}
}
