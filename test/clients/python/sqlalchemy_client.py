"""pgvector with SQLAlchemy's ORM over psycopg 3, and a part of it over asyncpg."""
import asyncio

from pgvector import SparseVector
from pgvector.psycopg import register_vector
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR, avg, sum
from sqlalchemy import BigInteger, Index, MetaData, Table, cast, create_engine, event, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

from check import (BITS, BIT_QUERY, DSN, EXACT, EXACT_HALF, QUERY, ROWS, check, close, done, equal, fails, float16, float32, many, nearest, recall,
                   search_by_methods, search_is)

engine = create_engine(DSN.replace('postgresql:', 'postgresql+psycopg:'))
with engine.begin() as conn:
    conn.execute(text('CREATE EXTENSION IF NOT EXISTS vector'))
engine.dispose()


@event.listens_for(engine, 'connect')
def connected(connection, _record):  # arrays of vectors need the types known to psycopg
    register_vector(connection)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = 'items'
    id = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    v = mapped_column(VECTOR(3))
    h = mapped_column(HALFVEC(3))
    b = mapped_column(BIT(8))
    s = mapped_column(SPARSEVEC(3))
    a = mapped_column(ARRAY(VECTOR(2), dimensions=1))
    wide = mapped_column(VECTOR)
    half = mapped_column(HALFVEC)
    __table_args__ = (
        Index('item_hnsw_l2', 'v', postgresql_using='hnsw', postgresql_with={'m': 16, 'ef_construction': 64},
              postgresql_ops={'v': 'vector_l2_ops'}),
        Index('item_hnsw_half', 'h', postgresql_using='hnsw', postgresql_ops={'h': 'halfvec_cosine_ops'}),
        Index('item_hnsw_bit', 'b', postgresql_using='hnsw', postgresql_ops={'b': 'bit_hamming_ops'}),
        Index('item_hnsw_sparse', 's', postgresql_using='hnsw', postgresql_ops={'s': 'sparsevec_l1_ops'}),
    )


class Bulk(Base):
    __tablename__ = 'bulk'
    id = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    v = mapped_column(VECTOR(8))


Base.metadata.create_all(engine)

# ---- values
with Session(engine) as session:
    session.add_all(Item(id=i, v=row, h=row, b=BITS[i], s=SparseVector(row), a=[row[:2], [i, i]]) for i, row in ROWS.items())
    session.add(Item(id=9, wide=EXACT, half=EXACT_HALF))
    session.commit()
with Session(engine) as session:
    items = session.scalars(select(Item).where(Item.id < 9).order_by(Item.id)).all()
    equal('vector read back', [i.v for i in items], list(ROWS.values()))
    equal('halfvec read back', [i.h for i in items], list(ROWS.values()))
    equal('bit read back', [i.b for i in items], list(BITS.values()))
    equal('sparsevec read back', [i.s for i in items], [SparseVector(v) for v in ROWS.values()])
    equal('array of vectors read back', [i.a for i in items], [[v[:2], [i, i]] for i, v in ROWS.items()])
    null = session.get(Item, 9)
    equal('NULLs read back', (null.v, null.h, null.b, null.s, null.a), (None,) * 5)
    equal('vector to the last bit', float32(null.wide), float32(EXACT))
    equal('halfvec to the last bit', float16(null.half), float16(EXACT_HALF))
    null.v = QUERY
    session.commit()
    equal('an update', session.scalar(select(Item.v).where(Item.id == 9)), QUERY)
    session.execute(text('UPDATE items SET v = NULL WHERE id = 9'))
    session.commit()

# ---- searches
with Session(engine) as session:
    def search(name, distance, rows, measure, query):
        d = distance.label('d')
        search_is(name, session.execute(select(Item.id, d).where(Item.b.is_not(None)).order_by(d)).all(), rows, measure, query)

    search_by_methods(Item, search, SparseVector(QUERY))
    equal('a filter and a limit', session.scalars(select(Item.id).where(Item.id != 1).order_by(Item.v.l2_distance(QUERY)).limit(1)).all(), [2])
    equal('a distance in WHERE', session.scalars(select(Item.id).where(Item.v.l2_distance(QUERY) < 2.5).order_by(Item.id)).all(), [1, 2])
    other = select(Item.v).where(Item.id == 1).scalar_subquery()
    equal('distance to a subquery', session.scalars(select(Item.id).where(Item.id.in_([2, 3, 4])).order_by(Item.v.l2_distance(other))).first(), 2)
    equal('avg', session.scalar(select(avg(Item.v))), [2, 2, 2.75])
    equal('sum', session.scalar(select(sum(Item.h))), [8, 8, 11])
    equal('avg of no rows is NULL', session.scalar(select(avg(Item.v)).where(Item.id < 0)), None)
    equal('functions', session.execute(select(func.vector_dims(Item.v), func.l2_distance(Item.v, literal([1, 2, 5], VECTOR)), func.vector_norm(Item.v - Item.v))
                                       .where(Item.id == 1)).one(), (3, 2.0, 0.0))
    equal('subvector', session.scalar(select(func.subvector(Item.v, 2, 2, type_=VECTOR(2))).where(Item.id == 4)), [0, 1])
    equal('binary_quantize', session.scalar(select(func.binary_quantize(Item.v, type_=BIT(3))).where(Item.id == 4)), '001')
    close('l2_normalize', session.scalar(select(func.l2_normalize(Item.v, type_=VECTOR)).where(Item.id == 3)), [3 ** -0.5] * 3)
    equal('a cast', session.scalar(select(Item.v.cast(HALFVEC(3))).where(Item.id == 1)), ROWS[1])
    equal('a literal value', session.scalar(text(str(select(Item.id).order_by(Item.v.l2_distance([3, 1, 1])).limit(1)
          .compile(engine, compile_kwargs={'literal_binds': True})))), 2)

# ---- bulk insert and indexes
vectors, query = many(1000, 8), many(1, 8, seed=2)[0]
want = nearest(vectors, query, 10)
with Session(engine) as session:
    session.execute(insert(Bulk), [{'id': i, 'v': v} for i, v in enumerate(vectors)])
    session.commit()
    equal('bulk insert', [r.v for r in session.scalars(select(Bulk).order_by(Bulk.id))], vectors)
indexes = [(f'bulk_hnsw_{ops}', 'hnsw', {'m': 16, 'ef_construction': 64}, 'hnsw.ef_search', 200, ops, method) for ops, method in
           [('l2', 'l2_distance'), ('ip', 'max_inner_product'), ('cosine', 'cosine_distance'), ('l1', 'l1_distance')]]
with engine.begin() as conn:
    if conn.scalar(text("SELECT 1 FROM pg_am WHERE amname = 'ivfflat'")):
        indexes += [(f'bulk_ivfflat_{ops}', 'ivfflat', {'lists': 10}, 'ivfflat.probes', 10, ops, method) for ops, method in
                    [('l2', 'l2_distance'), ('ip', 'max_inner_product'), ('cosine', 'cosine_distance')]]
for name, access, options, setting, value, ops, method in indexes:
    index = Index(name, Bulk.v, postgresql_using=access, postgresql_with=options, postgresql_ops={'v': f'vector_{ops}_ops'})
    index.create(engine)
    with Session(engine) as session:
        session.execute(text('SET LOCAL enable_seqscan = off'))
        session.execute(text(f'SET LOCAL {setting} = {value}'))
        plans = []

        @event.listens_for(session.connection(), 'before_cursor_execute')
        def explain(conn, cursor, statement, parameters, context, executemany):
            plans.append('\n'.join(r[0] for r in cursor.execute('EXPLAIN ' + statement, parameters).fetchall()))

        got = session.scalars(select(Bulk.id).order_by(getattr(Bulk.v, method)(query)).limit(10)).all()
        check(f'{name}: the index is used', f'Index Scan using {name} on bulk' in plans[0], plans[0])
        check(f'{name}: ten rows, and those by L2', len(set(got)) == 10 and (ops != 'l2' or recall(got, want) >= 0.9), f'{got} for {want}')
    index.drop(engine)
quantized = Index('bulk_quantized', cast(func.binary_quantize(Bulk.v), BIT(8)).label('bq'), postgresql_using='hnsw',
                  postgresql_ops={'bq': 'bit_hamming_ops'})
quantized.create(engine)
reflected = Table('items', MetaData(), autoload_with=engine)
equal('reflected columns', [str(reflected.c[c].type) for c in ('v', 'h', 's')], ['VECTOR(3)', 'HALFVEC(3)', 'SPARSEVEC(3)'])
equal('reflected indexes', {(i.name, i.dialect_options['postgresql']['using']) for i in reflected.indexes},
      {(f'item_hnsw_{n}', 'hnsw') for n in ('l2', 'half', 'bit', 'sparse')})

# ---- errors
with Session(engine) as session, fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2'):
    session.add(Item(id=10, v=[1, 2]))
    session.commit()
with Session(engine) as session, fails('different dimensions', '22000', 'different vector dimensions 3 and 2'):
    session.scalars(select(Item.id).order_by(Item.v.l2_distance([1, 2]))).all()
with Session(engine) as session, fails('NaN', '22000', 'NaN not allowed in vector'):
    session.add(Item(id=11, wide=[float('nan')]))
    session.commit()
with Session(engine) as session, fails('wrong dimensions of a sparsevec', '22000', 'expected 3 dimensions, not 2'):
    session.add(Item(id=12, s=SparseVector([1, 2])))
    session.commit()


async def asynchronous():
    async_engine = create_async_engine(DSN.replace('postgresql:', 'postgresql+asyncpg:'))
    async with async_engine.begin() as conn:
        await conn.execute(insert(Item), [{'id': 30, 'v': QUERY, 'h': QUERY, 's': SparseVector(QUERY), 'b': BIT_QUERY}])
        row = (await conn.execute(select(Item.v, Item.h, Item.s).where(Item.id == 30))).one()
        equal('asyncpg: values read back', tuple(row), (QUERY, QUERY, SparseVector(QUERY)))
        equal('asyncpg: nearest', await conn.scalar(select(Item.id).where(Item.v.is_not(None)).order_by(Item.v.l2_distance([5, 5, 4])).limit(1)), 3)
        equal('asyncpg: bits', await conn.scalar(select(Item.b.hamming_distance(BIT_QUERY)).where(Item.id == 30)), 0)
        equal('asyncpg: avg', await conn.scalar(select(avg(Item.v)).where(Item.id == 30)), QUERY)
    await async_engine.dispose()


asyncio.run(asynchronous())
done()
