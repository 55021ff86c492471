// pgvector with node-postgres: parameters as text and as binary, COPY in binary form, indexes, errors.
'use strict';
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const pg = require('pg');
const { from: copyFrom, to: copyTo } = require('pg-copy-streams');
const pgvector = require('pgvector');
const pgvectorPg = require('pgvector/pg');
const { ROWS, QUERY, BITS, BIT_QUERY, EXACT, IVFFLAT, OPERATOR, check, equal, close, fails, float32, searchIs, vectors, query, foundByIndex, planUses,
  main } = require('./check');
const { SparseVector } = pgvector;

// The binary form of a vector: two int16, the elements as float4.
function binary(values) {
  const b = Buffer.alloc(4 + 4 * values.length);
  b.writeInt16BE(values.length, 0);
  values.forEach((v, i) => b.writeFloatBE(v, 4 + 4 * i));
  return b;
}

function copyRow(id, vector) {
  const head = Buffer.alloc(2 + 4 + 8 + 4);
  head.writeInt16BE(2, 0);
  head.writeInt32BE(8, 2);
  head.writeBigInt64BE(BigInt(id), 6);
  head.writeInt32BE(vector.length, 14);
  return Buffer.concat([head, vector]);
}

main(async () => {
  const client = new pg.Client(process.env.DATABASE_URL);
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS vector');
  await pgvectorPg.registerTypes(client);
  const rows = async (sql, values) => (await client.query(sql, values)).rows;
  const value = async (sql, values) => Object.values((await rows(sql, values))[0])[0];

  // ---- values
  await client.query('CREATE TABLE items (id bigint PRIMARY KEY, v vector(3), h halfvec(3), b bit(8), s sparsevec(3))');
  for (const [id, row] of ROWS) {
    await client.query('INSERT INTO items VALUES ($1, $2, $3, $4, $5)',
      [id, pgvector.toSql(row), pgvector.toSql(row), BITS.get(id), pgvector.toSql(new SparseVector(row))]);
  }
  await client.query('INSERT INTO items VALUES ($1, $2, $3, $4, $5)', [9, pgvector.toSql(null), null, null, null]);
  const stored = await rows('SELECT * FROM items WHERE id < 9 ORDER BY id');
  equal('vector read back', stored.map((r) => r.v), [...ROWS.values()]);
  equal('halfvec read back', stored.map((r) => r.h), [...ROWS.values()]);
  equal('bit read back', stored.map((r) => r.b), [...BITS.values()]);
  equal('sparsevec read back', stored.map((r) => r.s.toArray()), [...ROWS.values()]);
  equal('NULLs read back', (await rows('SELECT v, h, b, s FROM items WHERE id = 9'))[0], { v: null, h: null, b: null, s: null });
  equal('vector to the last bit', float32(await value('SELECT $1::vector AS v', [pgvector.toSql(EXACT)])), float32(EXACT));
  equal('sparsevec of a map', (await value('SELECT $1::sparsevec AS s', [new SparseVector({ 0: 1.5, 999: -2 }, 1000)])).toPostgres(),
    '{1:1.5,1000:-2}/1000');
  equal('a binary parameter', await value('SELECT $1::vector AS v', [binary([1.5, -2])]), [1.5, -2]);
  equal('vector_send', await value('SELECT vector_send(v) FROM items WHERE id = 3'), binary(ROWS.get(3)));
  equal('= ANY of an array', (await rows('SELECT id FROM items WHERE v = ANY ($1::vector[])', [['[5,5,5]', '[0,0,0]']])).map((r) => r.id), ['3']);

  // ---- searches
  for (const measure of ['l2', 'ip', 'cosine', 'l1']) {
    for (const column of ['v', 'h', 's']) {
      const q = pgvector.toSql(column === 's' ? new SparseVector(QUERY) : QUERY);
      searchIs(`${column} ${OPERATOR[measure]}`, await rows(
        `SELECT id, ${column} ${OPERATOR[measure]} $1 AS distance FROM items WHERE id < 9 ORDER BY distance`, [q]), ROWS, measure, QUERY);
    }
  }
  for (const measure of ['hamming', 'jaccard']) {
    searchIs(`b ${OPERATOR[measure]}`, await rows(
      `SELECT id, b ${OPERATOR[measure]} $1 AS distance FROM items WHERE id < 9 ORDER BY distance`, [BIT_QUERY]), BITS, measure, BIT_QUERY);
  }
  const named = { name: 'nearest-but', text: 'SELECT id FROM items WHERE id <> $2 ORDER BY v <-> $1 LIMIT 1' };
  const twelve = [];
  for (let i = 0; i < 12; i++) twelve.push((await client.query({ ...named, values: [pgvector.toSql(QUERY), 1 + (i % 2)] })).rows[0].id);
  equal('a prepared statement, often', twelve.join(''), '212121212121');
  equal('a distance in WHERE', (await rows('SELECT id FROM items WHERE v <-> $1 < 2.5 ORDER BY id', [pgvector.toSql(QUERY)])).map((r) => r.id), ['1', '2']);
  equal('avg and sum', (await rows('SELECT avg(v), sum(h) FROM items'))[0], { avg: [2, 2, 2.75], sum: [8, 8, 11] });
  equal('avg of no rows is NULL', await value('SELECT avg(v) FROM items WHERE false'), null);
  equal('functions', (await rows('SELECT subvector(v, 2, 2), binary_quantize(v), vector_dims(v) FROM items WHERE id = 4'))[0],
    { subvector: [0, 1], binary_quantize: '001', vector_dims: 3 });
  close('l2_normalize', await value('SELECT l2_normalize($1::vector)', ['[3,4]']), [0.6, 0.8]);

  // ---- binary COPY in and out
  await client.query('CREATE TABLE bulk (id bigint, v vector(8))');
  const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
  const trailer = Buffer.from([0xff, 0xff]);
  const table = (some) => Buffer.concat([header, ...some, trailer]);
  await pipeline(Readable.from([table(vectors.map((v, i) => copyRow(i, binary(v))))]), client.query(copyFrom('COPY bulk FROM STDIN BINARY')));
  equal('binary COPY in', (await rows('SELECT v FROM bulk ORDER BY id')).map((r) => r.v), vectors);
  const chunks = [];
  for await (const chunk of client.query(copyTo('COPY (SELECT id, v FROM bulk ORDER BY id) TO STDOUT BINARY'))) chunks.push(chunk);
  equal('binary COPY out', Buffer.concat(chunks), table(vectors.map((v, i) => copyRow(i, binary(v)))));

  // ---- indexes
  const indexes = ['l2', 'ip', 'cosine', 'l1'].map((m) => ['hnsw', m, 'm = 16, ef_construction = 64', 'hnsw.ef_search = 200']);
  if ((await rows(IVFFLAT)).length) indexes.push(...['l2', 'ip', 'cosine'].map((m) => ['ivfflat', m, 'lists = 10', 'ivfflat.probes = 10']));
  for (const [access, measure, options, setting] of indexes) {
    const name = `bulk_${access}_${measure}`;
    await client.query(`CREATE INDEX ${name} ON bulk USING ${access} (v vector_${measure}_ops) WITH (${options})`);
    await client.query('BEGIN');
    await client.query(`SET LOCAL enable_seqscan = off; SET LOCAL ${setting}`);
    const sql = `SELECT id FROM bulk ORDER BY v ${OPERATOR[measure]} $1 LIMIT 10`;
    planUses(name, (await rows('EXPLAIN ' + sql, [pgvector.toSql(query)])).map((r) => r['QUERY PLAN']).join('\n'));
    foundByIndex(name, (await rows(sql, [pgvector.toSql(query)])).map((r) => Number(r.id)), measure);
    await client.query('COMMIT');
    await client.query(`DROP INDEX ${name}`);
  }
  await client.query('CREATE INDEX bulk_half ON bulk USING hnsw ((v::halfvec(8)) halfvec_l2_ops)');
  await client.query('CREATE INDEX bulk_bits ON bulk USING hnsw ((binary_quantize(v)::bit(8)) bit_hamming_ops)');
  equal('quantized search, then the exact order', (await rows('SELECT id FROM (SELECT id, v FROM bulk ORDER BY binary_quantize(v)::bit(8) <~> '
    + 'binary_quantize($1::vector)::bit(8) LIMIT 500) near ORDER BY v <-> $1 LIMIT 5', [pgvector.toSql(query)])).length, 5);

  // ---- errors
  await fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2', rows('INSERT INTO items (id, v) VALUES (10, $1)', ['[1,2]']));
  await fails('wrong dimensions in binary', '22000', 'expected 3 dimensions, not 2', rows('INSERT INTO items (id, v) VALUES (10, $1)', [binary([1, 2])]));
  await fails('different dimensions', '22000', 'different vector dimensions 3 and 2', rows('SELECT id FROM items ORDER BY v <-> $1', ['[1,2]']));
  await fails('NaN in binary', '22000', 'NaN not allowed in vector', rows('SELECT $1::vector', [binary([NaN])]));
  await fails('not a vector', '22P02', 'invalid input syntax for type vector: "hello"', rows('SELECT $1::vector', ['hello']));
  await fails('an index of too short a list', '22023', 'ef_construction must be greater than or equal to 2 * m',
    rows('CREATE INDEX ON bulk USING hnsw (v vector_l2_ops) WITH (m = 50, ef_construction = 60)'));
  await fails('truncated binary', '08P01', 'insufficient data left in message', rows('SELECT $1::vector', [binary([1, 2]).subarray(0, 9)]));
  check('the connection still works', (await value('SELECT 1 AS one')) === 1);
  await client.end();

  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2, onConnect: pgvectorPg.registerTypes });
  equal('a pool', (await Promise.all([1, 2, 3].map((i) => pool.query('SELECT $1::vector * $2 AS v', ['[1,2]', `[${i},${i}]`]))))
    .map((r) => r.rows[0].v), [[1, 2], [2, 4], [3, 6]]);
  await pool.end();
});
