//go:build !go1.25

package vectors

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Half and Sparse go over the wire as text: the library that builds with an older Go has neither.
type (
	Half   string
	Sparse string
)

func NewHalf(v []float32) Half {
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = strconv.FormatFloat(float64(x), 'g', -1, 32)
	}
	return Half("[" + strings.Join(parts, ",") + "]")
}

func NewSparse(elements map[int32]float32, dim int32) Sparse {
	indices := make([]int, 0, len(elements))
	for i := range elements {
		indices = append(indices, int(i))
	}
	sort.Ints(indices)
	parts := make([]string, len(indices))
	for k, i := range indices {
		parts[k] = fmt.Sprintf("%d:%v", i+1, elements[int32(i)])
	}
	return Sparse(fmt.Sprintf("{%s}/%d", strings.Join(parts, ","), dim))
}
