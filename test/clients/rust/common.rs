//! What the programs share: checks as test/clients/lib.sh counts them, the rows they insert, and those rows' distances
//! worked out without the server.
#![allow(dead_code)] // no program needs all of it

use pgvector::{Bit, HalfVector, SparseVector, Vector};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

pub fn check(ok: bool, name: &str, why: impl FnOnce() -> String) {
    if ok {
        println!("ok - {name}");
    } else {
        FAILED.store(true, Ordering::Relaxed);
        println!("not ok - {name}: {}", why().replace('\n', " "));
    }
}

pub fn equal<T: PartialEq + Debug>(name: &str, got: T, want: T) {
    check(got == want, name, || format!("got {got:?}, expected {want:?}"));
}

/// Distances, which the server adds up in single precision.
pub fn near(name: &str, got: &[f64], want: &[f64]) {
    let close = |(g, w): (&f64, &f64)| (g - w).abs() <= 1e-5 * w.abs().max(1.0);
    let ok = got.len() == want.len() && got.iter().zip(want).all(close);
    check(ok, name, || format!("got {got:?}, expected {want:?}"));
}

/// The server's error, as `SQLSTATE message`.
pub fn fails(name: &str, got: Result<String, String>, want: &str) {
    match got {
        Ok(error) => equal(name, error.as_str(), want),
        Err(other) => check(false, name, || format!("not an error of the server: {other}")),
    }
}

/// To be returned from main: a program that failed a check fails.
pub fn done() -> std::process::ExitCode {
    u8::from(FAILED.load(Ordering::Relaxed)).into()
}

pub fn database_url() -> String {
    std::env::var("DATABASE_URL").expect("DATABASE_URL names the database")
}

pub const A: [f32; 3] = [1.0, 2.0, 3.0];
pub const B: [f32; 3] = [4.0, 5.0, 6.0];
pub const C: [f32; 3] = [1.0, 2.0, 4.0];
pub const BITS: [&str; 3] = ["10101010", "11110000", "00000001"];
/// The largest float, the smallest denormal, the nearest to 0.1: each must come back to the last bit.
pub const EXTREMES: [f32; 3] = [f32::MAX, f32::from_bits(1), 0.1];
/// The like for halfvec, as the floats that they are.
pub const HALF_EXTREMES: [f32; 3] = [65504.0, 5.9604645e-08, 0.099975586];
pub const SPARSE_DIM: i32 = 1_000_000;
pub const ROWS: usize = 500;
pub const DIM: usize = 8;

pub fn vector(v: &[f32]) -> Vector {
    Vector::from(v.to_vec())
}

pub fn half(v: &[f32]) -> HalfVector {
    HalfVector::from_f32_slice(v)
}

pub fn bits(text: &str) -> Bit {
    Bit::new(&text.chars().map(|c| c == '1').collect::<Vec<_>>())
}

pub fn sparse(elements: &[(i32, f32)]) -> SparseVector {
    let map: HashMap<i32, f32> = elements.iter().copied().collect();
    SparseVector::from_map(&map, SPARSE_DIM)
}

/// The sparsevec of the rows 1, 2 and 3.
pub fn sparses() -> [SparseVector; 3] {
    [
        sparse(&[(0, 1.0), (2, 2.0), (SPARSE_DIM - 1, 3.0)]),
        sparse(&[(0, 4.0), (1, 5.0), (2, 6.0)]),
        sparse(&[(0, 1.0), (2, 2.0), (SPARSE_DIM - 1, 4.0)]),
    ]
}

/// Small integers, which halfvec holds, and whose sums are exact.
pub fn bulk() -> Vec<Vec<f32>> {
    let mut state = 20240229u32;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 24) as f32 - 128.0
    };
    (0..ROWS).map(|_| (0..DIM).map(|_| next()).collect()).collect()
}

pub fn sum(rows: &[Vec<f32>]) -> Vec<f32> {
    (0..DIM).map(|i| rows.iter().map(|row| row[i]).sum()).collect()
}

/// A value to search for, of whichever type.
#[derive(Clone, Debug)]
pub enum Value {
    Vector(Vector),
    Half(HalfVector),
    Sparse(SparseVector),
    Bit(Bit),
}

type Distance = fn(&[f32], &[f32]) -> f64;

/// A distance and how SQL names it.
#[derive(Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub operator: &'static str,
    pub ops: &'static str,
    pub distance: Distance,
}

const fn metric(name: &'static str, operator: &'static str, ops: &'static str, distance: Distance) -> Metric {
    Metric { name, operator, ops, distance }
}

pub const METRICS: [Metric; 4] = [
    metric("l2", "<->", "l2_ops", l2),
    metric("inner product", "<#>", "ip_ops", negative_ip),
    metric("cosine", "<=>", "cosine_ops", cosine),
    metric("l1", "<+>", "l1_ops", l1),
];
pub const BIT_METRICS: [Metric; 2] = [metric("hamming", "<~>", "hamming_ops", hamming), metric("jaccard", "<%>", "jaccard_ops", jaccard)];

fn total(a: &[f32], b: &[f32], term: fn(f64, f64) -> f64) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| term(x.into(), y.into())).sum()
}

fn l2(a: &[f32], b: &[f32]) -> f64 {
    total(a, b, |x, y| (x - y) * (x - y)).sqrt()
}

fn negative_ip(a: &[f32], b: &[f32]) -> f64 {
    total(a, b, |x, y| -x * y)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    1.0 + negative_ip(a, b) / (negative_ip(a, a) * negative_ip(b, b)).sqrt()
}

fn l1(a: &[f32], b: &[f32]) -> f64 {
    total(a, b, |x, y| (x - y).abs())
}

/// Of the elements' signs, which is what binary_quantize keeps.
fn hamming(a: &[f32], b: &[f32]) -> f64 {
    total(a, b, |x, y| ((x > 0.0) != (y > 0.0)).into())
}

fn jaccard(a: &[f32], b: &[f32]) -> f64 {
    1.0 - total(a, b, |x, y| (x > 0.0 && y > 0.0).into()) / total(a, b, |x, y| (x > 0.0 || y > 0.0).into())
}

/// A column of the table of three rows, those rows written out as dense ones, and a value to search it for.
pub struct Column {
    pub name: &'static str,
    pub query: Value,
    pub metrics: &'static [Metric],
    rows: [Vec<f32>; 3],
}

pub fn columns() -> [Column; 4] {
    let dense = || [A.to_vec(), B.to_vec(), C.to_vec()];
    let short = [vec![1.0, 0.0, 2.0, 3.0], vec![4.0, 5.0, 6.0, 0.0], vec![1.0, 0.0, 2.0, 4.0]];
    let [query, ..] = sparses();
    let digits = BITS.map(|text| text.chars().map(|c| if c == '1' { 1.0 } else { 0.0 }).collect());
    [
        Column { name: "embedding", query: Value::Vector(vector(&A)), metrics: &METRICS, rows: dense() },
        Column { name: "half", query: Value::Half(half(&A)), metrics: &METRICS, rows: dense() },
        Column { name: "sparse", query: Value::Sparse(query), metrics: &METRICS, rows: short },
        Column { name: "bits", query: Value::Bit(bits(BITS[0])), metrics: &BIT_METRICS, rows: digits },
    ]
}

impl Column {
    /// From row 1 to the rows 1, 2 and 3.
    pub fn distances(&self, metric: &Metric) -> Vec<f64> {
        self.rows.iter().map(|row| (metric.distance)(row, &self.rows[0])).collect()
    }

    /// The rows' numbers, nearest first.
    pub fn order(&self, metric: &Metric) -> Vec<i32> {
        let distances = self.distances(metric);
        let mut order = vec![1, 2, 3];
        order.sort_by(|&a, &b| distances[a as usize - 1].total_cmp(&distances[b as usize - 1]));
        order
    }
}

/// An index of the bulk table, a query that it serves, and the exact answer.
pub struct Index {
    pub name: String,
    pub create: String,
    /// What to select and to order by; the query is its `$1`.
    pub distance: String,
    pub query: Value,
    pub nearest: Vec<f64>,
    pub settings: &'static [&'static str],
}

/// One per operator class; those of ivfflat for a server that has it.
pub fn indexes(rows: &[Vec<f32>], ivfflat: bool) -> Vec<Index> {
    let index = |method: &str, kind: &str, expression: &str, metric: &Metric, options: &str, query: Value, q: &[f32]| {
        let name = format!("{method}_{kind}_{}", metric.ops);
        let mut nearest: Vec<f64> = rows.iter().map(|row| (metric.distance)(row, q)).collect();
        nearest.sort_by(f64::total_cmp);
        nearest.truncate(10);
        Index {
            create: format!("CREATE INDEX {name} ON bulk USING {method} ({expression} {kind}_{}) WITH ({options})", metric.ops),
            distance: format!("{expression} {} $1", metric.operator),
            settings: if method == "ivfflat" {
                &["enable_seqscan = off", "enable_sort = off", "ivfflat.probes = 5", "ivfflat.iterative_scan = relaxed_order"]
            } else {
                &["enable_seqscan = off", "enable_sort = off", "hnsw.ef_search = 400", "hnsw.iterative_scan = strict_order"]
            },
            name,
            query,
            nearest,
        }
    };
    let halfvec = format!("(embedding::halfvec({DIM}))");
    let sparsevec = format!("(embedding::sparsevec({DIM}))");
    let quantized = format!("(binary_quantize(embedding)::bit({DIM}))");
    let signs = Bit::new(&rows[10].iter().map(|&x| x > 0.0).collect::<Vec<_>>());
    let mut all = Vec::new();
    for m in &METRICS {
        let query = Value::Sparse(SparseVector::from_dense(&rows[9]));
        all.push(index("hnsw", "vector", "embedding", m, "m = 8, ef_construction = 100", Value::Vector(vector(&rows[7])), &rows[7]));
        all.push(index("hnsw", "halfvec", &halfvec, m, "m = 16", Value::Half(half(&rows[8])), &rows[8]));
        all.push(index("hnsw", "sparsevec", &sparsevec, m, "ef_construction = 80", query, &rows[9]));
    }
    for m in &BIT_METRICS {
        all.push(index("hnsw", "bit", &quantized, m, "m = 12", Value::Bit(signs.clone()), &rows[10]));
    }
    if ivfflat {
        all.push(index("ivfflat", "vector", "embedding", &METRICS[0], "lists = 5", Value::Vector(vector(&rows[7])), &rows[7]));
        all.push(index("ivfflat", "halfvec", &halfvec, &METRICS[1], "lists = 5", Value::Half(half(&rows[8])), &rows[8]));
    }
    all
}
