"""pgvector with asyncpg, which speaks the binary protocol only: prepared statements, COPY of records, indexes, errors."""
import asyncio
import io

import asyncpg
from pgvector import HalfVector, SparseVector, Vector
from pgvector.asyncpg import register_vector

from check import (BINARY, BIT_QUERY, BITS, DENSE, DSN, EXACT, EXACT_HALF, QUERY, ROWS, check, done, equal, fails, float16, float32, many,
                   nearest, recall, search_is)


async def values(conn):
    await conn.execute('CREATE TABLE items (id bigint PRIMARY KEY, v vector(3), h halfvec(3), b bit(8), s sparsevec(3))')
    await conn.executemany('INSERT INTO items VALUES ($1, $2, $3, $4, $5)', [
        (i, Vector(row), HalfVector(row), asyncpg.BitString(BITS[i]), SparseVector(row)) for i, row in ROWS.items()])
    await conn.execute('INSERT INTO items VALUES ($1, $2, $3, $4, $5)', 9, None, None, None, None)
    rows = await conn.fetch('SELECT v, h, b, s FROM items WHERE id < 9 ORDER BY id')
    equal('vector read back', [r['v'] for r in rows], [Vector(v) for v in ROWS.values()])
    equal('halfvec read back', [r['h'] for r in rows], [HalfVector(v) for v in ROWS.values()])
    equal('bit read back', [r['b'].as_string().replace(' ', '') for r in rows], list(BITS.values()))
    equal('sparsevec read back', [r['s'] for r in rows], [SparseVector(v) for v in ROWS.values()])
    equal('NULLs read back', tuple(await conn.fetchrow('SELECT v, h, b, s FROM items WHERE id = 9')), (None,) * 4)
    equal('vector to the last bit', (await conn.fetchval('SELECT $1::vector', Vector(EXACT))).to_list(), float32(EXACT))
    equal('halfvec to the last bit', (await conn.fetchval('SELECT $1::halfvec', HalfVector(EXACT_HALF))).to_list(), float16(EXACT_HALF))
    sparse = SparseVector({0: 1.5, 999999999: -2.0}, 1000000000)
    equal('sparsevec with distant indices', await conn.fetchval('SELECT $1::sparsevec', sparse), sparse)
    equal('sparsevec without elements', await conn.fetchval('SELECT $1::sparsevec', SparseVector({}, 5)), SparseVector({}, 5))
    equal('array of vectors', await conn.fetchval('SELECT $1::vector[]', [Vector([1, 2]), Vector([3])]), [Vector([1, 2]), Vector([3])])
    equal('a list as parameter', await conn.fetchval('SELECT $1::vector', [1, 2, 3]), Vector([1, 2, 3]))
    equal('what binary input stores is what text input stores',
          await conn.fetchval("SELECT count(*) FROM items WHERE v = ($1::text[])[id]::vector", [str(v) for v in ROWS.values()]), 4)


async def searches(conn):
    for op, measure in DENSE:
        for column, kind in [('v', Vector), ('h', HalfVector), ('s', SparseVector)]:
            rows = await conn.fetch(f'SELECT id, {column} {op} $1 AS d FROM items WHERE v IS NOT NULL ORDER BY d', kind(QUERY))
            search_is(f'{column} {op}', rows, ROWS, measure, QUERY)
    for op, measure in BINARY:
        rows = await conn.fetch(f'SELECT id, b {op} $1 AS d FROM items WHERE b IS NOT NULL ORDER BY d', asyncpg.BitString(BIT_QUERY))
        search_is(f'b {op}', rows, BITS, measure, BIT_QUERY)
    nearest_but = await conn.prepare('SELECT id FROM items WHERE id <> $2 ORDER BY v <-> $1 LIMIT 1')
    equal('a prepared statement, often', [await nearest_but.fetchval(Vector(QUERY), but) for but in [1, 2] * 5], [2, 1] * 5)
    equal('avg and sum', tuple(await conn.fetchrow('SELECT avg(v), sum(h) FROM items')), (Vector([2, 2, 2.75]), HalfVector([8, 8, 11])))
    equal('avg of no rows is NULL', await conn.fetchval('SELECT avg(v) FROM items WHERE false'), None)
    equal('arithmetic', await conn.fetchval('SELECT (v + $1) * v FROM items WHERE id = 1', Vector(QUERY)), Vector([2, 8, 15]))
    equal('functions', tuple(await conn.fetchrow('SELECT subvector(v, 2, 2), l2_normalize($1::vector), vector_dims(v), l1_distance(v, $1) FROM items '
                                                 'WHERE id = 4', Vector([0, 0, 2]))), (Vector([0, 1]), Vector([0, 0, 1]), 3, 2.0))
    equal('binary_quantize', (await conn.fetchval('SELECT binary_quantize(v) FROM items WHERE id = 4')).as_string(), '001')


async def bulk(conn):
    vectors = many(1000, 8)
    await conn.execute('CREATE TABLE bulk (id bigint, v vector(8), h halfvec(8), s sparsevec(8))')
    records = [(i, Vector(v), HalfVector(v), SparseVector(v)) for i, v in enumerate(vectors)]
    equal('binary COPY in', await conn.copy_records_to_table('bulk', records=records), 'COPY 1000')
    rows = await conn.fetch('SELECT * FROM bulk ORDER BY id')
    check('every value came in as it was', [tuple(r) for r in rows] == records, 'some differ')
    out = io.BytesIO()
    await conn.copy_from_query('SELECT v FROM bulk WHERE id = 5', output=out, format='binary')
    # 11 bytes signature, 8 of flags, 2 number of columns, 4 length, value, 2 end
    equal('binary COPY out', out.getvalue()[25:-2], Vector(vectors[5]).to_binary())

    query = many(1, 8, seed=2)[0]
    want = nearest(vectors, query, 10)
    methods = [('hnsw', '(m = 16, ef_construction = 64)', 'hnsw.ef_search = 200', ['l2', 'ip', 'cosine', 'l1'])]
    if await conn.fetchval("SELECT 1 FROM pg_am WHERE amname = 'ivfflat'"):
        methods.append(('ivfflat', '(lists = 10)', 'ivfflat.probes = 10', ['l2', 'ip', 'cosine']))
    for access, options, setting, measures in methods:
        for ops, op in zip(measures, ['<->', '<#>', '<=>', '<+>']):
            async with conn.transaction():
                name = f'{access}_{ops}'
                await conn.execute(f'CREATE INDEX {name} ON bulk USING {access} (v vector_{ops}_ops) WITH {options}')
                await conn.execute(f'SET LOCAL enable_seqscan = off; SET LOCAL {setting}')
                sql = f'SELECT id FROM bulk ORDER BY v {op} $1 LIMIT 10'
                plan = '\n'.join(r[0] for r in await conn.fetch('EXPLAIN ' + sql, Vector(query)))
                check(f'{name}: the index is used', f'Index Scan using {name} on bulk' in plan, plan)
                got = [r['id'] for r in await conn.fetch(sql, Vector(query))]
                check(f'{name}: ten rows, and those by L2', len(set(got)) == 10 and (ops != 'l2' or recall(got, want) >= 0.9), f'{got} for {want}')
    async with conn.transaction():
        equal('a cursor', [r['id'] async for r in conn.cursor('SELECT id FROM bulk ORDER BY v <-> $1', Vector(query))][:10], want)


async def errors(conn):
    with fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2'):
        await conn.execute('INSERT INTO items (id, v) VALUES (10, $1)', Vector([1, 2]))
    with fails('wrong dimensions in COPY', '22000', 'expected 8 dimensions, not 1'):
        await conn.copy_records_to_table('bulk', columns=['v'], records=[(Vector([1]),)])
    with fails('different dimensions', '22000', 'different vector dimensions 3 and 2'):
        await conn.execute('SELECT $1::vector <-> $2', Vector([1, 2, 3]), Vector([1, 2]))
    with fails('NaN', '22000', 'NaN not allowed in vector'):
        await conn.execute('SELECT $1::vector', Vector([float('nan')]))
    with fails('infinity', '22000', 'infinite value not allowed in halfvec'):
        await conn.execute('SELECT $1::halfvec', HalfVector([float('inf')]))
    with fails('no dimensions', '22000', 'vector must have at least 1 dimension'):
        await conn.execute('SELECT $1::vector', Vector([]))
    with fails('not a vector', '22P02', 'invalid input syntax for type vector: "hello"'):
        await conn.execute("SELECT 'hello'::vector")


async def main():
    conn = await asyncpg.connect(DSN)
    await conn.execute('CREATE EXTENSION IF NOT EXISTS vector')
    await register_vector(conn)
    for part in (values, searches, bulk, errors):
        await part(conn)
    await conn.close()
    async with asyncpg.create_pool(DSN, min_size=1, max_size=2, init=register_vector) as pool:
        equal('a pool', await pool.fetchval('SELECT $1::vector <-> $2', Vector([0, 0]), Vector([3, 4])), 5.0)


asyncio.run(main())
done()
