// Package check prints what a client program finds right and wrong, as test/clients/lib.sh counts it.
package check

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var failed bool

func count(ok bool, name, why string) bool {
	if ok {
		fmt.Println("ok -", name)
	} else {
		failed = true
		fmt.Printf("not ok - %s: %s\n", name, why)
	}
	return ok
}

// Equal compares two values exactly, whatever they are made of.
func Equal(name string, got, want interface{}) {
	count(reflect.DeepEqual(got, want), name, fmt.Sprintf("got %v, expected %v", got, want))
}

// Near compares distances, which the server adds up in single precision.
func Near(name string, got, want []float64) {
	ok := len(got) == len(want)
	for i := 0; ok && i < len(got); i++ {
		ok = math.Abs(got[i]-want[i]) <= 1e-5*math.Max(1, math.Abs(want[i]))
	}
	count(ok, name, fmt.Sprintf("got %v, expected %v", got, want))
}

// Must is a check of its own, without which the rest would mean nothing.
func Must(name string, err error) {
	if !count(err == nil, name, fmt.Sprint(err)) {
		panic(name)
	}
}

// Step is on the way to a check, and not counted as one.
func Step(name string, err error) {
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
}

// Fails expects the server's error by its SQLSTATE and text.
func Fails(name string, err error, code, message string) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		count(false, name, fmt.Sprintf("not an error of the server: %v", err))
		return
	}
	Equal(name, pg.Code+" "+pg.Message, code+" "+message)
}

// Contains is for plans.
func Contains(name, text, part string) {
	count(strings.Contains(text, part), name, fmt.Sprintf("no %q in %s", part, text))
}

// Run runs a client's program: whatever ends it early counts as a failed check.
func Run(program func()) {
	defer func() {
		if r := recover(); r != nil {
			count(false, "runs to its end", fmt.Sprint(r))
		}
		if failed {
			os.Exit(1)
		}
	}()
	program()
}
