//go:build !go1.25

package main

import (
	"clients/check"
	"clients/vectors"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"
)

// The library has no binary form yet: pgx sends its text.
func register(db *pgx.Conn) error { return nil }

func bulk(db *pgx.Conn) {
	exec(db, "create table", "CREATE TABLE bulk (id int PRIMARY KEY, embedding vector(8))")
	rows := vectors.Bulk()
	batch := &pgx.Batch{}
	for i, row := range rows {
		batch.Queue("INSERT INTO bulk VALUES ($1, $2)", i, pgvector.NewVector(row))
	}
	check.Must("a batch of inserts", db.SendBatch(ctx, batch).Close())
	check.Equal("every row came over", column[string](db, "SELECT embedding::text FROM bulk ORDER BY id"), texts(rows))
	check.Equal("sum of the rows", one[pgvector.Vector](db, "SELECT sum(embedding) FROM bulk").Slice(), vectors.Sum(rows))
}

func texts(rows [][]float32) []string {
	all := make([]string, len(rows))
	for i, row := range rows {
		all[i] = string(vectors.NewHalf(row))
	}
	return all
}

func binaryErrors(func(name, code, message, sql string, args ...interface{})) {}
