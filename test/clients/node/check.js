// What the Node clients share: counted checks, the rows they store, and distances computed without a server.
'use strict';
const util = require('node:util');

// Distances from QUERY differ in every measure, so each order below has one right answer.
const ROWS = new Map([[1, [1, 2, 3]], [2, [3, 1, 2]], [3, [5, 5, 5]], [4, [-1, 0, 1]]]);
const QUERY = [1, 2, 2];
const BITS = new Map([[1, '11100001'], [2, '10000000'], [3, '00001111'], [4, '11111100']]);
const BIT_QUERY = '11100000';
// Values whose way through the text form must not change a bit of them.
const EXACT = [0.1, -1.5e-7, 3.4028235e38, 1e-45, 16777216, -2.5];

let failed = 0;

function check(name, ok, detail = '') {
  if (!ok) failed++;
  console.log(ok ? `ok - ${name}` : `not ok - ${name}: ${detail}`);
}

function equal(name, got, want) {
  check(name, util.isDeepStrictEqual(got, want), `got ${util.inspect(got)}, not ${util.inspect(want)}`);
}

// Distances: float arithmetic of the server against float64 here.
function close(name, got, want) {
  const near = (g, w) => Math.abs(g - w) <= 1e-6 * Math.max(1, Math.abs(w));
  check(name, got.length === want.length && got.every((g, i) => near(g, want[i])), `got ${util.inspect(got)}, not ${util.inspect(want)}`);
}

const float32 = (values) => Array.from(Float32Array.from(values));

// The promise must be rejected with the server's error of this code and text, whatever a library wraps it in.
async function fails(name, sqlstate, message, promise) {
  let got = 'no error';
  try {
    await promise;
  } catch (error) {
    let server = error;
    while (server && !(server.code && server.severity)) server = server.cause || server.original || server.driverError || server.parent;
    // Knex puts the statement before the message: "select ... - message"
    got = server ? [server.code, server.message.replace(/^.* - (?=[^-]*$)/s, '')] : util.inspect(error);
  }
  equal(name, got, [sqlstate, message]);
}

const sum = (a, b, f) => a.reduce((total, x, i) => total + f(x, b[i]), 0);
const inner = (a, b) => sum(a, b, (x, y) => x * y);
const measures = {
  l2: (a, b) => Math.sqrt(sum(a, b, (x, y) => (x - y) ** 2)),
  ip: (a, b) => -inner(a, b),
  cosine: (a, b) => 1 - inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b)),
  l1: (a, b) => sum(a, b, (x, y) => Math.abs(x - y)),
  hamming: (a, b) => [...a].filter((x, i) => x !== b[i]).length,
  jaccard: (a, b) => 1 - [...a].filter((x, i) => x === '1' && b[i] === '1').length / [...a].filter((x, i) => x === '1' || b[i] === '1').length,
};

// [id, distance] in ascending order: what a search must give.
function ranked(rows, measure, query) {
  return [...rows].map(([id, v]) => [id, measures[measure](v, query)]).sort((a, b) => a[1] - b[1]);
}

// found: objects with id and distance, as the server ordered them.
function searchIs(name, found, rows, measure, query) {
  const want = ranked(rows, measure, query);
  equal(`${name}: order`, found.map((r) => Number(r.id)), want.map(([id]) => id));
  close(`${name}: distances`, found.map((r) => Number(r.distance)), want.map(([, d]) => d));
}

// Vectors of multiples of 1/64, exact in float32 and float16, by a small generator that is the same everywhere.
function many(count, dim, seed = 1) {
  let state = seed;
  const next = () => (state = (state * 48271) % 2147483647);
  return Array.from({ length: count }, () => Array.from({ length: dim }, () => ((next() % 129) - 64) / 64));
}

const vectors = many(1000, 8);
const query = many(1, 8, 20)[0];
const nearest = ranked(vectors.entries(), 'l2', query).slice(0, 10).map(([id]) => id);

// What a search by an index must give: ten different rows, by L2 nine of the nearest.
function foundByIndex(name, ids, measure) {
  const right = new Set(ids).size === 10 && (measure !== 'l2' || nearest.filter((id) => ids.includes(id)).length >= 9);
  check(`${name}: ten rows, and those by L2`, right, `${ids} for ${nearest}`);
}

function planUses(name, plan) {
  check(`${name}: the index is used`, plan.includes(`Index Scan using ${name} on bulk`), plan);
}

const IVFFLAT = "SELECT 1 FROM pg_am WHERE amname = 'ivfflat'";
const OPERATOR = { l2: '<->', ip: '<#>', cosine: '<=>', l1: '<+>', hamming: '<~>', jaccard: '<%>' };

// Runs a program to its end; what it throws is its failure.
function main(program) {
  program().then(() => process.exit(failed ? 1 : 0), (error) => {
    for (; error; error = error.cause) console.error(error.stack);
    process.exit(2); // not the 1 of a failed check
  });
}

module.exports = { ROWS, QUERY, BITS, BIT_QUERY, EXACT, IVFFLAT, OPERATOR, check, equal, close, fails, float32, searchIs, vectors, query, foundByIndex,
  planUses, main };
