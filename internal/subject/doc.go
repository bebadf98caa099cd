// Package subject decides what subjects match, contain and overlap one another,
// and what a list of permissions lets a client publish, subscribe to and
// receive. It knows nothing of tokens, accounts or sessions.
//
// # Subjects
//
// A subject is a list of tokens with a dot between them. The token `*` stands
// for any one token, and `>` at the end for one or more. [Valid], [Literal] and
// [HasWildcard] say what a text is; [Match], [Subset] and [Overlap] compare two, and
// [Meet] is what two have in common.
//
// # Permissions
//
// A [Spec] holds the lists as they were written, [Compile] turns them into a
// [Set], and the Set answers: [Set.Publish], [Set.Subscribe] and [Set.Deliver]
// on the hot path, [Set.WhyPublish] and its kin for a person who asks which
// rule decided.
//
// # Mappings
//
// A [Transform] makes one subject of another, and a [Ranking] finds the most
// specific of many subjects that match: what an account's mappings are made of. A
// [Renaming] goes both ways, and a [Crossing] finds the subjects that overlap one: what
// imports are made of.
//
// # How a Set works
//
// Each list becomes a trie whose edges are hashes of tokens. It is only as deep
// as it takes to tell the rules apart, and the few rules that a walk arrives at
// are compared with the subject as text: a collision of hashes costs time and
// never changes an answer. A walk visits every node at most once, so
// its work is bounded by the size of the rules, whatever the subject.
package subject
