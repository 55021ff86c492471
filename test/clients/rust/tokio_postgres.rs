//! tokio-postgres with the crate pgvector: parameters, results and COPY in binary.

mod common;

use common::*;
use futures_util::{pin_mut, TryStreamExt};
use pgvector::{Bit, HalfVector, SparseVector, Vector};
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Error, GenericClient, NoTls};

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<std::process::ExitCode, Error> {
    let (mut db, connection) = tokio_postgres::connect(&database_url(), NoTls).await?;
    tokio::spawn(connection);
    db.batch_execute("CREATE EXTENSION IF NOT EXISTS vector").await?;
    values(&db).await?;
    searches(&db).await?;
    load(&db).await?;
    indexes(&mut db).await?;
    errors(&db).await?;
    Ok(done())
}

/// The only column of a query's rows.
async fn column<T: for<'a> FromSql<'a>>(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Result<Vec<T>, Error> {
    db.query(sql, parameters).await?.iter().map(|row| row.try_get(0)).collect()
}

async fn one<T: for<'a> FromSql<'a>>(db: &Client, sql: &str, parameters: Parameters<'_>) -> Result<T, Error> {
    db.query_one(sql, parameters).await?.try_get(0)
}

async fn values(db: &Client) -> Result<(), Error> {
    db.batch_execute(
        "CREATE TABLE items (id serial PRIMARY KEY, category int,
             embedding vector(3), half halfvec(3), sparse sparsevec(1000000), bits bit(8))",
    )
    .await?;
    let insert = db.prepare("INSERT INTO items (category, embedding, half, sparse, bits) VALUES ($1, $2, $3, $4, $5)").await?;
    let names: Vec<&str> = insert.params().iter().map(Type::name).collect();
    equal("the parameters' types", names, vec!["int4", "vector", "halfvec", "sparsevec", "bit"]);
    let short = sparses();
    for (i, v) in [A, B, C].iter().enumerate() {
        let category = 1 + i as i32 % 2;
        let n = db.execute(&insert, &[&category, &vector(v), &half(v), &short[i], &bits(BITS[i])]).await?;
        equal("insert a row", n, 1);
    }
    let nothing: (Option<Vector>, Option<HalfVector>, Option<SparseVector>, Option<Bit>) = (None, None, None, None);
    equal("insert NULLs", db.execute(&insert, &[&2i32, &nothing.0, &nothing.1, &nothing.2, &nothing.3]).await?, 1);

    // The server's text of what came in as binary, and the library's value of what comes out.
    let text: Vec<String> = column(db, "SELECT concat_ws(' ', embedding, half, sparse, bits) FROM items ORDER BY id", &[]).await?;
    equal("row 1 as text", text[0].as_str(), "[1,2,3] [1,2,3] {1:1,3:2,1000000:3}/1000000 10101010");
    equal("row 2 as text", text[1].as_str(), "[4,5,6] [4,5,6] {1:4,2:5,3:6}/1000000 11110000");
    equal("NULLs as text", text[3].as_str(), "");
    for (i, row) in db.query("SELECT embedding, half, sparse, bits FROM items WHERE id < 4 ORDER BY id", &[]).await?.iter().enumerate() {
        let v = [A, B, C][i];
        equal(&format!("row {}: vector", i + 1), row.try_get(0)?, vector(&v));
        equal(&format!("row {}: halfvec", i + 1), row.try_get(1)?, half(&v));
        equal(&format!("row {}: sparsevec", i + 1), row.try_get(2)?, short[i].clone());
        equal(&format!("row {}: bit", i + 1), row.try_get(3)?, bits(BITS[i]));
    }
    let row = db.query_one("SELECT embedding, half, sparse, bits FROM items WHERE id = 4", &[]).await?;
    equal("NULLs read back", (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?), nothing);

    equal("vector's extremes", one(db, "SELECT $1::vector", &[&vector(&EXTREMES)]).await?, vector(&EXTREMES));
    equal(
        "vector's extremes as text",
        one::<String>(db, "SELECT $1::vector::text", &[&vector(&EXTREMES)]).await?.as_str(),
        "[3.4028235e+38,1e-45,0.1]",
    );
    equal("vector's extremes from text", one(db, "SELECT $1::text::vector", &[&"[3.4028235e+38,1e-45,0.1]"]).await?, vector(&EXTREMES));
    equal("halfvec's extremes", one(db, "SELECT $1::halfvec", &[&half(&HALF_EXTREMES)]).await?, half(&HALF_EXTREMES));
    equal("16000 dimensions", one(db, "SELECT $1::vector", &[&vector(&[0.5; 16000])]).await?, vector(&[0.5; 16000]));
    let none = SparseVector::from_map(&std::collections::HashMap::new(), 7);
    equal("a sparsevec of zeros", one(db, "SELECT $1::sparsevec", &[&none]).await?, none.clone());

    equal("avg", one(db, "SELECT avg(embedding) FROM items", &[]).await?, vector(&[2.0, 3.0, 13.0 / 3.0]));
    equal("sum", one(db, "SELECT sum(embedding) FROM items", &[]).await?, vector(&[6.0, 9.0, 13.0]));
    equal("sum of halfvec", one(db, "SELECT sum(half) FROM items", &[]).await?, half(&[6.0, 9.0, 13.0]));
    equal("avg of no rows", one(db, "SELECT avg(embedding) FROM items WHERE id < 0", &[]).await?, None::<Vector>);
    equal("arithmetic", one(db, "SELECT $1::vector + $2 - $1 * $2", &[&vector(&A), &vector(&B)]).await?, vector(&[1.0, -3.0, -9.0]));
    equal("a cast to real[]", one(db, "SELECT embedding::real[] FROM items WHERE id = 3", &[]).await?, C.to_vec());
    equal("a cast from real[]", one(db, "SELECT $1::real[]::vector", &[&B.to_vec()]).await?, vector(&B));
    Ok(())
}

fn parameter(value: &Value) -> &(dyn ToSql + Sync) {
    match value {
        Value::Vector(v) => v,
        Value::Half(v) => v,
        Value::Sparse(v) => v,
        Value::Bit(v) => v,
    }
}

async fn searches(db: &Client) -> Result<(), Error> {
    for c in columns() {
        for m in c.metrics {
            let distance = format!("{} {} $1", c.name, m.operator);
            let query: Parameters = &[parameter(&c.query)];
            let sql = format!("SELECT {distance} FROM items WHERE id < 4 ORDER BY id");
            near(&format!("{} of {}", m.name, c.name), &column::<f64>(db, &sql, query).await?, &c.distances(m));
            let sql = format!("SELECT id FROM items WHERE id < 4 ORDER BY {distance}");
            equal(&format!("{} in order of {}", c.name, m.name), column(db, &sql, query).await?, c.order(m));
        }
    }
    let a = vector(&A);
    equal("NULLs come last", column(db, "SELECT id FROM items ORDER BY embedding <-> $1", &[&a]).await?, vec![1, 3, 2, 4]);
    equal("a filter", column(db, "SELECT id FROM items WHERE category = $2 ORDER BY half <-> $1", &[&half(&B), &1i32]).await?, vec![3, 1]);
    equal("a distance as filter", column(db, "SELECT id FROM items WHERE embedding <-> $1 < $2 ORDER BY id", &[&a, &2f64]).await?, vec![1, 3]);
    equal("equality", column(db, "SELECT id FROM items WHERE embedding = $1", &[&vector(&C)]).await?, vec![3]);
    Ok(())
}

/// COPY in binary, in both directions.
async fn load(db: &Client) -> Result<(), Error> {
    db.batch_execute(
        "CREATE TABLE bulk (id int PRIMARY KEY, embedding vector(8));
         CREATE TABLE copied (id int, embedding vector, half halfvec, sparse sparsevec, bits bit(8))",
    )
    .await?;
    let types = db.prepare("SELECT id, embedding, half, sparse, bits FROM copied").await?;
    let types: Vec<Type> = types.columns().iter().map(|c| c.type_().clone()).collect();

    let rows = bulk();
    let writer = BinaryCopyInWriter::new(db.copy_in("COPY bulk FROM STDIN (FORMAT binary)").await?, &types[..2]);
    pin_mut!(writer);
    for (id, row) in rows.iter().enumerate() {
        writer.as_mut().write(&[&(id as i32), &vector(row)]).await?;
    }
    equal("rows copied", writer.finish().await?, ROWS as u64);
    equal("every row came over", column(db, "SELECT embedding FROM bulk ORDER BY id", &[]).await?, rows.iter().map(|r| vector(r)).collect());
    equal("sum of the rows", one(db, "SELECT sum(embedding) FROM bulk", &[]).await?, vector(&sum(&rows)));
    equal("an array of vectors", one::<Vec<Vector>>(db, "SELECT array_agg(embedding ORDER BY id) FROM bulk", &[]).await?.len(), ROWS);
    equal(
        "an array as parameter",
        column(db, "SELECT id FROM bulk WHERE embedding = ANY($1) ORDER BY id", &[&vec![vector(&rows[5]), vector(&rows[99])]]).await?,
        vec![5, 99],
    );

    let writer = BinaryCopyInWriter::new(db.copy_in("COPY copied FROM STDIN (FORMAT binary)").await?, &types);
    pin_mut!(writer);
    let [short, ..] = sparses();
    writer.as_mut().write(&[&1i32, &vector(&EXTREMES), &half(&HALF_EXTREMES), &short, &bits(BITS[0])]).await?;
    writer.as_mut().write(&[&2i32, &None::<Vector>, &None::<HalfVector>, &None::<SparseVector>, &None::<Bit>]).await?;
    equal("rows of all types copied", writer.finish().await?, 2);
    let out = BinaryCopyOutStream::new(db.copy_out("COPY copied TO STDOUT (FORMAT binary)").await?, &types);
    let out: Vec<_> = out.try_collect().await?;
    equal("rows copied out", out.len(), 2);
    equal("copied vector", out[0].try_get(1)?, vector(&EXTREMES));
    equal("copied halfvec", out[0].try_get(2)?, half(&HALF_EXTREMES));
    equal("copied sparsevec", out[0].try_get(3)?, short);
    equal("copied bit", out[0].try_get(4)?, bits(BITS[0]));
    equal("copied NULLs", (out[1].try_get(1)?, out[1].try_get(2)?, out[1].try_get(3)?), (None::<Vector>, None::<HalfVector>, None::<SparseVector>));
    Ok(())
}

async fn indexes(db: &mut Client) -> Result<(), Error> {
    let ivfflat = one(db, "SELECT EXISTS (SELECT 1 FROM pg_am WHERE amname = 'ivfflat')", &[]).await?;
    for index in common::indexes(&bulk(), ivfflat) {
        db.batch_execute(&index.create).await?;
        let tx = db.transaction().await?;
        for setting in index.settings {
            tx.batch_execute(&format!("SET LOCAL {setting}")).await?;
        }
        let query: Parameters = &[parameter(&index.query)];
        let sql = format!("SELECT {0} FROM bulk ORDER BY {0} LIMIT 10", index.distance);
        near(&format!("nearest by {}", index.name), &column::<f64>(&tx, &sql, query).await?, &index.nearest);
        let plan = column::<String>(&tx, &format!("EXPLAIN (COSTS OFF) {sql}"), query).await?.join("\n");
        check(plan.contains(&format!("Index Scan using {} ", index.name)), &format!("the plan has {}", index.name), || plan);
        tx.rollback().await?;
        db.batch_execute(&format!("DROP INDEX {}", index.name)).await?;
    }
    Ok(())
}

async fn errors(db: &Client) -> Result<(), Error> {
    let nan = vector(&[f32::NAN]);
    let cases: [(&str, &str, &str, &(dyn ToSql + Sync)); 8] = [
        ("too many dimensions", "22000 expected 3 dimensions, not 4", "INSERT INTO items (embedding) VALUES ($1)", &vector(&[1.0; 4])),
        ("dimensions of halfvec", "22000 expected 3 dimensions, not 2", "INSERT INTO items (half) VALUES ($1)", &half(&[1.0; 2])),
        (
            "dimensions of sparsevec",
            "22000 expected 1000000 dimensions, not 2",
            "INSERT INTO items (sparse) VALUES ($1)",
            &SparseVector::from_dense(&[1.0; 2]),
        ),
        ("length of bit", "22026 bit string length 3 does not match type bit(8)", "INSERT INTO items (bits) VALUES ($1)", &bits("101")),
        (
            "a query of other dimensions",
            "22000 different vector dimensions 3 and 2",
            "SELECT id FROM items ORDER BY embedding <-> $1",
            &vector(&[1.0; 2]),
        ),
        ("NaN in binary", "22000 NaN not allowed in vector", "SELECT $1::vector", &nan),
        ("no dimensions", "22000 halfvec must have at least 1 dimension", "SELECT $1::halfvec", &half(&[])),
        ("text that is no vector", "22P02 invalid input syntax for type vector: \"1\"", "SELECT $1::text::vector", &"1"),
    ];
    for (name, want, sql, parameter) in cases {
        let error = match db.execute(sql, &[parameter]).await {
            Ok(_) => Err("none".into()),
            Err(error) => error.as_db_error().map(|e| format!("{} {}", e.code().code(), e.message())).ok_or(error.to_string()),
        };
        fails(name, error, want);
    }
    equal("the connection still works", one(db, "SELECT count(*) FROM items", &[]).await?, 4i64);
    Ok(())
}
