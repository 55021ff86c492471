//! sqlx with the crate pgvector: prepared statements in binary, values by their types.

mod common;

use common::*;
use pgvector::{Bit, HalfVector, SparseVector, Vector};
use sqlx::postgres::{PgArguments, PgPoolOptions, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Decode, Error, Executor, PgConnection, PgPool, QueryBuilder, Row, Type};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<std::process::ExitCode, Error> {
    let db = PgPoolOptions::new().max_connections(2).connect(&database_url()).await?;
    db.execute("CREATE EXTENSION IF NOT EXISTS vector").await?;
    values(&db).await?;
    searches(&db).await?;
    load(&db).await?;
    indexes(&db).await?;
    errors(&db).await?;
    Ok(done())
}

type Statement = Query<'static, Postgres, PgArguments>;

/// The statements are this program's own.
fn query(sql: impl Into<String>) -> Statement {
    sqlx::query(AssertSqlSafe(sql.into()))
}

fn bind(statement: Statement, value: &Value) -> Statement {
    match value.clone() {
        Value::Vector(v) => statement.bind(v),
        Value::Half(v) => statement.bind(v),
        Value::Sparse(v) => statement.bind(v),
        Value::Bit(v) => statement.bind(v),
    }
}

/// The only column of the rows.
fn column<T: for<'r> Decode<'r, Postgres> + Type<Postgres>>(rows: Vec<PgRow>) -> Result<Vec<T>, Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}

async fn one<T: for<'r> Decode<'r, Postgres> + Type<Postgres>>(db: &PgPool, statement: Statement) -> Result<T, Error> {
    statement.fetch_one(db).await?.try_get(0)
}

async fn values(db: &PgPool) -> Result<(), Error> {
    db.execute(
        "CREATE TABLE items (id serial PRIMARY KEY, category int,
             embedding vector(3), half halfvec(3), sparse sparsevec(1000000), bits bit(8))",
    )
    .await?;
    let insert = "INSERT INTO items (category, embedding, half, sparse, bits) VALUES ($1, $2, $3, $4, $5)";
    let short = sparses();
    for (i, v) in [A, B, C].iter().enumerate() {
        let row = query(insert).bind(1 + i as i32 % 2).bind(vector(v)).bind(half(v)).bind(short[i].clone()).bind(bits(BITS[i]));
        equal("insert a row", row.execute(db).await?.rows_affected(), 1);
    }
    let row = query(insert).bind(2).bind(None::<Vector>).bind(None::<HalfVector>).bind(None::<SparseVector>).bind(None::<Bit>);
    equal("insert NULLs", row.execute(db).await?.rows_affected(), 1);

    // The server's text of what came in as binary, and the library's value of what comes out.
    let text = query("SELECT concat_ws(' ', embedding, half, sparse, bits) FROM items ORDER BY id").fetch_all(db).await?;
    let text: Vec<String> = column(text)?;
    equal("row 1 as text", text[0].as_str(), "[1,2,3] [1,2,3] {1:1,3:2,1000000:3}/1000000 10101010");
    equal("row 3 as text", text[2].as_str(), "[1,2,4] [1,2,4] {1:1,3:2,1000000:4}/1000000 00000001");
    let rows = query("SELECT embedding, half, sparse, bits FROM items ORDER BY id").fetch_all(db).await?;
    for (i, v) in [A, B, C].iter().enumerate() {
        equal(&format!("row {}: vector", i + 1), rows[i].try_get(0)?, vector(v));
        equal(&format!("row {}: halfvec", i + 1), rows[i].try_get(1)?, half(v));
        equal(&format!("row {}: sparsevec", i + 1), rows[i].try_get(2)?, short[i].clone());
        equal(&format!("row {}: bit", i + 1), rows[i].try_get(3)?, bits(BITS[i]));
    }
    equal("NULL vector", rows[3].try_get(0)?, None::<Vector>);
    equal("NULL halfvec", rows[3].try_get(1)?, None::<HalfVector>);
    equal("NULL sparsevec", rows[3].try_get(2)?, None::<SparseVector>);
    equal("NULL bit", rows[3].try_get(3)?, None::<Bit>);

    equal("vector's extremes", one(db, query("SELECT $1::vector").bind(vector(&EXTREMES))).await?, vector(&EXTREMES));
    let text: String = one(db, query("SELECT $1::vector::text").bind(vector(&EXTREMES))).await?;
    equal("vector's extremes as text", text.as_str(), "[3.4028235e+38,1e-45,0.1]");
    equal("vector's extremes from text", one(db, query("SELECT $1::text::vector").bind(text)).await?, vector(&EXTREMES));
    equal("halfvec's extremes", one(db, query("SELECT $1::halfvec").bind(half(&HALF_EXTREMES))).await?, half(&HALF_EXTREMES));
    equal("16000 dimensions", one(db, query("SELECT $1::vector").bind(vector(&[0.5; 16000]))).await?, vector(&[0.5; 16000]));

    let update = query("UPDATE items SET embedding = $1 WHERE id = 2 RETURNING embedding");
    equal("update returning", one(db, update.bind(vector(&[7.0, 8.0, 9.0]))).await?, vector(&[7.0, 8.0, 9.0]));
    query("UPDATE items SET embedding = $1 WHERE id = 2").bind(vector(&B)).execute(db).await?;
    equal("avg", one(db, query("SELECT avg(embedding) FROM items")).await?, vector(&[2.0, 3.0, 13.0 / 3.0]));
    equal("sum", one(db, query("SELECT sum(embedding) FROM items")).await?, vector(&[6.0, 9.0, 13.0]));
    equal("sum of halfvec", one(db, query("SELECT sum(half) FROM items")).await?, half(&[6.0, 9.0, 13.0]));
    equal("avg of no rows", one(db, query("SELECT avg(embedding) FROM items WHERE id < 0")).await?, None::<Vector>);
    equal("arithmetic", one(db, query("SELECT $1::vector + $2 - $1 * $2").bind(vector(&A)).bind(vector(&B))).await?, vector(&[1.0, -3.0, -9.0]));
    equal("a cast to real[]", one(db, query("SELECT embedding::real[] FROM items WHERE id = 3")).await?, C.to_vec());
    equal("a cast from real[]", one(db, query("SELECT $1::real[]::vector").bind(B.to_vec())).await?, vector(&B));
    Ok(())
}

async fn searches(db: &PgPool) -> Result<(), Error> {
    for c in columns() {
        for m in c.metrics {
            let distance = format!("{} {} $1", c.name, m.operator);
            let statement = query(format!("SELECT {distance} FROM items WHERE id < 4 ORDER BY id"));
            near(&format!("{} of {}", m.name, c.name), &column::<f64>(bind(statement, &c.query).fetch_all(db).await?)?, &c.distances(m));
            let statement = query(format!("SELECT id FROM items WHERE id < 4 ORDER BY {distance}"));
            equal(&format!("{} in order of {}", c.name, m.name), column(bind(statement, &c.query).fetch_all(db).await?)?, c.order(m));
        }
    }
    let ids = |sql: &str, v: Vector| query(sql).bind(v).fetch_all(db);
    equal("NULLs come last", column(ids("SELECT id FROM items ORDER BY embedding <-> $1", vector(&A)).await?)?, vec![1, 3, 2, 4]);
    equal("a filter", column(ids("SELECT id FROM items WHERE category = 1 ORDER BY embedding <-> $1", vector(&B)).await?)?, vec![3, 1]);
    equal("a distance as filter", column(ids("SELECT id FROM items WHERE embedding <-> $1 < 2 ORDER BY id", vector(&A)).await?)?, vec![1, 3]);
    equal("equality", column(ids("SELECT id FROM items WHERE embedding = $1", vector(&C)).await?)?, vec![3]);
    Ok(())
}

/// Many rows in one statement, as arrays, and by COPY in text: sqlx leaves its binary form to the program.
async fn load(db: &PgPool) -> Result<(), Error> {
    db.execute("CREATE TABLE bulk (id int PRIMARY KEY, embedding vector(8))").await?;
    let rows = bulk();
    let (first, rest) = rows.split_at(200);
    let mut builder = QueryBuilder::<Postgres>::new("INSERT INTO bulk ");
    builder.push_values(first.iter().enumerate(), |mut row, (id, v)| {
        row.push_bind(id as i32).push_bind(vector(v));
    });
    equal("rows of one insert", builder.build().execute(db).await?.rows_affected(), 200);
    let (second, third) = rest.split_at(150);
    let ids: Vec<i32> = (200..350).collect();
    let arrays = query("INSERT INTO bulk SELECT * FROM unnest($1, $2)").bind(ids).bind(second.iter().map(|v| vector(v)).collect::<Vec<_>>());
    equal("rows of two arrays", arrays.execute(db).await?.rows_affected(), 150);
    let mut connection = db.acquire().await?;
    let mut copy = connection.copy_in_raw("COPY bulk FROM STDIN").await?;
    let lines: String = third.iter().enumerate().map(|(i, v)| format!("{}\t{v:?}\n", i + 350)).collect();
    copy.send(lines.into_bytes()).await?;
    equal("rows of a copy", copy.finish().await?, 150);
    drop(connection);

    let found: Vec<Vector> = column(query("SELECT embedding FROM bulk ORDER BY id").fetch_all(db).await?)?;
    equal("every row came over", found.clone(), rows.iter().map(|r| vector(r)).collect());
    equal("sum of the rows", one(db, query("SELECT sum(embedding) FROM bulk")).await?, vector(&sum(&rows)));
    equal("an array of vectors", one(db, query("SELECT array_agg(embedding ORDER BY id) FROM bulk")).await?, found);
    Ok(())
}

async fn indexes(db: &PgPool) -> Result<(), Error> {
    let ivfflat = one(db, query("SELECT EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')")).await?;
    for index in common::indexes(&bulk(), ivfflat) {
        query(index.create.as_str()).execute(db).await?;
        let mut tx = db.begin().await?;
        let connection: &mut PgConnection = &mut tx;
        for setting in index.settings {
            query(format!("SET LOCAL {setting}")).execute(&mut *connection).await?;
        }
        let sql = format!("SELECT {0} FROM bulk ORDER BY {0} LIMIT 10", index.distance);
        let found: Vec<f64> = column(bind(query(sql.as_str()), &index.query).fetch_all(&mut *connection).await?)?;
        near(&format!("nearest by {}", index.name), &found, &index.nearest);
        let explain = bind(query(format!("EXPLAIN (COSTS OFF) {sql}")), &index.query).fetch_all(&mut *connection).await?;
        let plan = column::<String>(explain)?.join("\n");
        check(plan.contains(&format!("Index Scan using {} ", index.name)), &format!("the plan has {}", index.name), || plan);
        tx.rollback().await?;
        query(format!("DROP INDEX {}", index.name)).execute(db).await?;
    }
    Ok(())
}

async fn errors(db: &PgPool) -> Result<(), Error> {
    let cases = [
        ("too many dimensions", "22000 expected 3 dimensions, not 4", "INSERT INTO items (embedding) VALUES ($1)", Value::Vector(vector(&[1.0; 4]))),
        ("dimensions of halfvec", "22000 expected 3 dimensions, not 2", "INSERT INTO items (half) VALUES ($1)", Value::Half(half(&[1.0; 2]))),
        (
            "dimensions of sparsevec",
            "22000 expected 1000000 dimensions, not 2",
            "INSERT INTO items (sparse) VALUES ($1)",
            Value::Sparse(SparseVector::from_dense(&[1.0; 2])),
        ),
        ("length of bit", "22026 bit string length 3 does not match type bit(8)", "INSERT INTO items (bits) VALUES ($1)", Value::Bit(bits("101"))),
        (
            "a query of other dimensions",
            "22000 different vector dimensions 3 and 2",
            "SELECT id FROM items ORDER BY embedding <-> $1",
            Value::Vector(vector(&[1.0; 2])),
        ),
        ("infinity in binary", "22000 infinite value not allowed in vector", "SELECT $1::vector", Value::Vector(vector(&[f32::INFINITY]))),
    ];
    for (name, want, sql, value) in cases {
        let error = match bind(query(sql), &value).execute(db).await {
            Ok(_) => Err("none".into()),
            Err(error) => match error.as_database_error() {
                Some(e) => Ok(format!("{} {}", e.code().unwrap_or_default(), e.message())),
                None => Err(error.to_string()),
            },
        };
        fails(name, error, want);
    }
    equal("the connections still work", one(db, query("SELECT count(*) FROM items")).await?, 4i64);
    Ok(())
}
