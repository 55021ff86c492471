//! diesel with the crate pgvector: a typed schema, the crate's distance methods, values in binary.

mod common;

use common::*;
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{Array, Bool, Double, Text};
use pgvector::{sql_types, Bit, HalfVector, SparseVector, Vector, VectorExpressionMethods};

diesel::table! {
    items (id) {
        id -> Int4,
        category -> Int4,
        embedding -> Nullable<pgvector::sql_types::Vector>,
        half -> Nullable<pgvector::sql_types::HalfVector>,
        sparse -> Nullable<pgvector::sql_types::SparseVector>,
        bits -> Nullable<pgvector::sql_types::Bit>,
    }
}

diesel::table! {
    bulk (id) {
        id -> Int4,
        embedding -> pgvector::sql_types::Vector,
    }
}

#[derive(Insertable, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
struct Item {
    id: i32,
    category: i32,
    embedding: Option<Vector>,
    half: Option<HalfVector>,
    sparse: Option<SparseVector>,
    bits: Option<Bit>,
}

#[derive(Insertable, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = bulk, treat_none_as_default_value = false)]
struct Row {
    id: i32,
    embedding: Vector,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    text: String,
}

fn main() -> std::process::ExitCode {
    let mut db = PgConnection::establish(&database_url()).expect("the database of DATABASE_URL");
    if let Err(error) = run(&mut db) {
        check(false, "runs to its end", || format!("{error:?}"));
    }
    done()
}

fn run(db: &mut PgConnection) -> QueryResult<()> {
    execute(db, "CREATE EXTENSION IF NOT EXISTS vector")?;
    execute(
        db,
        "CREATE TABLE items (id serial PRIMARY KEY, category int NOT NULL,
             embedding vector(3), half halfvec(3), sparse sparsevec(1000000), bits bit(8))",
    )?;
    execute(db, "CREATE TABLE bulk (id int PRIMARY KEY, embedding vector(8) NOT NULL)")?;
    values(db)?;
    searches(db)?;
    load(db)?;
    indexes(db)?;
    errors(db)
}

fn execute(db: &mut PgConnection, sql: &str) -> QueryResult<usize> {
    diesel::sql_query(sql).execute(db)
}

/// A value of an expression without a table.
macro_rules! one {
    ($db:expr, $kind:ty, $sql:expr $(, $bound:ty => $value:expr)*) => {{
        let expression = diesel::dsl::sql::<$kind>("")$(.bind::<$bound, _>($value))*.sql($sql);
        diesel::select(expression).get_result($db)
    }};
}

fn values(db: &mut PgConnection) -> QueryResult<()> {
    let short = sparses();
    let mut rows: Vec<Item> = [A, B, C]
        .iter()
        .enumerate()
        .map(|(i, v)| Item {
            id: i as i32 + 1,
            category: 1 + i as i32 % 2,
            embedding: Some(vector(v)),
            half: Some(half(v)),
            sparse: Some(short[i].clone()),
            bits: Some(bits(BITS[i])),
        })
        .collect();
    rows.push(Item { id: 4, category: 2, embedding: None, half: None, sparse: None, bits: None });
    let inserted: Vec<Item> = diesel::insert_into(items::table).values(&rows).get_results(db)?;
    equal("rows returned by the insert", inserted, rows.clone());
    equal("rows read back", items::table.order(items::id).load::<Item>(db)?, rows);
    let text = diesel::dsl::sql::<Text>("concat_ws(' ', embedding, half, sparse, bits)");
    let text: Vec<String> = items::table.order(items::id).select(text).load(db)?;
    equal("row 1 as text", text[0].as_str(), "[1,2,3] [1,2,3] {1:1,3:2,1000000:3}/1000000 10101010");
    equal("row 2 as text", text[1].as_str(), "[4,5,6] [4,5,6] {1:4,2:5,3:6}/1000000 11110000");
    equal("NULLs are NULL", items::table.filter(items::embedding.is_null().and(items::bits.is_null())).select(items::id).load(db)?, vec![4]);
    equal("vector's extremes", one!(db, sql_types::Vector, "", sql_types::Vector => vector(&EXTREMES))?, vector(&EXTREMES));
    equal("halfvec's extremes", one!(db, sql_types::HalfVector, "", sql_types::HalfVector => half(&HALF_EXTREMES))?, half(&HALF_EXTREMES));
    let text: String = one!(db, Text, "::text", sql_types::Vector => vector(&EXTREMES))?;
    equal("vector's extremes as text", text.as_str(), "[3.4028235e+38,1e-45,0.1]");
    equal("vector's extremes from text", one!(db, sql_types::Vector, "::vector", Text => text)?, vector(&EXTREMES));
    equal(
        "an array",
        one!(db, Array<sql_types::Vector>, "", Array<sql_types::Vector> => vec![vector(&A), vector(&C)])?,
        vec![vector(&A), vector(&C)],
    );

    let changed = diesel::update(items::table.find(2)).set(items::embedding.eq(vector(&[7.0, 8.0, 9.0]))).returning(items::embedding);
    equal("update returning", changed.get_result(db)?, Some(vector(&[7.0, 8.0, 9.0])));
    diesel::update(items::table.find(2)).set(items::embedding.eq(vector(&B))).execute(db)?;
    equal("equality", items::table.filter(items::embedding.eq(vector(&C))).select(items::id).load(db)?, vec![3]);
    let aggregate = diesel::dsl::sql::<(sql_types::Vector, sql_types::Vector, sql_types::HalfVector)>("avg(embedding), sum(embedding), sum(half)");
    let (avg, sum, halves): (Vector, Vector, HalfVector) = items::table.select(aggregate).first(db)?;
    equal("avg", avg, vector(&[2.0, 3.0, 13.0 / 3.0]));
    equal("sum", sum, vector(&[6.0, 9.0, 13.0]));
    equal("sum of halfvec", halves, half(&[6.0, 9.0, 13.0]));
    Ok(())
}

/// Ids in the order of a distance, and the distances in order of ids.
macro_rules! search {
    ($db:expr, $c:expr, $m:expr, $field:ident, $method:ident, $query:expr) => {{
        let three = || items::table.filter(items::id.lt(4));
        let ids = three().order(items::$field.$method($query.clone())).select(items::id).load($db)?;
        equal(&format!("{} in order of {}", $c.name, $m.name), ids, $c.order($m));
        let distances: Vec<Option<f64>> = three().order(items::id).select(items::$field.$method($query.clone())).load($db)?;
        let distances: Vec<f64> = distances.into_iter().map(Option::unwrap).collect();
        near(&format!("{} of {}", $m.name, $c.name), &distances, &$c.distances($m));
    }};
}

fn searches(db: &mut PgConnection) -> QueryResult<()> {
    macro_rules! dense {
        ($c:expr, $field:ident, $query:expr) => {
            for m in $c.metrics {
                match m.operator {
                    "<->" => search!(db, $c, m, $field, l2_distance, $query),
                    "<#>" => search!(db, $c, m, $field, max_inner_product, $query),
                    "<=>" => search!(db, $c, m, $field, cosine_distance, $query),
                    _ => search!(db, $c, m, $field, l1_distance, $query),
                }
            }
        };
    }
    for c in columns() {
        match &c.query {
            Value::Vector(query) => dense!(c, embedding, query),
            Value::Half(query) => dense!(c, half, query),
            Value::Sparse(query) => dense!(c, sparse, query),
            Value::Bit(query) => {
                search!(db, c, &c.metrics[0], bits, hamming_distance, query);
                search!(db, c, &c.metrics[1], bits, jaccard_distance, query);
            }
        }
    }
    let ids = || items::table.select(items::id);
    equal("NULLs come last", ids().order(items::embedding.l2_distance(vector(&A))).load(db)?, vec![1, 3, 2, 4]);
    let filtered = ids().filter(items::category.eq(1)).order(items::embedding.l2_distance(vector(&B)));
    equal("a filter", filtered.load(db)?, vec![3, 1]);
    let near = ids().filter(items::embedding.l2_distance(vector(&A)).lt(2.0)).order(items::id);
    equal("a distance as filter", near.load(db)?, vec![1, 3]);
    let nearest: Item = items::table.select(Item::as_select()).order(items::half.cosine_distance(half(&C))).first(db)?;
    equal("the nearest item", nearest.half, Some(half(&C)));
    Ok(())
}

fn load(db: &mut PgConnection) -> QueryResult<()> {
    let rows: Vec<Row> = common::bulk().iter().enumerate().map(|(i, v)| Row { id: i as i32, embedding: vector(v) }).collect();
    equal("rows of one insert", diesel::insert_into(bulk::table).values(&rows[..200]).execute(db)?, 200);
    // COPY in binary
    let copied = diesel::copy_from(bulk::table).from_insertable(&rows[200..]).execute(db)?;
    equal("rows of a copy", copied, ROWS - 200);
    equal("every row came over", bulk::table.order(bulk::id).load::<Row>(db)?, rows.clone());
    // On a connection of its own, which diesel leaves in the middle of the command.
    let mut other = PgConnection::establish(&database_url()).expect("another connection");
    let mut out: Vec<Row> = diesel::copy_to(bulk::table).load(&mut other)?.collect::<QueryResult<_>>()?;
    out.sort_by_key(|row| row.id);
    equal("rows copied out", out, rows);
    Ok(())
}

fn indexes(db: &mut PgConnection) -> QueryResult<()> {
    let ivfflat = one!(db, Bool, "EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')")?;
    for index in common::indexes(&common::bulk(), ivfflat) {
        execute(db, &index.create)?;
        db.transaction(|db| -> QueryResult<()> {
            for setting in index.settings {
                execute(db, &format!("SET LOCAL {setting}"))?;
            }
            let (before, after) = index.distance.split_once("$1").unwrap();
            macro_rules! run {
                ($kind:ty, $query:expr) => {{
                    let distance = || diesel::dsl::sql::<Double>(before).bind::<$kind, _>($query.clone()).sql(after);
                    let found: Vec<f64> = bulk::table.select(distance()).order(distance()).limit(10).load(db)?;
                    let sql = format!("EXPLAIN (COSTS OFF) SELECT FROM bulk ORDER BY {} LIMIT 10", index.distance);
                    let plan: Vec<Line> = diesel::sql_query(sql).bind::<$kind, _>($query.clone()).load(db)?;
                    (found, plan)
                }};
            }
            let (found, plan) = match &index.query {
                Value::Vector(query) => run!(sql_types::Vector, query),
                Value::Half(query) => run!(sql_types::HalfVector, query),
                Value::Sparse(query) => run!(sql_types::SparseVector, query),
                Value::Bit(query) => run!(sql_types::Bit, query),
            };
            near(&format!("nearest by {}", index.name), &found, &index.nearest);
            let plan = plan.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
            check(plan.contains(&format!("Index Scan using {} ", index.name)), &format!("the plan has {}", index.name), || plan);
            Ok(())
        })?;
        execute(db, &format!("DROP INDEX {}", index.name))?;
    }
    Ok(())
}

/// diesel keeps the message; of the SQLSTATE it has only the kinds it knows.
fn errors(db: &mut PgConnection) -> QueryResult<()> {
    let failed = |got: QueryResult<usize>| match got {
        Err(Error::DatabaseError(_, information)) => Ok(information.message().to_string()),
        other => Err(format!("{other:?}")),
    };
    let dimensions = diesel::update(items::table.find(1)).set(items::embedding.eq(vector(&[1.0; 4]))).execute(db);
    fails("too many dimensions", failed(dimensions), "expected 3 dimensions, not 4");
    let dimensions = diesel::update(items::table.find(1)).set(items::half.eq(half(&[1.0; 2]))).execute(db);
    fails("dimensions of halfvec", failed(dimensions), "expected 3 dimensions, not 2");
    let other = items::table.order(items::embedding.l2_distance(vector(&[1.0; 2]))).select(items::id).execute(db);
    fails("a query of other dimensions", failed(other), "different vector dimensions 3 and 2");
    let nan = diesel::update(items::table.find(1)).set(items::embedding.eq(vector(&[f32::NAN; 3]))).execute(db);
    fails("NaN in binary", failed(nan), "NaN not allowed in vector");
    equal("the connection still works", items::table.count().get_result::<i64>(db)?, 4);
    Ok(())
}
