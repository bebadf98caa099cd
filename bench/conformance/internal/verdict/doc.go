// Package verdict decides what a difference between the two servers means. Ours
// differs on purpose by the rules B1 to B23; a [Claim] says of one of them, from
// what is known about the case before anybody is asked, that it shows here. A
// difference that no claim answers for is a defect.
package verdict
