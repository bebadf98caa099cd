// Package vectors holds the table that auth/testdata/vectors is written from. It
// has tests only: without a flag they hold the files to the table, and
//
//	go test ./auth/authtest/internal/vectors -update
//
// writes the files anew. To add a vector, add its row to the file of its subject;
// whoever is refused needs the row of a twin, one setting away, that is not.
package vectors
