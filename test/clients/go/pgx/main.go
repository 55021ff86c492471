// pgx, with the types that pgvector-go registers: parameters, results and COPY in binary.
package main

import (
	"context"
	"fmt"

	"clients/check"
	"clients/vectors"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
)

var ctx = context.Background()

func main() {
	check.Run(func() {
		db, err := pgx.Connect(ctx, "")
		check.Must("connect", err)
		defer db.Close(ctx)
		exec(db, "create extension", "CREATE EXTENSION IF NOT EXISTS vector")
		check.Must("register the types", register(db))

		values(db)
		operators(db)
		bulk(db)
		indexes(db)
		errors(db)
	})
}

type querier interface {
	Query(ctx context.Context, sql string, args ...interface{}) (pgx.Rows, error)
}

func exec(db *pgx.Conn, name, sql string, args ...interface{}) {
	_, err := db.Exec(ctx, sql, args...)
	check.Must(name, err)
}

// one is the single value of a query.
func one[T any](db *pgx.Conn, sql string, args ...interface{}) T {
	var value T
	check.Step(sql, db.QueryRow(ctx, sql, args...).Scan(&value))
	return value
}

// column is the only column of a query.
func column[T any](db querier, sql string, args ...interface{}) []T {
	rows, err := db.Query(ctx, sql, args...)
	var found []T
	if err == nil {
		found, err = pgx.CollectRows(rows, pgx.RowTo[T])
	}
	check.Step(sql, err)
	return found
}

func values(db *pgx.Conn) {
	exec(db, "create table", `CREATE TABLE items (id bigserial PRIMARY KEY, category int,
		embedding vector(3), half halfvec(3), sparse sparsevec(1000000), bits bit(8))`)
	insert := "INSERT INTO items (category, embedding, half, sparse, bits) VALUES ($1, $2, $3, $4, $5::text::bit(8))"
	for i, row := range vectors.Small {
		exec(db, fmt.Sprint("insert row ", i+1), insert, 1+i%2, pgvector.NewVector(row.Dense), vectors.NewHalf(row.Dense),
			vectors.NewSparse(row.Sparse, vectors.SparseDim), row.Bits)
	}
	exec(db, "insert NULLs", insert, 2, nil, nil, nil, nil)

	// The server's text of what came in as binary, and the library's value of what comes out.
	check.Equal("vector as text", one[string](db, "SELECT embedding::text FROM items WHERE id = 1"), "[1,2,3]")
	check.Equal("halfvec as text", one[string](db, "SELECT half::text FROM items WHERE id = 2"), "[4,5,6]")
	check.Equal("sparsevec as text", one[string](db, "SELECT sparse::text FROM items WHERE id = 3"), "{1:1,3:2,1000000:4}/1000000")
	check.Equal("bit as text", one[string](db, "SELECT bits::text FROM items WHERE id = 1"), vectors.BitsA)
	check.Equal("vector read back", one[pgvector.Vector](db, "SELECT embedding FROM items WHERE id = 1").Slice(), vectors.A)
	check.Equal("halfvec read back", one[vectors.Half](db, "SELECT half FROM items WHERE id = 2"), vectors.NewHalf(vectors.B))
	check.Equal("sparsevec read back", one[vectors.Sparse](db, "SELECT sparse FROM items WHERE id = 3"),
		vectors.NewSparse(vectors.SparseC, vectors.SparseDim))
	check.Equal("NULL vector", one[*pgvector.Vector](db, "SELECT embedding FROM items WHERE id = 4") == nil, true)
	check.Equal("NULL halfvec", one[*vectors.Half](db, "SELECT half FROM items WHERE id = 4") == nil, true)
	check.Equal("NULL sparsevec", one[*vectors.Sparse](db, "SELECT sparse FROM items WHERE id = 4") == nil, true)
	check.Equal("NULLs are counted by the server", one[int64](db, "SELECT count(*) FROM items WHERE embedding IS NULL"), int64(1))

	check.Equal("vector's extremes", one[pgvector.Vector](db, "SELECT $1::vector", pgvector.NewVector(vectors.Extremes)).Slice(), vectors.Extremes)
	check.Equal("vector's extremes as text", one[string](db, "SELECT $1::vector::text", pgvector.NewVector(vectors.Extremes)), "[3.4028235e+38,1e-45,0.1]")
	check.Equal("vector's extremes from text", one[pgvector.Vector](db, "SELECT $1::text::vector", "[3.4028235e+38,1e-45,0.1]").Slice(), vectors.Extremes)
	check.Equal("halfvec's extremes", one[vectors.Half](db, "SELECT $1::halfvec", vectors.NewHalf(vectors.HalfExtremes)), vectors.NewHalf(vectors.HalfExtremes))
	check.Equal("a vector of 16000 dimensions", len(one[pgvector.Vector](db, "SELECT $1::vector",
		pgvector.NewVector(make([]float32, 16000))).Slice()), 16000)

	exec(db, "update", "UPDATE items SET embedding = $1 WHERE id = 2", pgvector.NewVector([]float32{7, 8, 9}))
	check.Equal("updated", one[pgvector.Vector](db, "SELECT embedding FROM items WHERE id = 2").Slice(), []float32{7, 8, 9})
	exec(db, "update back", "UPDATE items SET embedding = $1 WHERE id = 2", pgvector.NewVector(vectors.B))
	check.Equal("equality", column[int64](db, "SELECT id FROM items WHERE embedding = $1", pgvector.NewVector(vectors.C)), []int64{3})

	check.Equal("avg", one[pgvector.Vector](db, "SELECT avg(embedding) FROM items").Slice(), []float32{2, 3, 13.0 / 3})
	check.Equal("sum", one[pgvector.Vector](db, "SELECT sum(embedding) FROM items").Slice(), []float32{6, 9, 13})
	check.Equal("sum of halfvec", one[vectors.Half](db, "SELECT sum(half) FROM items"), vectors.NewHalf([]float32{6, 9, 13}))
	check.Equal("avg of no rows", one[*pgvector.Vector](db, "SELECT avg(embedding) FROM items WHERE id < 0") == nil, true)
	check.Equal("arithmetic", one[pgvector.Vector](db, "SELECT $1::vector + $2 - $1 * $2", pgvector.NewVector(vectors.A),
		pgvector.NewVector(vectors.B)).Slice(), []float32{1, -3, -9})
	check.Equal("functions", one[string](db, "SELECT vector_dims($1::vector) || ' ' || l2_normalize($2::vector)::text || ' ' || subvector($1, 2, 2)::text",
		pgvector.NewVector(vectors.A), pgvector.NewVector([]float32{3, 4})), "3 [0.6,0.8] [2,3]")
	check.Equal("a cast to real[]", one[[]float32](db, "SELECT embedding::real[] FROM items WHERE id = 3"), vectors.C)
	check.Equal("a cast from real[]", one[pgvector.Vector](db, "SELECT $1::real[]::vector", vectors.B).Slice(), vectors.B)
}

// operators searches the small table by every operator, with the query as a parameter.
func operators(db *pgx.Conn) {
	for _, c := range vectors.Columns() {
		for _, m := range vectors.Metrics {
			distance := c.Name + " " + m.Operator + " $1"
			check.Near(m.Name+" of "+c.Name, column[float64](db, "SELECT "+distance+" FROM items WHERE id < 4 ORDER BY id", c.Query), c.Distances(m))
			check.Equal(c.Name+" in order of "+m.Name, column[int64](db, "SELECT id FROM items WHERE id < 4 ORDER BY "+distance, c.Query), c.Order(m))
		}
	}
	check.Near("hamming", column[float64](db, "SELECT bits <~> $1::text::bit(8) FROM items WHERE id < 4 ORDER BY id", vectors.BitsA), []float64{0, 4, 5})
	check.Near("jaccard", column[float64](db, "SELECT bits <%> $1::text::bit(8) FROM items WHERE id < 4 ORDER BY id", vectors.BitsA), []float64{0, 2.0 / 3, 1})
	check.Equal("NULLs come last", column[int64](db, "SELECT id FROM items ORDER BY embedding <-> $1", pgvector.NewVector(vectors.A)), []int64{1, 3, 2, 4})
	check.Equal("a filter", column[int64](db, "SELECT id FROM items WHERE category = 1 ORDER BY half <-> $1", vectors.NewHalf(vectors.B)), []int64{3, 1})
	check.Equal("a distance as filter", column[int64](db, "SELECT id FROM items WHERE embedding <-> $1 < 2 ORDER BY id", pgvector.NewVector(vectors.A)), []int64{1, 3})
}

// indexes finds the ten nearest rows through each index.
func indexes(db *pgx.Conn) {
	for _, index := range vectors.Indexes(vectors.Bulk(), one[bool](db, "SELECT EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')")) {
		exec(db, "create "+index.Name, index.Create())
		tx, err := db.Begin(ctx)
		check.Step("begin", err)
		for _, setting := range index.Settings() {
			_, err := tx.Exec(ctx, setting)
			check.Step(setting, err)
		}
		distance := index.Distance("$1")
		sql := fmt.Sprintf("SELECT %s FROM bulk ORDER BY %s LIMIT 10", distance, distance)
		check.Near("nearest by "+index.Name, column[float64](tx, sql, index.Query), index.Nearest)
		check.Contains("the plan has "+index.Name, fmt.Sprint(column[string](tx, "EXPLAIN (COSTS OFF) "+sql, index.Query)),
			"Index Scan using "+index.Name+" ")
		check.Step("roll back", tx.Rollback(ctx))
		exec(db, "drop "+index.Name, "DROP INDEX "+index.Name)
	}
}

func errors(db *pgx.Conn) {
	fails := func(name, code, message, sql string, args ...interface{}) {
		_, err := db.Exec(ctx, sql, args...)
		check.Fails(name, err, code, message)
	}
	fails("too many dimensions", "22000", "expected 3 dimensions, not 4", "INSERT INTO items (embedding) VALUES ($1)",
		pgvector.NewVector([]float32{1, 2, 3, 4}))
	fails("too few dimensions of halfvec", "22000", "expected 3 dimensions, not 2", "INSERT INTO items (half) VALUES ($1)",
		vectors.NewHalf([]float32{1, 2}))
	fails("dimensions of sparsevec", "22000", "expected 1000000 dimensions, not 5", "INSERT INTO items (sparse) VALUES ($1)",
		vectors.NewSparse(map[int32]float32{1: 1}, 5))
	fails("a query of other dimensions", "22000", "different vector dimensions 3 and 2",
		"SELECT * FROM items ORDER BY embedding <-> $1", pgvector.NewVector([]float32{1, 2}))
	fails("text that is no vector", "22P02", `invalid input syntax for type vector: "1,2,3"`, "SELECT $1::text::vector", "1,2,3")
	fails("NaN in text", "22000", "NaN not allowed in vector", "SELECT $1::text::vector", "[1,NaN]")
	fails("an unknown operator class", "42704", `operator class "vector_l3_ops" does not exist for access method "hnsw"`,
		"CREATE INDEX ON items USING hnsw (embedding vector_l3_ops)")
	fails("ef_search out of range", "22023", `0 is outside the valid range for parameter "hnsw.ef_search" (1 .. `+one[string](db,
		"SELECT max_val FROM pg_settings WHERE name = 'hnsw.ef_search'")+")", "SET hnsw.ef_search = 0")
	check.Equal("the connection still works", one[int64](db, "SELECT count(*) FROM items"), int64(4))
	binaryErrors(fails)
}
