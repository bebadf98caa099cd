package claims

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPlaceholders is inside the package because the scanner is: it finds what
// the regular expression of the reference finds, in the same places.
func TestPlaceholders(t *testing.T) {
	reference := regexp.MustCompile(`\{\{([^}]+)\}\}`)
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{"{{", "}}", "{", "}", "a", "é.", "{{name()}}"}), 0, 12)
		entry := strings.Join(pieces.Draw(t, "entry"), "")
		var want []span
		for _, at := range reference.FindAllStringIndex(entry, -1) {
			want = append(want, span{at[0], at[1]})
			found++
		}
		require.Equal(t, want, placeholders(entry))
		require.Equal(t, reference.ReplaceAllLiteralString(entry, "x"), literals(entry))
	})
	require.Positive(t, found)
}

// TestBareIsWhole is inside the package because bare is: a field that jwt/v2 adds
// to the limits of users fails here until bare looks at it.
func TestBareIsWhole(t *testing.T) {
	require.True(t, bare(&jwt.UserPermissionLimits{}))
	var visit func(name string, at []int, of reflect.Type)
	fields := 0
	visit = func(name string, at []int, of reflect.Type) {
		if of.Kind() == reflect.Struct {
			for i := range of.NumField() {
				visit(name+"."+of.Field(i).Name, append(at[:len(at):len(at)], i), of.Field(i).Type)
			}
			return
		}
		fields++
		var l jwt.UserPermissionLimits
		v := reflect.ValueOf(&l).Elem().FieldByIndex(at)
		switch of.Kind() {
		case reflect.Slice:
			v.Set(reflect.MakeSlice(of, 0, 0))
		case reflect.Pointer:
			v.Set(reflect.New(of.Elem()))
		case reflect.String:
			v.SetString("x")
		case reflect.Int64:
			v.SetInt(1)
		case reflect.Bool:
			v.SetBool(true)
		default:
			t.Fatalf("%s: a kind of field that this test does not know", name)
		}
		require.False(t, bare(&l), "%s is set", name)
		require.Equal(t, (&jwt.UserClaims{User: jwt.User{UserPermissionLimits: l}}).HasEmptyPermissions(), bare(&l), name)
	}
	visit("UserPermissionLimits", nil, reflect.TypeFor[jwt.UserPermissionLimits]())
	require.Greater(t, fields, 10)
}
