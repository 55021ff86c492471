// Drizzle with node-postgres: its own vector columns and distances, indexes from the schema by drizzle-kit's migrations, errors.
'use strict';
const { Pool } = require('pg');
const { drizzle } = require('drizzle-orm/node-postgres');
const { and, asc, avg, eq, inArray, lt, ne, sql, sum } = require('drizzle-orm');
const { cosineDistance, hammingDistance, innerProduct, jaccardDistance, l1Distance, l2Distance } = require('drizzle-orm');
const { bigint, bit, halfvec, index, pgTable, sparsevec, vector } = require('drizzle-orm/pg-core');
const { generateDrizzleJson, generateMigration, pushSchema } = require('drizzle-kit/api');
const { ROWS, QUERY, BITS, BIT_QUERY, EXACT, IVFFLAT, check, equal, close, fails, float32, searchIs, vectors, query, foundByIndex, planUses,
  main } = require('./check');

const DISTANCE = { l2: l2Distance, ip: innerProduct, cosine: cosineDistance, l1: l1Distance, hamming: hammingDistance, jaccard: jaccardDistance };

const items = pgTable('items', {
  id: bigint('id', { mode: 'number' }).primaryKey(),
  v: vector('v', { dimensions: 3 }),
  h: halfvec('h', { dimensions: 3 }),
  b: bit('b', { dimensions: 8 }),
  s: sparsevec('s', { dimensions: 3 }),
  six: vector('six', { dimensions: EXACT.length }),
}, (t) => [
  index('items_v').using('hnsw', t.v.op('vector_l2_ops')).with({ m: 16, ef_construction: 64 }),
  index('items_h').using('hnsw', t.h.op('halfvec_cosine_ops')),
  index('items_b').using('hnsw', t.b.op('bit_jaccard_ops')),
  index('items_s').using('hnsw', t.s.op('sparsevec_ip_ops')),
]);
const bulkColumns = { id: bigint('id', { mode: 'number' }).primaryKey(), v: vector('v', { dimensions: 8 }) };
const bulk = pgTable('bulk', bulkColumns);

main(async () => {
  const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 1 });
  const db = drizzle(pool);
  await db.execute(sql`CREATE EXTENSION IF NOT EXISTS vector`);
  let schema = generateDrizzleJson({});
  const migrate = async (tables) => {
    const next = generateDrizzleJson(tables, schema.id);
    for (const statement of await generateMigration(schema, next)) await db.execute(sql.raw(statement));
    schema = next;
  };
  await migrate({ items, bulk });
  equal('the migration made the index', (await db.execute(sql`SELECT indexdef FROM pg_indexes WHERE indexname = 'items_v'`)).rows[0].indexdef,
    "CREATE INDEX items_v ON public.items USING hnsw (v vector_l2_ops) WITH (m='16', ef_construction='64')");
  equal('four hnsw indexes', (await db.execute(sql`SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'`)).rows.length, 4);
  const push = await pushSchema({ items, bulk }, db, ['public']);
  check('what drizzle-kit reads back loses no data', !push.hasDataLoss, push.statementsToExecute);

  // ---- values
  const sparse = (row) => `{${row.map((x, i) => `${i + 1}:${x}`).filter((e) => !e.endsWith(':0')).join(',')}}/${row.length}`;
  await db.insert(items).values([...ROWS].map(([id, row]) => ({ id, v: row, h: row, b: BITS.get(id), s: sparse(row) })));
  await db.insert(items).values({ id: 9, six: EXACT });
  const stored = lt(items.id, 9);
  const read = await db.select().from(items).where(stored).orderBy(items.id);
  equal('vector read back', read.map((r) => r.v), [...ROWS.values()]);
  equal('halfvec read back', read.map((r) => r.h), [...ROWS.values()]);
  equal('bit read back', read.map((r) => r.b), [...BITS.values()]);
  equal('sparsevec read back', read.map((r) => r.s), [...ROWS.values()].map(sparse));
  const [nine] = await db.select().from(items).where(eq(items.id, 9));
  equal('NULLs read back', [nine.v, nine.h, nine.b, nine.s], [null, null, null, null]);
  equal('vector to the last bit', float32(nine.six), float32(EXACT));
  equal('an update that returns', await db.update(items).set({ v: QUERY }).where(eq(items.id, 9)).returning({ v: items.v }), [{ v: QUERY }]);
  equal('insert or update', await db.insert(items).values({ id: 9, v: [7, 8, 9] }).onConflictDoUpdate({ target: items.id, set: { v: sql`excluded.v` } })
    .returning({ v: items.v }), [{ v: [7, 8, 9] }]);

  // ---- searches
  for (const measure of ['l2', 'ip', 'cosine', 'l1']) {
    for (const column of ['v', 'h', 's']) {
      const distance = DISTANCE[measure](items[column], column === 's' ? sparse(QUERY) : QUERY);
      searchIs(`${column} ${DISTANCE[measure].name}`, await db.select({ id: items.id, distance }).from(items).where(stored).orderBy(distance),
        ROWS, measure, QUERY);
    }
  }
  for (const measure of ['hamming', 'jaccard']) {
    const distance = DISTANCE[measure](items.b, BIT_QUERY);
    searchIs(`b ${DISTANCE[measure].name}`, await db.select({ id: items.id, distance }).from(items).where(stored).orderBy(distance), BITS, measure, BIT_QUERY);
  }
  const l2 = l2Distance(items.v, QUERY);
  equal('a filter and a limit', await db.select({ id: items.id }).from(items).where(and(stored, ne(items.id, 1))).orderBy(asc(l2)).limit(1), [{ id: 2 }]);
  equal('a distance in WHERE', await db.select({ id: items.id }).from(items).where(and(stored, lt(l2, 2.5))).orderBy(items.id), [{ id: 1 }, { id: 2 }]);
  const one = db.select({ v: items.v }).from(items).where(eq(items.id, 1));
  equal('distance to a subquery', await db.select({ id: items.id }).from(items).where(inArray(items.id, [2, 3, 4])).orderBy(l2Distance(items.v, one)).limit(1),
    [{ id: 2 }]);
  equal('avg and sum', await db.select({ a: avg(items.v), s: sum(items.h) }).from(items).where(stored), [{ a: '[2,2,2.75]', s: '[8,8,11]' }]);
  equal('functions', await db.select({ p: sql`subvector(${items.v}, 2, 2)`, q: sql`binary_quantize(${items.v})`, d: sql`vector_dims(${items.v})` })
    .from(items).where(eq(items.id, 4)), [{ p: '[0,1]', q: '001', d: 3 }]);
  const prepared = db.select({ id: items.id }).from(items).where(ne(items.id, sql.placeholder('but'))).orderBy(l2).limit(1).prepare('nearest_but');
  const twelve = [];
  for (let i = 0; i < 12; i++) twelve.push((await prepared.execute({ but: 1 + (i % 2) }))[0].id);
  equal('a prepared statement, often', twelve.join(''), '212121212121');

  // ---- bulk and indexes
  await db.insert(bulk).values(vectors.map((v, id) => ({ id, v })));
  equal('an insert of many rows', (await db.select().from(bulk).orderBy(bulk.id)).map((r) => r.v), vectors);
  const indexes = ['l2', 'ip', 'cosine', 'l1'].map((m) => ['hnsw', m, { m: 16, ef_construction: 64 }, 'hnsw.ef_search = 200']);
  if ((await db.execute(sql.raw(IVFFLAT))).rows.length) {
    indexes.push(...['l2', 'ip', 'cosine'].map((m) => ['ivfflat', m, { lists: 10 }, 'ivfflat.probes = 10']));
  }
  for (const [access, measure, options, setting] of indexes) {
    const name = `bulk_${access}_${measure}`;
    const indexed = pgTable('bulk', bulkColumns, (t) => [index(name).using(access, t.v.op(`vector_${measure}_ops`)).with(options)]);
    await migrate({ items, bulk: indexed });
    await db.transaction(async (tx) => {
      await tx.execute(sql.raw('SET LOCAL enable_seqscan = off'));
      await tx.execute(sql.raw(`SET LOCAL ${setting}`));
      const search = tx.select({ id: bulk.id }).from(bulk).orderBy(DISTANCE[measure](bulk.v, query)).limit(10);
      planUses(name, (await tx.execute(sql`EXPLAIN ${search.getSQL()}`)).rows.map((r) => r['QUERY PLAN']).join('\n'));
      foundByIndex(name, (await search).map((r) => r.id), measure);
    });
    await migrate({ items, bulk });
  }

  // ---- errors
  await fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2', db.insert(items).values({ id: 10, v: [1, 2] }));
  await fails('different dimensions', '22000', 'different vector dimensions 3 and 2', db.select().from(items).orderBy(l2Distance(items.v, [1, 2])));
  await fails('bits of different lengths', '22000', 'different bit lengths 8 and 3',
    db.select({ d: hammingDistance(items.b, sql`'101'::bit(3)`) }).from(items).where(stored));
  close('l2_normalize', JSON.parse((await db.select({ n: sql`l2_normalize(${items.v})` }).from(items).where(eq(items.id, 3)))[0].n), [1, 1, 1].map(() => 3 ** -0.5));
  await pool.end();
});
