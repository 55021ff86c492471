// pgvector with Knex: migrations by the schema builder, its distance functions, indexes, errors.
'use strict';
const Knex = require('knex');
const pgvector = require('pgvector/knex');
const { SparseVector } = require('pgvector');
const { ROWS, QUERY, BITS, BIT_QUERY, EXACT, IVFFLAT, equal, fails, float32, searchIs, vectors, query, foundByIndex, planUses,
  main } = require('./check');

const METHODS = { l2: 'l2Distance', ip: 'maxInnerProduct', cosine: 'cosineDistance', l1: 'l1Distance', hamming: 'hammingDistance', jaccard: 'jaccardDistance' };

main(async () => {
  const knex = Knex({ client: 'pg', connection: process.env.DATABASE_URL });
  await knex.schema.createExtensionIfNotExists('vector');
  await knex.schema.enableExtension('vector'); // pgvector's own name for the same
  await knex.schema.createTable('items', (table) => {
    table.bigInteger('id').primary();
    table.vector('v', 3);
    table.halfvec('h', { dimensions: 3 });
    table.bit('b', { length: 8 });
    table.sparsevec('s', 3);
    table.vector('wide');
    table.index(knex.raw('v vector_l2_ops'), 'items_v', { storageEngineIndexType: 'hnsw' });
  });
  await knex.schema.alterTable('items', (table) => {
    table.index(knex.raw('h halfvec_ip_ops'), 'items_h', { storageEngineIndexType: 'hnsw' });
    table.index(knex.raw('b bit_jaccard_ops'), 'items_b', { storageEngineIndexType: 'hnsw' });
    table.index(knex.raw('s sparsevec_cosine_ops'), 'items_s', { storageEngineIndexType: 'hnsw' });
  });
  equal('indexes of the schema builder', (await knex('pg_indexes').where({ tablename: 'items' }).whereLike('indexdef', '%USING hnsw%').orderBy('indexname')
    .pluck('indexname')), ['items_b', 'items_h', 'items_s', 'items_v']);
  equal('columns as the schema builder made them', (await knex('pg_attribute').where({ attrelid: knex.raw("'items'::regclass") }).where('attnum', '>', 1)
    .orderBy('attnum').select(knex.raw('format_type(atttypid, atttypmod) AS type'))).map((c) => c.type), ['vector(3)', 'halfvec(3)', 'bit(8)', 'sparsevec(3)', 'vector']);

  // ---- values
  await knex('items').insert([...ROWS].map(([id, row]) =>
    ({ id, v: pgvector.toSql(row), h: pgvector.toSql(row), b: BITS.get(id), s: new SparseVector(row).toPostgres() })));
  await knex('items').insert({ id: 9, wide: pgvector.toSql(EXACT) });
  const stored = await knex('items').where('id', '<', 9).orderBy('id');
  equal('vector read back', stored.map((r) => pgvector.fromSql(r.v)), [...ROWS.values()]);
  equal('halfvec read back', stored.map((r) => pgvector.fromSql(r.h)), [...ROWS.values()]);
  equal('bit read back', stored.map((r) => r.b), [...BITS.values()]);
  equal('sparsevec read back', stored.map((r) => new SparseVector(r.s).toArray()), [...ROWS.values()]);
  equal('NULLs read back', await knex('items').where({ id: 9 }).first('v', 'h', 'b', 's'), { v: null, h: null, b: null, s: null });
  equal('vector to the last bit', float32(pgvector.fromSql((await knex('items').where({ id: 9 }).first('wide')).wide)), float32(EXACT));
  equal('an update that returns', (await knex('items').where({ id: 9 }).update({ v: pgvector.toSql(QUERY) }).returning('v'))[0].v, '[1,2,2]');

  // ---- searches
  for (const measure of ['l2', 'ip', 'cosine', 'l1']) {
    for (const column of ['v', 'h', 's']) {
      const q = column === 's' ? new SparseVector(QUERY) : QUERY;
      const distance = knex.queryBuilder()[METHODS[measure]](column, q);
      searchIs(`${column} ${METHODS[measure]}`, await knex('items').select('id').where('id', '<', 9)
        .select({ distance }).orderBy(knex.queryBuilder()[METHODS[measure]](column, q)), ROWS, measure, QUERY);
    }
  }
  for (const measure of ['hamming', 'jaccard']) {
    searchIs(`b ${METHODS[measure]}`, await knex('items').select('id').where('id', '<', 9)
      .select({ distance: knex.queryBuilder()[METHODS[measure]]('b', BIT_QUERY) })
      .orderBy(knex.queryBuilder()[METHODS[measure]]('b', BIT_QUERY)), BITS, measure, BIT_QUERY);
  }
  equal('a filter and a limit', await knex('items').whereNot({ id: 1 }).where('id', '<', 9).orderBy(knex.l2Distance('v', QUERY)).limit(1).pluck('id'), ['2']);
  equal('a distance in WHERE', await knex('items').where(knex.l2Distance('v', QUERY), '<', 2.5).where('id', '<', 9).orderBy('id').pluck('id'), ['1', '2']);
  const totals = await knex('items').where('id', '<', 9).avg('v').sum('h').first();
  equal('avg and sum', [pgvector.fromSql(totals.avg), pgvector.fromSql(totals.sum)], [[2, 2, 2.75], [8, 8, 11]]);
  equal('avg of no rows is NULL', (await knex('items').where('id', '<', 0).avg('v').first()).avg, null);
  equal('functions', await knex('items').where({ id: 4 }).first(knex.raw('subvector(v, 2, 2), binary_quantize(v), vector_dims(v)')),
    { subvector: '[0,1]', binary_quantize: '001', vector_dims: 3 });

  // ---- batches and indexes
  await knex.schema.createTable('bulk', (table) => {
    table.bigInteger('id').primary();
    table.vector('v', 8);
  });
  await knex.batchInsert('bulk', vectors.map((v, id) => ({ id, v: pgvector.toSql(v) })), 250);
  equal('batchInsert', (await knex('bulk').orderBy('id').pluck('v')).map(pgvector.fromSql), vectors);
  const indexes = ['l2', 'ip', 'cosine', 'l1'].map((m) => ['hnsw', m, 'm = 16, ef_construction = 64', 'hnsw.ef_search = 200']);
  if ((await knex.raw(IVFFLAT)).rows.length) indexes.push(...['l2', 'ip', 'cosine'].map((m) => ['ivfflat', m, 'lists = 10', 'ivfflat.probes = 10']));
  for (const [access, measure, options, setting] of indexes) {
    const name = `bulk_${access}_${measure}`;
    await knex.schema.raw(`CREATE INDEX ?? ON bulk USING ${access} (v vector_${measure}_ops) WITH (${options})`, [name]);
    await knex.transaction(async (trx) => {
      await trx.raw('SET LOCAL enable_seqscan = off');
      await trx.raw(`SET LOCAL ${setting}`);
      const search = trx('bulk').orderBy(knex[METHODS[measure]]('v', query)).limit(10).select('id');
      const { sql, bindings } = search.toSQL();
      planUses(name, (await trx.raw('EXPLAIN ' + sql, bindings)).rows.map((r) => r['QUERY PLAN']).join('\n'));
      foundByIndex(name, (await search).map((r) => Number(r.id)), measure);
    });
    await knex.schema.alterTable('bulk', (table) => table.dropIndex([], name));
  }

  // ---- errors
  await fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2', knex('items').insert({ id: 10, v: '[1,2]' }));
  await fails('different dimensions', '22000', 'different vector dimensions 3 and 2', knex('items').orderBy(knex.l2Distance('v', [1, 2])));
  await fails('not a sparsevec', '22P02', 'invalid input syntax for type sparsevec: "{1:2}"', knex('items').insert({ id: 10, s: '{1:2}' }));
  await knex.destroy();
});
