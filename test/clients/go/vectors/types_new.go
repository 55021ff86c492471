//go:build go1.25

package vectors

import "github.com/pgvector/pgvector-go"

// Half and Sparse are the library's types, in versions that have them.
type (
	Half   = pgvector.HalfVector
	Sparse = pgvector.SparseVector
)

func NewHalf(v []float32) Half { return pgvector.NewHalfVector(v) }

func NewSparse(elements map[int32]float32, dim int32) Sparse {
	return pgvector.NewSparseVectorFromMap(elements, dim)
}
