// pgvector with Sequelize: models, indexes of the model, distance functions, aggregates, bulkCreate, errors.
'use strict';
const { Sequelize, DataTypes, Op, QueryTypes } = require('sequelize');
const pgvector = require('pgvector/sequelize');
const { SparseVector } = require('pgvector');
const { ROWS, QUERY, BITS, BIT_QUERY, EXACT, IVFFLAT, equal, close, fails, float32, searchIs, vectors, query, foundByIndex, planUses,
  main } = require('./check');

const METHODS = { l2: 'l2Distance', ip: 'maxInnerProduct', cosine: 'cosineDistance', l1: 'l1Distance', hamming: 'hammingDistance', jaccard: 'jaccardDistance' };

main(async () => {
  pgvector.registerTypes(Sequelize);
  // Sequelize asks once, when it first connects, which types there are.
  const before = new Sequelize(process.env.DATABASE_URL, { logging: false });
  await before.query('CREATE EXTENSION IF NOT EXISTS vector');
  await before.close();
  const sequelize = new Sequelize(process.env.DATABASE_URL, { logging: false });
  const indexOn = (field, opclass) => ({ name: `items_${field}`, fields: [{ name: field, operator: opclass }], using: 'hnsw' });
  const Item = sequelize.define('Item', {
    id: { type: DataTypes.BIGINT, primaryKey: true },
    v: DataTypes.VECTOR(3),
    h: DataTypes.HALFVEC(3),
    b: 'bit(8)',
    s: DataTypes.SPARSEVEC(3),
    wide: DataTypes.VECTOR,
  }, {
    tableName: 'items', timestamps: false,
    indexes: [indexOn('v', 'vector_l2_ops'), indexOn('h', 'halfvec_cosine_ops'), indexOn('b', 'bit_hamming_ops'), indexOn('s', 'sparsevec_l1_ops')],
  });
  const Bulk = sequelize.define('Bulk', { id: { type: DataTypes.BIGINT, primaryKey: true }, v: DataTypes.VECTOR(8) }, { tableName: 'bulk', timestamps: false });
  await sequelize.sync({ force: true });
  equal('indexes of the model', (await sequelize.query("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%' ORDER BY 1",
    { type: QueryTypes.SELECT })).map((r) => r.indexname), ['items_b', 'items_h', 'items_s', 'items_v']);

  // ---- values
  for (const [id, row] of ROWS) await Item.create({ id, v: row, h: row, b: BITS.get(id), s: new SparseVector(row) });
  await Item.create({ id: 9, wide: EXACT });
  const stored = { id: { [Op.lt]: 9 } };
  const items = await Item.findAll({ where: stored, order: ['id'] });
  equal('vector read back', items.map((i) => i.v), [...ROWS.values()]);
  equal('halfvec read back', items.map((i) => i.h), [...ROWS.values()]);
  equal('bit read back', items.map((i) => i.b), [...BITS.values()]);
  equal('sparsevec read back', items.map((i) => i.s.toArray()), [...ROWS.values()]);
  const nine = await Item.findByPk(9);
  equal('NULLs read back', [nine.v, nine.h, nine.b, nine.s], [null, null, null, null]);
  equal('vector to the last bit', float32(nine.wide), float32(EXACT));
  nine.v = QUERY;
  await nine.save();
  equal('an update', (await Item.findByPk(9)).v, QUERY);

  // ---- searches
  const search = (measure, column, value) => Item.findAll({
    where: stored, raw: true, attributes: ['id', [pgvector[METHODS[measure]](column, value, sequelize), 'distance']],
    order: pgvector[METHODS[measure]](column, value, sequelize),
  });
  for (const measure of ['l2', 'ip', 'cosine', 'l1']) {
    for (const column of ['v', 'h', 's']) {
      searchIs(`${column} ${METHODS[measure]}`, await search(measure, column, column === 's' ? new SparseVector(QUERY) : QUERY), ROWS, measure, QUERY);
    }
  }
  for (const measure of ['hamming', 'jaccard']) searchIs(`b ${METHODS[measure]}`, await search(measure, 'b', BIT_QUERY), BITS, measure, BIT_QUERY);
  const l2 = pgvector.l2Distance('v', QUERY, sequelize);
  equal('a filter and a limit', (await Item.findAll({ where: { id: { [Op.in]: [2, 3, 4] } }, order: l2, limit: 1 })).map((i) => i.id), ['2']);
  equal('a distance in WHERE', (await Item.findAll({ where: { [Op.and]: [stored, sequelize.where(l2, '<', 2.5)] }, order: ['id'] })).map((i) => i.id), ['1', '2']);
  const totals = await Item.findOne({ where: stored, raw: true, attributes: [[sequelize.fn('avg', sequelize.col('v')), 'a'], [sequelize.fn('sum', sequelize.col('h')), 's']] });
  equal('avg and sum', [totals.a, totals.s], [[2, 2, 2.75], [8, 8, 11]]);
  const functions = await Item.findOne({ where: { id: 4 }, raw: true, attributes: [[sequelize.fn('subvector', sequelize.col('v'), 2, 2), 'p'],
    [sequelize.fn('binary_quantize', sequelize.col('v')), 'q'], [sequelize.fn('vector_norm', sequelize.col('v')), 'n']] });
  equal('functions', [functions.p, functions.q], [[0, 1], '001']);
  close('vector_norm', [functions.n], [Math.SQRT2]);

  // ---- bulk and indexes
  await Bulk.bulkCreate(vectors.map((v, id) => ({ id, v })));
  equal('bulkCreate', (await Bulk.findAll({ order: ['id'] })).map((b) => b.v), vectors);
  const indexes = ['l2', 'ip', 'cosine', 'l1'].map((m) => ['hnsw', m, 'm = 16, ef_construction = 64', 'hnsw.ef_search = 200']);
  if ((await sequelize.query(IVFFLAT, { type: QueryTypes.SELECT })).length) {
    indexes.push(...['l2', 'ip', 'cosine'].map((m) => ['ivfflat', m, 'lists = 10', 'ivfflat.probes = 10']));
  }
  for (const [access, measure, options, setting] of indexes) {
    const name = `bulk_${access}_${measure}`;
    // the library's own way has no place for WITH (...): by it where the defaults do
    if (measure === 'l2') await sequelize.query(`CREATE INDEX ${name} ON bulk USING ${access} (v vector_l2_ops) WITH (${options})`);
    else await sequelize.getQueryInterface().addIndex('bulk', { name, using: access, fields: [{ name: 'v', operator: `vector_${measure}_ops` }] });
    await sequelize.transaction(async (transaction) => {
      await sequelize.query('SET LOCAL enable_seqscan = off', { transaction });
      await sequelize.query(`SET LOCAL ${access === 'hnsw' ? setting : 'ivfflat.probes = 100'}`, { transaction });
      let sql = '';
      const found = await Bulk.findAll({ order: pgvector[METHODS[measure]]('v', query, sequelize), limit: 10, transaction, logging: (s) => (sql = s) });
      const plan = await sequelize.query('EXPLAIN ' + sql.replace(/^Executing \([^)]*\): /, ''), { transaction, type: QueryTypes.SELECT });
      planUses(name, plan.map((r) => r['QUERY PLAN']).join('\n'));
      foundByIndex(name, found.map((b) => Number(b.id)), measure);
    });
    await sequelize.getQueryInterface().removeIndex('bulk', name);
  }

  // ---- errors
  await fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2', Item.create({ id: 10, v: [1, 2] }));
  await fails('different dimensions', '22000', 'different halfvec dimensions 3 and 2', Item.findAll({ order: pgvector.l2Distance('h', [1, 2], sequelize) }));
  await fails('an element out of range', '22003', '"70000" is out of range for type halfvec', Item.create({ id: 10, h: [70000, 1, 2] }));
  await sequelize.close();
});
