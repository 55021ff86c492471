// Bun over database/sql and pgx: values are written into the statement's text.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"clients/check"
	"clients/vectors"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pgvector/pgvector-go"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

var ctx = context.Background()

type Item struct {
	bun.BaseModel `bun:"table:items"`

	ID        int64 `bun:",pk,autoincrement"`
	Category  int
	Embedding *pgvector.Vector `bun:"type:vector(3)"`
	Half      *vectors.Half    `bun:"type:halfvec(3)"`
	Sparse    *vectors.Sparse  `bun:"type:sparsevec(1000000)"`
	Bits      *string          `bun:"type:bit(8)"`
}

type Bulk struct {
	bun.BaseModel `bun:"table:bulk"`

	ID        int             `bun:",pk"`
	Embedding pgvector.Vector `bun:"type:vector(8)"`
}

func main() {
	check.Run(func() {
		conn, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
		check.Must("connect", err)
		db := bun.NewDB(conn, pgdialect.New())
		done := func(name string) func(_ sql.Result, err error) {
			return func(_ sql.Result, err error) { check.Must(name, err) }
		}
		done("create extension")(db.Exec("CREATE EXTENSION IF NOT EXISTS vector"))
		done("create table")(db.NewCreateTable().Model((*Item)(nil)).Exec(ctx))
		done("create bulk table")(db.NewCreateTable().Model((*Bulk)(nil)).Exec(ctx))
		values(db)
		searches(db)
		bulk(db)
		failures(db)
	})
}

func values(db *bun.DB) {
	var items []Item
	for i, row := range vectors.Small {
		vector, half, sparse := pgvector.NewVector(row.Dense), vectors.NewHalf(row.Dense), vectors.NewSparse(row.Sparse, vectors.SparseDim)
		bits := row.Bits
		items = append(items, Item{Category: 1 + i%2, Embedding: &vector, Half: &half, Sparse: &sparse, Bits: &bits})
	}
	items = append(items, Item{Category: 2})
	_, err := db.NewInsert().Model(&items).Exec(ctx)
	check.Must("insert", err)
	var found []Item
	check.Step("select", db.NewSelect().Model(&found).Order("id").Scan(ctx))
	check.Equal("rows read back", found, items)
	check.Equal("NULL read back", found[3].Embedding == nil && found[3].Half == nil && found[3].Sparse == nil && found[3].Bits == nil, true)
	var extremes pgvector.Vector
	check.Step("extremes", db.NewSelect().ColumnExpr("?::vector", pgvector.NewVector(vectors.Extremes)).Scan(ctx, &extremes))
	check.Equal("extremes", extremes.Slice(), vectors.Extremes)

	changed := found[1]
	other := pgvector.NewVector([]float32{7, 8, 9})
	changed.Embedding = &other
	_, err = db.NewUpdate().Model(&changed).WherePK().Exec(ctx)
	check.Must("update", err)
	check.Step("select", db.NewSelect().Model(&changed).WherePK().Scan(ctx))
	check.Equal("updated", changed.Embedding.Slice(), []float32{7, 8, 9})
	_, err = db.NewUpdate().Model(&items).Column("embedding").Bulk().Exec(ctx)
	check.Must("bulk update", err)

	var sum, avg pgvector.Vector
	check.Step("aggregates", db.NewSelect().Model((*Item)(nil)).ColumnExpr("sum(embedding), avg(embedding)").Scan(ctx, &sum, &avg))
	check.Equal("sum", sum.Slice(), []float32{6, 9, 13})
	check.Equal("avg", avg.Slice(), []float32{2, 3, 13.0 / 3})
}

func searches(db *bun.DB) {
	ids := func(q *bun.SelectQuery) (found []int64) {
		check.Step("ids", q.Column("id").Scan(ctx, &found))
		return
	}
	items := func() *bun.SelectQuery { return db.NewSelect().Model((*Item)(nil)) }
	for _, c := range vectors.Columns() {
		for _, m := range vectors.Metrics {
			distance := c.Name + " " + m.Operator + " ?"
			check.Equal(c.Name+" in order of "+m.Name, ids(items().Where("id < 4").OrderExpr(distance, c.Query)), c.Order(m))
			var found []float64
			check.Step("distances", items().ColumnExpr(distance, c.Query).Where("id < 4").Order("id").Scan(ctx, &found))
			check.Near(m.Name+" of "+c.Name, found, c.Distances(m))
		}
	}
	check.Equal("in order of hamming", ids(items().Where("id < 4").OrderExpr("bits <~> ?::bit(8)", vectors.BitsA)), []int64{1, 2, 3})
	check.Equal("in order of jaccard", ids(items().Where("id < 4").OrderExpr("bits <%> ?::bit(8)", vectors.BitsA)), []int64{1, 2, 3})
	q := pgvector.NewVector(vectors.A)
	check.Equal("NULLs come last", ids(items().OrderExpr("embedding <-> ?", q)), []int64{1, 3, 2, 4})
	check.Equal("a filter", ids(items().Where("category = ?", 1).OrderExpr("embedding <-> ?", pgvector.NewVector(vectors.B))), []int64{3, 1})
	check.Equal("a distance as filter", ids(items().Where("embedding <-> ? < ?", q, 2).Order("id")), []int64{1, 3})
}

func bulk(db *bun.DB) {
	rows := vectors.Bulk()
	items := make([]Bulk, len(rows))
	for i, row := range rows {
		items[i] = Bulk{ID: i, Embedding: pgvector.NewVector(row)}
	}
	_, err := db.NewInsert().Model(&items).Exec(ctx)
	check.Must("insert many", err)
	var found []Bulk
	check.Step("select", db.NewSelect().Model(&found).Order("id").Scan(ctx))
	check.Equal("every row came over", found, items)

	var ivfflat bool
	check.Step("ivfflat", db.NewSelect().ColumnExpr("EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')").Scan(ctx, &ivfflat))
	for _, index := range vectors.Indexes(rows, ivfflat) {
		_, err := db.NewCreateIndex().Model((*Bulk)(nil)).Index(index.Name).Using(index.Method).
			ColumnExpr(index.Expression + " " + index.Ops).Exec(ctx)
		check.Must("create "+index.Name, err)
		check.Step("transaction", db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			for _, setting := range index.Settings() {
				_, err := tx.Exec(setting)
				check.Step(setting, err)
			}
			var distances []float64
			var plan []string
			distance := index.Distance("?")
			nearest := tx.NewSelect().Table("bulk").ColumnExpr(distance, index.Query).OrderExpr(distance, index.Query).Limit(10)
			check.Step("nearest", nearest.Scan(ctx, &distances))
			check.Near("nearest by "+index.Name, distances, index.Nearest)
			check.Step("plan", tx.NewRaw("EXPLAIN (COSTS OFF) ?", nearest).Scan(ctx, &plan))
			check.Contains("the plan has "+index.Name, fmt.Sprint(plan), "Index Scan using "+index.Name+" ")
			return nil
		}))
		_, err = db.NewDropIndex().Index(index.Name).Exec(ctx)
		check.Must("drop "+index.Name, err)
	}
}

func failures(db *bun.DB) {
	short := pgvector.NewVector([]float32{1, 2})
	_, err := db.NewInsert().Model(&Item{Embedding: &short}).Exec(ctx)
	check.Fails("too few dimensions", err, "22000", "expected 3 dimensions, not 2")
	var found []Item
	err = db.NewSelect().Model(&found).OrderExpr("embedding <-> ?", short).Scan(ctx)
	check.Fails("a query of other dimensions", err, "22000", "different vector dimensions 3 and 2")
	err = db.NewSelect().Model(&found).OrderExpr("embedding <-> ?", "[1,2").Scan(ctx)
	check.Fails("text that is no vector", err, "22P02", `invalid input syntax for type vector: "[1,2"`)
	n, err := db.NewSelect().Model((*Item)(nil)).Count(ctx)
	check.Step("count", err)
	check.Equal("all rows are there still", int(n), 4)
}
