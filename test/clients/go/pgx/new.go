//go:build go1.25

package main

import (
	"math"
	"strings"

	"clients/check"
	"clients/vectors"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
	pgxvec "github.com/pgvector/pgvector-go/pgx"
)

func register(db *pgx.Conn) error { return pgxvec.RegisterTypes(ctx, db) }

// bulk loads by COPY BINARY, which checks send and recv against each other.
func bulk(db *pgx.Conn) {
	exec(db, "create table", "CREATE TABLE bulk (id int PRIMARY KEY, embedding vector(8))")
	exec(db, "create a table of all types", "CREATE TABLE copied (id int, embedding vector, half halfvec, sparse sparsevec, bits varbit)")
	rows := vectors.Bulk()
	n, err := db.CopyFrom(ctx, pgx.Identifier{"bulk"}, []string{"id", "embedding"}, pgx.CopyFromSlice(len(rows), func(i int) ([]interface{}, error) {
		return []interface{}{i, pgvector.NewVector(rows[i])}, nil
	}))
	check.Must("copy", err)
	check.Equal("rows copied", n, int64(vectors.Rows))
	_, err = db.CopyFrom(ctx, pgx.Identifier{"copied"}, []string{"id", "embedding", "half", "sparse"}, pgx.CopyFromRows([][]interface{}{
		{1, pgvector.NewVector(vectors.Extremes), vectors.NewHalf(vectors.HalfExtremes), vectors.NewSparse(vectors.SparseA, vectors.SparseDim)},
		{2, nil, nil, nil},
		{3, "[1,2,3]", nil, nil},
	}))
	check.Must("copy of all types", err)
	check.Equal("copied vector", one[pgvector.Vector](db, "SELECT embedding FROM copied WHERE id = 1").Slice(), vectors.Extremes)
	check.Equal("copied halfvec", one[vectors.Half](db, "SELECT half FROM copied WHERE id = 1"), vectors.NewHalf(vectors.HalfExtremes))
	check.Equal("copied sparsevec", one[vectors.Sparse](db, "SELECT sparse FROM copied WHERE id = 1"), vectors.NewSparse(vectors.SparseA, vectors.SparseDim))
	check.Equal("copied NULLs", one[int64](db, "SELECT count(*) FROM copied WHERE num_nulls(embedding, half, sparse) = 3"), int64(1))
	check.Equal("a string copied into vector", one[string](db, "SELECT embedding::text FROM copied WHERE id = 3"), "[1,2,3]")

	check.Equal("every row came over", column[pgvector.Vector](db, "SELECT embedding FROM bulk ORDER BY id"), wrapped(rows))
	check.Equal("sum of the rows", one[pgvector.Vector](db, "SELECT sum(embedding) FROM bulk").Slice(), vectors.Sum(rows))
	check.Equal("an array of vectors", one[[]pgvector.Vector](db, "SELECT array_agg(embedding ORDER BY id) FROM bulk"), wrapped(rows))
	check.Equal("an array as parameter", column[int32](db, "SELECT id FROM bulk WHERE embedding = ANY($1) ORDER BY id",
		[]pgvector.Vector{pgvector.NewVector(rows[5]), pgvector.NewVector(rows[99])}), []int32{5, 99})

	// What the server sends as binary, it must read again: through COPY in both directions.
	exec(db, "another table", "CREATE TABLE again (LIKE copied)")
	var wire strings.Builder
	_, err = db.PgConn().CopyTo(ctx, &wire, "COPY copied TO STDOUT (FORMAT binary)")
	check.Must("copy out", err)
	_, err = db.PgConn().CopyFrom(ctx, strings.NewReader(wire.String()), "COPY again FROM STDIN (FORMAT binary)")
	check.Must("copy in again", err)
	check.Equal("the same rows", column[string](db, "SELECT a::text FROM again a ORDER BY id"), column[string](db, "SELECT c::text FROM copied c ORDER BY id"))
}

func wrapped(rows [][]float32) []pgvector.Vector {
	all := make([]pgvector.Vector, len(rows))
	for i, row := range rows {
		all[i] = pgvector.NewVector(row)
	}
	return all
}

// binaryErrors are those of the receive functions.
func binaryErrors(fails func(name, code, message, sql string, args ...interface{})) {
	nan := float32(math.NaN())
	fails("NaN in binary", "22000", "NaN not allowed in vector", "SELECT $1::vector", pgvector.NewVector([]float32{1, nan}))
	fails("infinity in binary", "22000", "infinite value not allowed in halfvec", "SELECT $1::halfvec", vectors.NewHalf([]float32{70000}))
	fails("no dimensions in binary", "22000", "vector must have at least 1 dimension", "SELECT $1::vector", pgvector.NewVector(nil))
	fails("sparsevec's index out of bounds", "22000", "sparsevec index out of bounds", "SELECT $1::sparsevec",
		vectors.NewSparse(map[int32]float32{5: 1}, 5))
}
