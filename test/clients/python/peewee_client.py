"""pgvector with Peewee: fields, indexes by the model's API, distances, aggregates, bulk inserts, errors."""
import os

from peewee import BigIntegerField, Model, PostgresqlDatabase, fn
from pgvector import SparseVector
from pgvector.peewee import FixedBitField, HalfVectorField, SparseVectorField, VectorField

from check import (BITS, EXACT, EXACT_HALF, QUERY, ROWS, check, close, done, equal, fails, float16, float32, many, nearest, recall,
                   search_by_methods, search_is)

db = PostgresqlDatabase(os.environ['PGDATABASE'], host=os.environ['PGHOST'], port=int(os.environ['PGPORT']), user=os.environ['PGUSER'],
                        prefer_psycopg3=True)
db.connect()
db.execute_sql('CREATE EXTENSION IF NOT EXISTS vector')


class Base(Model):
    class Meta:
        database = db


class Item(Base):
    id = BigIntegerField(primary_key=True)
    v = VectorField(dimensions=3, null=True)
    h = HalfVectorField(dimensions=3, null=True)
    b = FixedBitField(max_length=8, null=True)
    s = SparseVectorField(dimensions=3, null=True)
    wide = VectorField(null=True)
    half = HalfVectorField(null=True)

    class Meta:
        table_name = 'items'


class Bulk(Base):
    id = BigIntegerField(primary_key=True)
    v = VectorField(dimensions=8)

    class Meta:
        table_name = 'bulk'


Item.add_index('v vector_l2_ops', using='hnsw', name='item_v')
Item.add_index('h halfvec_cosine_ops', using='hnsw', name='item_h')
Item.add_index('b bit_hamming_ops', using='hnsw', name='item_b')
Item.add_index('s sparsevec_ip_ops', using='hnsw', name='item_s')
db.create_tables([Item, Bulk])
equal('indexes of the model', {i.name for i in db.get_indexes('items')} - {'items_pkey'}, {'item_v', 'item_h', 'item_b', 'item_s'})

# ---- values
for i, row in ROWS.items():
    Item.create(id=i, v=row, h=row, b=BITS[i], s=SparseVector(row))
Item.create(id=9, wide=EXACT, half=EXACT_HALF)
stored = Item.select().where(Item.id < 9)
items = list(stored.order_by(Item.id))
equal('vector read back', [i.v for i in items], list(ROWS.values()))
equal('halfvec read back', [i.h for i in items], list(ROWS.values()))
equal('bit read back', [i.b for i in items], list(BITS.values()))
equal('sparsevec read back', [i.s for i in items], [SparseVector(v) for v in ROWS.values()])
null = Item.get_by_id(9)
equal('NULLs read back', (null.v, null.h, null.b, null.s), (None,) * 4)
equal('vector to the last bit', float32(null.wide), float32(EXACT))
equal('halfvec to the last bit', float16(null.half), float16(EXACT_HALF))
null.v = QUERY
null.save()
equal('an update', Item.get_by_id(9).v, QUERY)
Item.update(v=None).where(Item.id == 9).execute()


# ---- searches
def search(name, distance, rows, measure, query):
    found = Item.select(Item.id, distance.alias('d')).where(Item.id < 9).order_by(distance).tuples()
    search_is(name, found, rows, measure, query)


search_by_methods(Item, search, SparseVector(QUERY))
equal('a filter and a limit', [i.id for i in stored.where(Item.id != 1).order_by(Item.v.l2_distance(QUERY)).limit(1)], [2])
equal('a distance in WHERE', [i.id for i in stored.where(Item.v.l2_distance(QUERY) < 2.5).order_by(Item.id)], [1, 2])
equal('avg', Item.select(fn.avg(Item.v).coerce(True)).scalar(), [2, 2, 2.75])
equal('sum', Item.select(fn.sum(Item.h).coerce(True)).scalar(), [8, 8, 11])
equal('avg of no rows is NULL', Item.select(fn.avg(Item.v)).where(Item.id < 0).scalar(), None)
equal('functions', Item.select(fn.vector_dims(Item.v), fn.subvector(Item.v, 2, 2).cast('text'), fn.binary_quantize(Item.v).coerce(False))
      .where(Item.id == 4).tuples()[0], (3, '[0,1]', '001'))
close('l2_normalize', Item.select(fn.l2_normalize(Item.v)).where(Item.id == 3).scalar(), [3 ** -0.5] * 3)

# ---- bulk and indexes
vectors, query = many(1000, 8), many(1, 8, seed=2)[0]
want = nearest(vectors, query, 10)
Bulk.insert_many([{'id': i, 'v': v} for i, v in enumerate(vectors)]).execute()
equal('insert_many', [b.v for b in Bulk.select().order_by(Bulk.id)], vectors)
measures = [('l2', 'l2_distance'), ('ip', 'max_inner_product'), ('cosine', 'cosine_distance'), ('l1', 'l1_distance')]
indexes = [('hnsw', 'm = 16, ef_construction = 64', 'hnsw.ef_search = 200', m) for m in measures]
if db.execute_sql("SELECT 1 FROM pg_am WHERE amname = 'ivfflat'").fetchone():
    indexes += [('ivfflat', 'lists = 10', 'ivfflat.probes = 10', m) for m in measures[:3]]
for access, options, setting, (ops, method) in indexes:
    name = f'bulk_{access}_{ops}'
    with db.atomic():
        db.execute_sql(f'CREATE INDEX {name} ON bulk USING {access} (v vector_{ops}_ops) WITH ({options})')
        db.execute_sql('SET LOCAL enable_seqscan = off')
        db.execute_sql(f'SET LOCAL {setting}')
        found = Bulk.select(Bulk.id).order_by(getattr(Bulk.v, method)(query)).limit(10)
        sql, parameters = found.sql()
        plan = '\n'.join(r[0] for r in db.execute_sql('EXPLAIN ' + sql, parameters))
        check(f'{name}: the index is used', f'Index Scan using {name} on bulk' in plan, plan)
        got = [b.id for b in found]
        check(f'{name}: ten rows, and those by L2', len(set(got)) == 10 and (ops != 'l2' or recall(got, want) >= 0.9), f'{got} for {want}')
        db.execute_sql(f'DROP INDEX {name}')

# ---- errors
with fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2'), db.atomic():
    Item.create(id=10, v=[1, 2])
with fails('different dimensions', '22000', 'different halfvec dimensions 3 and 2'), db.atomic():
    list(Item.select(Item.id).order_by(Item.h.l2_distance([1, 2])))
with fails('infinity', '22000', 'infinite value not allowed in vector'), db.atomic():
    Item.create(id=11, wide=[float('inf')])
with fails('m out of range', '22023', 'value 1 out of bounds for option "m"'), db.atomic():
    db.execute_sql('CREATE INDEX ON bulk USING hnsw (v vector_l2_ops) WITH (m = 1)')
done()
