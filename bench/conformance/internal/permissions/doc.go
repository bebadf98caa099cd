// Package permissions makes users with permissions and lets them try what they may
// do, on one server and then on another.
//
// [Generate] makes a [Universe]: a configuration, and in it [Cell]s, each an account
// with one user whose [Rules] came from its token, from a scope's template or from the
// account's defaults, and one who may do everything. A Cell's [Script]s are what they
// say to the server; [Script.Play] gives an [Answer] for every [Decision] in it, in
// order, whichever server it is. Keys and choices come from the seed.
//
// [Oracle] says from the rules alone what the answer is, to choose what is worth
// asking and to tell where the library's is another one on purpose.
package permissions
