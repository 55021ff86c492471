// Package vectors has the rows that every program inserts, and their distances worked out without the server.
package vectors

import (
	"fmt"
	"math"
	"math/bits"
	"sort"

	"github.com/pgvector/pgvector-go"
)

// The table that every program makes and searches.
var (
	A = []float32{1, 2, 3}
	B = []float32{4, 5, 6}
	C = []float32{1, 2, 4}
	// The largest float, the smallest denormal, the nearest to 0.1: each must come back to the last bit.
	Extremes     = []float32{math.MaxFloat32, math.SmallestNonzeroFloat32, 0.1}
	HalfExtremes = []float32{65504, 5.9604645e-08, 0.099975586}

	SparseDim = int32(1000000)
	SparseA   = map[int32]float32{0: 1, 2: 2, 999999: 3}
	SparseC   = map[int32]float32{0: 1, 2: 2, 999999: 4}
	BitsA     = "10101010"

	Small = []struct {
		Dense  []float32
		Sparse map[int32]float32
		Bits   string
	}{
		{A, SparseA, BitsA},
		{B, map[int32]float32{0: 4, 1: 5, 2: 6}, "11110000"},
		{C, SparseC, "00000001"},
	}
)

const (
	Rows = 500
	Dim  = 8
)

// Bulk has small integers, so that halfvec holds them and sums of them are exact.
func Bulk() [][]float32 {
	state := uint32(20240229)
	rows := make([][]float32, Rows)
	for i := range rows {
		rows[i] = make([]float32, Dim)
		for j := range rows[i] {
			state = state*1664525 + 1013904223
			rows[i][j] = float32(int(state>>24) - 128)
		}
	}
	return rows
}

// Metric is a distance and how SQL names it.
type Metric struct {
	Name, Operator, Ops string
	Distance            func(a, b []float32) float64
}

var Metrics = []Metric{
	{"l2", "<->", "l2_ops", l2},
	{"inner product", "<#>", "ip_ops", negativeIP},
	{"cosine", "<=>", "cosine_ops", cosine},
	{"l1", "<+>", "l1_ops", l1},
}

func l2(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]-b[i]) * float64(a[i]-b[i])
	}
	return math.Sqrt(sum)
}

func negativeIP(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum -= float64(a[i]) * float64(b[i])
	}
	return sum
}

func cosine(a, b []float32) float64 {
	return 1 + negativeIP(a, b)/math.Sqrt(negativeIP(a, a)*negativeIP(b, b))
}

func l1(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Abs(float64(a[i] - b[i]))
	}
	return sum
}

// Column is one of the small table's, its rows written out as dense ones, and a value to search it for.
type Column struct {
	Name  string
	Query interface{}
	q     []float32
	rows  [][]float32
}

func Columns() []Column {
	dense, short := [][]float32{A, B, C}, [][]float32{{1, 0, 2, 3}, {4, 5, 6, 0}, {1, 0, 2, 4}}
	return []Column{
		{"embedding", pgvector.NewVector(A), A, dense},
		{"half", NewHalf(A), A, dense},
		{"sparse", NewSparse(SparseA, SparseDim), short[0], short},
	}
}

// Distances of the rows 1, 2 and 3.
func (c Column) Distances(m Metric) []float64 {
	return []float64{m.Distance(c.rows[0], c.q), m.Distance(c.rows[1], c.q), m.Distance(c.rows[2], c.q)}
}

// Order has the rows' numbers, nearest first.
func (c Column) Order(m Metric) []int64 {
	ids, distances := []int64{1, 2, 3}, c.Distances(m)
	sort.Slice(ids, func(i, j int) bool { return distances[ids[i]-1] < distances[ids[j]-1] })
	return ids
}

// Index is an index of the bulk table, a query it serves, and the exact answer.
type Index struct {
	Name, Method, Expression, Ops, Options string
	Operator, Parameter                    string // of the query; %s stands for the client's placeholder
	Query                                  interface{}
	Nearest                                []float64
}

// Indexes are one per operator class; those of ivfflat for a server that has it.
func Indexes(rows [][]float32, ivfflat bool) []Index {
	var all []Index
	add := func(method, kind, expression, ops, options string, m Metric, parameter string, query interface{}, q []float32) {
		name := method + "_" + kind + "_" + ops
		all = append(all, Index{name, method, expression, kind + "_" + ops, options, m.Operator, parameter, query, nearest(rows, q, 10, m.Distance)})
	}
	half, sparsevec := fmt.Sprintf("(embedding::halfvec(%d))", Dim), fmt.Sprintf("(embedding::sparsevec(%d))", Dim)
	for _, m := range Metrics {
		add("hnsw", "vector", "embedding", m.Ops, "m = 8, ef_construction = 100", m, "%s", pgvector.NewVector(rows[7]), rows[7])
		add("hnsw", "halfvec", half, m.Ops, "m = 16", m, "%s", NewHalf(rows[8]), rows[8])
		add("hnsw", "sparsevec", sparsevec, m.Ops, "ef_construction = 80", m, "%s", sparse(rows[9]), rows[9])
	}
	for _, m := range []Metric{{"", "<~>", "hamming_ops", hamming}, {"", "<%>", "jaccard_ops", jaccard}} {
		add("hnsw", "bit", fmt.Sprintf("(binary_quantize(embedding)::bit(%d))", Dim), m.Ops, "m = 12", m,
			fmt.Sprintf("binary_quantize(%%s::vector)::bit(%d)", Dim), pgvector.NewVector(rows[10]), rows[10])
	}
	if ivfflat {
		add("ivfflat", "vector", "embedding", Metrics[0].Ops, "lists = 5", Metrics[0], "%s", pgvector.NewVector(rows[7]), rows[7])
		add("ivfflat", "halfvec", half, Metrics[1].Ops, "lists = 5", Metrics[1], "%s", NewHalf(rows[8]), rows[8])
	}
	return all
}

func (i Index) Create() string {
	return fmt.Sprintf("CREATE INDEX %s ON bulk USING %s (%s %s) WITH (%s)", i.Name, i.Method, i.Expression, i.Ops, i.Options)
}

// Distance is the expression to select and to order by.
func (i Index) Distance(placeholder string) string {
	return i.Expression + " " + i.Operator + " " + fmt.Sprintf(i.Parameter, placeholder)
}

// Settings make the plan use the index, and the search exact enough for the exact answer.
func (i Index) Settings() []string {
	settings := []string{"SET LOCAL enable_seqscan = off", "SET LOCAL enable_sort = off"}
	if i.Method == "ivfflat" {
		return append(settings, "SET LOCAL ivfflat.probes = 100", "SET LOCAL ivfflat.iterative_scan = relaxed_order")
	}
	return append(settings, "SET LOCAL hnsw.ef_search = 400", "SET LOCAL hnsw.iterative_scan = strict_order")
}

func sparse(v []float32) Sparse {
	elements := map[int32]float32{}
	for i, x := range v {
		if x != 0 {
			elements[int32(i)] = x
		}
	}
	return NewSparse(elements, int32(len(v)))
}

// hamming counts the elements whose signs differ: what binary_quantize keeps.
func hamming(a, b []float32) float64 {
	return float64(bits.OnesCount8(signs(a) ^ signs(b)))
}

func jaccard(a, b []float32) float64 {
	x, y := signs(a), signs(b)
	if x&y == 0 {
		return 1
	}
	return 1 - float64(bits.OnesCount8(x&y))/float64(bits.OnesCount8(x|y))
}

func signs(v []float32) uint8 {
	var s uint8
	for i, x := range v {
		if x > 0 {
			s |= 1 << uint(i)
		}
	}
	return s
}

// nearest is the exact answer: the k smallest distances, in order.
func nearest(rows [][]float32, q []float32, k int, distance func(a, b []float32) float64) []float64 {
	all := make([]float64, len(rows))
	for i, row := range rows {
		all[i] = distance(row, q)
	}
	sort.Float64s(all)
	return all[:k]
}

// Sum is that of each column, exact in single precision.
func Sum(rows [][]float32) []float32 {
	sum := make([]float32, len(rows[0]))
	for _, row := range rows {
		for i, x := range row {
			sum[i] += x
		}
	}
	return sum
}
