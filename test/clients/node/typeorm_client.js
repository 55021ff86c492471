// TypeORM: its own vector and halfvec columns, schema synchronization and its migration log, repositories, query builder, errors.
'use strict';
require('reflect-metadata');
const { DataSource, EntitySchema } = require('typeorm');
const { ROWS, QUERY, BITS, BIT_QUERY, EXACT, IVFFLAT, OPERATOR, check, equal, fails, float32, searchIs, vectors, query, foundByIndex, planUses,
  main } = require('./check');

const Item = new EntitySchema({
  name: 'Item',
  tableName: 'items',
  columns: {
    id: { type: 'integer', primary: true },
    v: { type: 'vector', length: 3, nullable: true },
    h: { type: 'halfvec', length: 3, nullable: true },
    b: { type: 'bit', length: 8, nullable: true },
    wide: { type: 'vector', nullable: true },
    list: { type: 'vector', length: 2, array: true, nullable: true },
  },
});
const Bulk = new EntitySchema({ name: 'Bulk', tableName: 'bulk', columns: { id: { type: 'integer', primary: true }, v: { type: 'vector', length: 8 } } });

class AddIndexes1700000000000 {
  name = 'AddIndexes1700000000000';

  async up(runner) {
    await runner.query('CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 64)');
    await runner.query('CREATE INDEX items_h ON items USING hnsw (h halfvec_cosine_ops)');
    await runner.query('CREATE INDEX items_b ON items USING hnsw (b bit_hamming_ops)');
  }

  async down(runner) {
    for (const column of ['v', 'h', 'b']) await runner.query(`DROP INDEX items_${column}`);
  }
}

main(async () => {
  const source = new DataSource({ type: 'postgres', url: process.env.DATABASE_URL, entities: [Item, Bulk], migrations: [AddIndexes1700000000000] });
  await source.initialize();
  await source.synchronize();
  equal('TypeORM created the extension', (await source.query("SELECT extname FROM pg_extension WHERE extname = 'vector'")).length, 1);
  equal('columns as synchronized', (await source.query("SELECT format_type(atttypid, atttypmod) AS t FROM pg_attribute WHERE attrelid = 'items'::regclass "
    + 'AND attnum > 1 ORDER BY attnum')).map((r) => r.t), ['vector(3)', 'halfvec(3)', 'bit(8)', 'vector', 'vector(2)[]']);
  equal('what it reads back needs no change', (await source.driver.createSchemaBuilder().log()).upQueries.map((q) => q.query), []);
  await source.runMigrations();
  equal('the migration made the indexes', (await source.query("SELECT 1 FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'")).length, 3);
  await source.undoLastMigration();
  equal('and dropped them', (await source.query("SELECT 1 FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'")).length, 0);
  await source.runMigrations();

  // ---- values
  const items = source.getRepository(Item);
  await items.save([...ROWS].map(([id, row]) => ({ id, v: row, h: row, b: BITS.get(id) })));
  await items.insert({ id: 9, wide: EXACT });
  const read = await items.createQueryBuilder('i').where('i.id < 9').orderBy('i.id').getMany();
  equal('vector read back', read.map((r) => r.v), [...ROWS.values()]);
  equal('halfvec read back', read.map((r) => r.h), [...ROWS.values()]);
  equal('bit read back', read.map((r) => r.b), [...BITS.values()]);
  const nine = await items.findOneBy({ id: 9 });
  equal('NULLs read back', [nine.v, nine.h, nine.b, nine.list], [null, null, null, null]);
  equal('vector to the last bit', float32(nine.wide), float32(EXACT));
  nine.v = QUERY;
  await items.save(nine);
  equal('an update', (await items.findOneBy({ id: 9 })).v, QUERY);
  await items.upsert({ id: 9, v: [7, 8, 9] }, ['id']);
  equal('an upsert', (await items.findOneBy({ id: 9 })).v, [7, 8, 9]);

  // ---- searches
  const search = (column, measure, value) => items.createQueryBuilder('i').select('i.id', 'id').addSelect(`i.${column} ${OPERATOR[measure]} :value`, 'distance')
    .where('i.id < 9').orderBy('distance').setParameters({ value }).getRawMany();
  for (const measure of ['l2', 'ip', 'cosine', 'l1']) {
    for (const column of ['v', 'h']) searchIs(`${column} ${OPERATOR[measure]}`, await search(column, measure, JSON.stringify(QUERY)), ROWS, measure, QUERY);
  }
  for (const measure of ['hamming', 'jaccard']) searchIs(`b ${OPERATOR[measure]}`, await search('b', measure, BIT_QUERY), BITS, measure, BIT_QUERY);
  const near = items.createQueryBuilder('i').where('i.id <> 1 AND i.id < 9').orderBy('i.v <-> :q').setParameters({ q: '[1,2,2]' }).limit(1);
  equal('a filter and a limit', (await near.getMany()).map((i) => i.id), [2]);
  equal('a distance in WHERE', (await items.createQueryBuilder('i').where('i.v <-> :q < 2.5 AND i.id < 9', { q: '[1,2,2]' }).orderBy('i.id').getMany())
    .map((i) => i.id), [1, 2]);
  equal('avg and sum', await items.createQueryBuilder('i').select('avg(i.v)', 'a').addSelect('sum(i.h)', 's').where('i.id < 9').getRawOne(),
    { a: '[2,2,2.75]', s: '[8,8,11]' });
  equal('functions', await items.createQueryBuilder('i').select('subvector(i.v, 2, 2)', 'p').addSelect('binary_quantize(i.v)', 'q')
    .addSelect('vector_dims(i.v)', 'd').where('i.id = 4').getRawOne(), { p: '[0,1]', q: '001', d: 3 });

  // ---- bulk and indexes
  await source.getRepository(Bulk).save(vectors.map((v, id) => ({ id, v })), { chunk: 250 });
  equal('save in chunks', (await source.getRepository(Bulk).find({ order: { id: 'ASC' } })).map((b) => b.v), vectors);
  const indexes = ['l2', 'ip', 'cosine', 'l1'].map((m) => ['hnsw', m, 'm = 16, ef_construction = 64', 'hnsw.ef_search = 200']);
  if ((await source.query(IVFFLAT)).length) indexes.push(...['l2', 'ip', 'cosine'].map((m) => ['ivfflat', m, 'lists = 10', 'ivfflat.probes = 10']));
  for (const [access, measure, options, setting] of indexes) {
    const name = `bulk_${access}_${measure}`;
    await source.query(`CREATE INDEX ${name} ON bulk USING ${access} (v vector_${measure}_ops) WITH (${options})`);
    await source.transaction(async (manager) => {
      await manager.query('SET LOCAL enable_seqscan = off');
      await manager.query(`SET LOCAL ${setting}`);
      const found = manager.createQueryBuilder(Bulk, 'b').orderBy(`b.v ${OPERATOR[measure]} :q`).setParameters({ q: JSON.stringify(query) }).limit(10);
      const [text, parameters] = found.getQueryAndParameters();
      planUses(name, (await manager.query('EXPLAIN ' + text, parameters)).map((r) => r['QUERY PLAN']).join('\n'));
      foundByIndex(name, (await found.getMany()).map((b) => b.id), measure);
    });
    await source.query(`DROP INDEX ${name}`);
  }

  // ---- errors
  await fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2', items.insert({ id: 10, v: [1, 2] }));
  await fails('different dimensions', '22000', 'different vector dimensions 3 and 2', search('v', 'l2', '[1,2]'));
  await fails('NaN', '22000', 'NaN not allowed in halfvec', items.insert({ id: 10, h: [NaN, 1, 2] }));
  check('the connection still works', (await items.count()) === 5);
  await source.destroy();
});
