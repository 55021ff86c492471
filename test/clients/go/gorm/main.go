// GORM over pgx: the schema from a struct's tags, values by the types of pgvector-go.
package main

import (
	"errors"
	"fmt"
	"os"

	"clients/check"
	"clients/vectors"

	"github.com/pgvector/pgvector-go"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

type Item struct {
	ID        int64 `gorm:"primaryKey"`
	Category  int
	Embedding *pgvector.Vector `gorm:"type:vector(3)"`
	Half      *vectors.Half    `gorm:"type:halfvec(3)"`
	Sparse    *vectors.Sparse  `gorm:"type:sparsevec(1000000)"`
	Bits      *string          `gorm:"type:bit(8)"`
}

// Bulk has indexes from its tags, which every insert goes through; the names are those of the package vectors.
type Bulk struct {
	ID        int             `gorm:"primaryKey;autoIncrement:false"`
	Embedding pgvector.Vector `gorm:"type:vector(8);index:hnsw_vector_l2_ops,type:hnsw,expression:embedding vector_l2_ops,option:WITH (m = 8\\, ef_construction = 100);index:hnsw_halfvec_cosine_ops,type:hnsw,expression:(embedding::halfvec(8)) halfvec_cosine_ops;index:hnsw_bit_hamming_ops,type:hnsw,expression:(binary_quantize(embedding)::bit(8)) bit_hamming_ops"`
}

func (Bulk) TableName() string { return "bulk" }

func main() {
	check.Run(func() {
		// Prepared statements, then the simple protocol with the values in the statement's text.
		for _, simple := range []bool{false, true} {
			// Expected errors are not worth a line of the log.
			db, err := gorm.Open(postgres.New(postgres.Config{DSN: os.Getenv("DATABASE_URL"), PreferSimpleProtocol: simple}),
				&gorm.Config{Logger: logger.Discard, PrepareStmt: !simple})
			check.Must(fmt.Sprintf("connect, simple protocol %v", simple), err)
			check.Must("create extension", db.Exec("CREATE EXTENSION IF NOT EXISTS vector").Error)
			check.Must("no tables", db.Migrator().DropTable(&Item{}, &Bulk{}))
			check.Must("create tables", db.AutoMigrate(&Item{}, &Bulk{}))
			values(db)
			searches(db)
			bulk(db)
			failures(db)
		}
	})
}

func pointers(v []float32, sparse map[int32]float32, bits string) (*pgvector.Vector, *vectors.Half, *vectors.Sparse, *string) {
	vector, half, short := pgvector.NewVector(v), vectors.NewHalf(v), vectors.NewSparse(sparse, vectors.SparseDim)
	return &vector, &half, &short, &bits
}

func values(db *gorm.DB) {
	items := make([]Item, 4)
	for i := range items {
		items[i] = Item{Category: 1 + i%2}
	}
	for i, row := range vectors.Small {
		items[i].Embedding, items[i].Half, items[i].Sparse, items[i].Bits = pointers(row.Dense, row.Sparse, row.Bits)
	}
	check.Must("create", db.Create(&items).Error)
	var found []Item
	check.Step("find", db.Order("id").Find(&found).Error)
	check.Equal("rows read back", found, items)
	check.Equal("NULL read back", found[3].Embedding == nil && found[3].Half == nil && found[3].Sparse == nil && found[3].Bits == nil, true)
	var text string
	check.Step("text", db.Model(&Item{}).Select("concat_ws(' ', embedding, half, sparse, bits)").Where("id = 1").Scan(&text).Error)
	check.Equal("a row as the server prints it", text, "[1,2,3] [1,2,3] {1:1,3:2,1000000:3}/1000000 10101010")

	var extremes pgvector.Vector
	check.Step("extremes", db.Raw("SELECT ?::vector", pgvector.NewVector(vectors.Extremes)).Scan(&extremes).Error)
	check.Equal("extremes", extremes.Slice(), vectors.Extremes)

	changed := pgvector.NewVector([]float32{7, 8, 9})
	check.Must("update", db.Model(&Item{ID: 2}).Update("embedding", &changed).Error)
	var item Item
	check.Step("first", db.First(&item, 2).Error)
	check.Equal("updated", item.Embedding.Slice(), []float32{7, 8, 9})
	check.Must("save", db.Save(&items[1]).Error)

	var sum, avg pgvector.Vector
	check.Step("aggregates", db.Model(&Item{}).Select("sum(embedding), avg(embedding)").Row().Scan(&sum, &avg))
	check.Equal("sum", sum.Slice(), []float32{6, 9, 13})
	check.Equal("avg", avg.Slice(), []float32{2, 3, 13.0 / 3})
}

func by(expression string, query interface{}) clause.OrderBy {
	return clause.OrderBy{Expression: clause.Expr{SQL: expression, Vars: []interface{}{query}}}
}

func searches(db *gorm.DB) {
	ids := func(tx *gorm.DB) (found []int64) {
		check.Step("pluck", tx.Model(&Item{}).Pluck("id", &found).Error)
		return
	}
	for _, c := range vectors.Columns() {
		for _, m := range vectors.Metrics {
			distance := c.Name + " " + m.Operator + " ?"
			check.Equal(c.Name+" in order of "+m.Name, ids(db.Where("id < ?", 4).Clauses(by(distance, c.Query))), c.Order(m))
			var found []float64
			check.Step("scan", db.Model(&Item{}).Select(distance, c.Query).Where("id < ?", 4).Order("id").Scan(&found).Error)
			check.Near(m.Name+" of "+c.Name, found, c.Distances(m))
		}
	}
	check.Equal("in order of hamming", ids(db.Where("id < ?", 4).Clauses(by("bits <~> ?::bit(8)", vectors.BitsA))), []int64{1, 2, 3})
	check.Equal("in order of jaccard", ids(db.Where("id < ?", 4).Clauses(by("bits <%> ?::bit(8)", vectors.BitsA))), []int64{1, 2, 3})
	q := pgvector.NewVector(vectors.A)
	check.Equal("NULLs come last", ids(db.Clauses(by("embedding <-> ?", q))), []int64{1, 3, 2, 4})
	check.Equal("a filter", ids(db.Where("category = ?", 1).Clauses(by("embedding <-> ?", pgvector.NewVector(vectors.B)))), []int64{3, 1})
	check.Equal("a distance as filter", ids(db.Where("embedding <-> ? < ?", q, 2).Order("id")), []int64{1, 3})
	var items []Item
	check.Step("find", db.Clauses(by("embedding <=> ?", q)).Limit(1).Find(&items).Error)
	check.Equal("the nearest item", items[0].Embedding.Slice(), vectors.A)
}

func bulk(db *gorm.DB) {
	rows := vectors.Bulk()
	items := make([]Bulk, len(rows))
	for i, row := range rows {
		items[i] = Bulk{i, pgvector.NewVector(row)}
	}
	check.Must("create in batches", db.CreateInBatches(items, 100).Error)
	var found []Bulk
	check.Step("find", db.Order("id").Find(&found).Error)
	check.Equal("every row came over", found, items)

	var ivfflat bool
	check.Step("ivfflat", db.Raw("SELECT EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')").Scan(&ivfflat).Error)
	for _, index := range vectors.Indexes(rows, ivfflat) {
		if !db.Migrator().HasIndex(&Bulk{}, index.Name) {
			check.Must("create "+index.Name, db.Exec(index.Create()).Error)
		}
		err := db.Transaction(func(tx *gorm.DB) error {
			for _, setting := range index.Settings() {
				check.Step(setting, tx.Exec(setting).Error)
			}
			var distances []float64
			var plan []string
			distance := index.Distance("?")
			tx.Table("bulk").Select(distance, index.Query).Clauses(by(distance, index.Query)).Limit(10).Scan(&distances)
			check.Near("nearest by "+index.Name, distances, index.Nearest)
			check.Step("plan", tx.Raw(fmt.Sprintf("EXPLAIN (COSTS OFF) SELECT FROM bulk ORDER BY %s LIMIT 10", distance), index.Query).Scan(&plan).Error)
			check.Contains("the plan has "+index.Name, fmt.Sprint(plan), "Index Scan using "+index.Name+" ")
			return nil
		})
		check.Step("transaction", err)
		check.Must("drop "+index.Name, db.Migrator().DropIndex(&Bulk{}, index.Name))
	}
	check.Must("create index from a tag", db.Migrator().CreateIndex(&Bulk{}, "hnsw_vector_l2_ops"))
	var options string
	check.Step("options", db.Raw("SELECT reloptions::text FROM pg_class WHERE relname = 'hnsw_vector_l2_ops'").Scan(&options).Error)
	check.Equal("its options", options, "{m=8,ef_construction=100}")
}

func failures(db *gorm.DB) {
	short := pgvector.NewVector([]float32{1, 2})
	check.Fails("too few dimensions", db.Create(&Item{Embedding: &short}).Error, "22000", "expected 3 dimensions, not 2")
	var items []Item
	check.Fails("a query of other dimensions", db.Clauses(by("embedding <-> ?", short)).Find(&items).Error,
		"22000", "different vector dimensions 3 and 2")
	err := db.Transaction(func(tx *gorm.DB) error {
		check.Must("delete", tx.Where("id > ?", 0).Delete(&Item{}).Error)
		return errors.New("changed my mind")
	})
	check.Equal("a transaction given up", err.Error(), "changed my mind")
	var n int64
	check.Step("count", db.Model(&Item{}).Count(&n).Error)
	check.Equal("keeps its rows", n, int64(4))
}
