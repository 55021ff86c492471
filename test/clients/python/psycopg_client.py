"""pgvector with psycopg 3: both wire formats, COPY both ways, indexes, errors, the asynchronous connection."""
import asyncio

import numpy as np
import psycopg
from pgvector import Bit, HalfVector, SparseVector, Vector
from pgvector.psycopg import register_vector, register_vector_async
from psycopg_pool import ConnectionPool

from check import (BINARY, BIT_QUERY, BITS, DENSE, DSN, EXACT, EXACT_HALF, QUERY, ROWS, check, close, done, equal, fails, float16,
                   float32, many, nearest, recall, search_is)

conn = psycopg.connect(DSN, autocommit=True)
conn.execute('CREATE EXTENSION IF NOT EXISTS vector')
register_vector(conn)
version = conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
check('the extension is of version 0.8 or later', [int(n) for n in version.split('.')[:2]] >= [0, 8], version)

# ---- values, in both formats
conn.execute('CREATE TABLE items (id bigint PRIMARY KEY, v vector(3), h halfvec(3), b bit(8), s sparsevec(3))')
for i, row in ROWS.items():
    values = (i, Vector(row), HalfVector(row), Bit(BITS[i]), SparseVector(row))
    form = '%b' if i % 2 else '%t'
    conn.execute(f'INSERT INTO items VALUES (%s, {form}, {form}, {form}, {form})', values)
conn.execute('INSERT INTO items (id) VALUES (%s)', (9,))
for binary in (False, True):
    form = 'binary' if binary else 'text'
    cur = conn.cursor(binary=binary)
    rows = cur.execute('SELECT id, v, h, s FROM items WHERE id < 9 ORDER BY id').fetchall()
    equal(f'{form}: vector read back', [r[1] for r in rows], [Vector(v) for v in ROWS.values()])
    equal(f'{form}: halfvec read back', [r[2] for r in rows], [HalfVector(v) for v in ROWS.values()])
    equal(f'{form}: sparsevec read back', [r[3] for r in rows], [SparseVector(v) for v in ROWS.values()])
    equal(f'{form}: NULLs read back', cur.execute('SELECT v, h, b, s FROM items WHERE id = 9').fetchone(), (None,) * 4)
    equal(f'{form}: vector to the last bit', cur.execute('SELECT %s', (Vector(EXACT),)).fetchone()[0].to_list(), float32(EXACT))
    equal(f'{form}: halfvec to the last bit', cur.execute('SELECT %s', (HalfVector(EXACT_HALF),)).fetchone()[0].to_list(),
          float16(EXACT_HALF))
    equal(f'{form}: sparsevec with distant indices',
          cur.execute('SELECT %s', (SparseVector({0: 1.5, 999999999: -2.0}, 1000000000),)).fetchone()[0],
          SparseVector({0: 1.5, 999999999: -2.0}, 1000000000))
    equal(f'{form}: array of vectors', cur.execute("SELECT ARRAY['[1,2]', '[3]']::vector[]").fetchone()[0], [Vector([1, 2]), Vector([3])])
    equal(f'{form}: numpy array as parameter', cur.execute('SELECT %s', (np.array([1, 2, 3], dtype=np.float32),)).fetchone()[0],
          Vector([1, 2, 3]))
equal('bit read back', [r[0] for r in conn.execute('SELECT b FROM items WHERE id < 9 ORDER BY id')], list(BITS.values()))
for kind, value in [('vector', Vector(EXACT)), ('halfvec', HalfVector(EXACT_HALF)), ('sparsevec', SparseVector([0, 1.5, 0, -2]))]:
    equal(f'{kind}_send has the bytes the client would send', conn.execute(f'SELECT {kind}_send(%s)', (value,)).fetchone()[0],
          value.to_binary())

# ---- searches
for op, measure in DENSE:
    for column, kind in [('v', Vector), ('h', HalfVector), ('s', SparseVector)]:
        rows = conn.execute(f'SELECT id, {column} {op} %s AS d FROM items WHERE v IS NOT NULL ORDER BY d', (kind(QUERY),)).fetchall()
        search_is(f'{column} {op}', rows, ROWS, measure, QUERY)
for op, measure in BINARY:
    rows = conn.execute(f'SELECT id, b {op.replace("%", "%%")} %s AS d FROM items WHERE b IS NOT NULL ORDER BY d', (Bit(BIT_QUERY),))
    search_is(f'b {op}', rows.fetchall(), BITS, measure, BIT_QUERY)
equal('a filter and a limit', conn.execute('SELECT id FROM items WHERE id <> 1 ORDER BY v <-> %s LIMIT 1', (Vector(QUERY),)).fetchall(), [(2,)])
equal('a distance in WHERE', conn.execute('SELECT id FROM items WHERE v <-> %s < 2.5 ORDER BY id', (Vector(QUERY),)).fetchall(), [(1,), (2,)])

# ---- expressions and aggregates
equal('avg', conn.execute('SELECT avg(v) FROM items').fetchone()[0], Vector([2, 2, 2.75]))
equal('sum', conn.execute('SELECT sum(v), sum(h) FROM items').fetchone(), (Vector([8, 8, 11]), HalfVector([8, 8, 11])))
equal('avg of no rows is NULL', conn.execute('SELECT avg(v) FROM items WHERE false').fetchone()[0], None)
equal('arithmetic', conn.execute('SELECT v + v, v - %s, v * v, v || v FROM items WHERE id = 1', (Vector(QUERY),)).fetchone(),
      (Vector([2, 4, 6]), Vector([0, 0, 1]), Vector([1, 4, 9]), Vector([1, 2, 3, 1, 2, 3])))
equal('comparison', conn.execute('SELECT id FROM items WHERE v = %s OR v < %s', (Vector(ROWS[1]), Vector([0, 0, 0]))).fetchall(), [(1,), (4,)])
equal('subvector, binary_quantize, vector_dims',
      conn.execute('SELECT subvector(v, 2, 2), binary_quantize(v), vector_dims(v) FROM items WHERE id = 4').fetchone(),
      (Vector([0, 1]), '001', 3))
close('l2_normalize', conn.execute('SELECT l2_normalize(%s)', (Vector([3, 4]),)).fetchone()[0].to_list(), [0.6, 0.8])
close('vector_norm', [conn.execute('SELECT vector_norm(%s)', (Vector([3, 4]),)).fetchone()[0]], [5.0])
equal('casts', conn.execute('SELECT v::halfvec, v::sparsevec, h::vector, v::real[], ARRAY[1,2]::vector FROM items WHERE id = 1').fetchone(),
      (HalfVector(ROWS[1]), SparseVector(ROWS[1]), Vector(ROWS[1]), ROWS[1], Vector([1, 2])))

# ---- binary COPY in and out
dim, vectors = 8, many(1000, 8)
conn.execute(f'CREATE TABLE bulk (id bigint, v vector({dim}), h halfvec({dim}), b bit({dim}), s sparsevec({dim}))')
bits = [''.join('1' if x > 0 else '0' for x in v) for v in vectors]
with conn.cursor().copy('COPY bulk FROM STDIN WITH (FORMAT BINARY)') as copy:
    copy.set_types(['int8', 'vector', 'halfvec', 'bit', 'sparsevec'])
    for i, v in enumerate(vectors):
        copy.write_row((i, Vector(v), HalfVector(v), Bit(bits[i]), SparseVector(v)))
equal('binary COPY in: rows', conn.execute('SELECT count(*) FROM bulk').fetchone()[0], 1000)
with conn.cursor().copy('COPY (SELECT v, h, s FROM bulk ORDER BY id) TO STDOUT WITH (FORMAT BINARY)') as copy:
    copy.set_types(['vector', 'halfvec', 'sparsevec'])
    out = list(copy.rows())
equal('binary COPY out: vector', [r[0] for r in out], [Vector(v) for v in vectors])
equal('binary COPY out: halfvec', [r[1] for r in out], [HalfVector(v) for v in vectors])
equal('binary COPY out: sparsevec', [r[2] for r in out], [SparseVector(v) for v in vectors])
equal('bit agrees with binary_quantize', conn.execute('SELECT count(*) FROM bulk WHERE b <> binary_quantize(v)::bit(8)').fetchone()[0], 0)
with conn.cursor().copy('COPY (SELECT id, v FROM bulk WHERE id < 2 ORDER BY id) TO STDOUT') as copy:
    text = [row[1] for row in copy.rows()]
equal('text COPY out', [Vector.from_text(t) for t in text], [Vector(v) for v in vectors[:2]])

# ---- indexes
query = many(1, dim, seed=2)[0]
want = nearest(vectors, query, 10)


def indexed(name, access, column, ops, op, value, settings, options=''):
    with conn.transaction():
        conn.execute(f'CREATE INDEX {name} ON bulk USING {access} ({column} {ops}) {options}')
        conn.execute('SET LOCAL enable_seqscan = off')
        for setting in settings:
            conn.execute(f'SET LOCAL {setting}')
        sql = f'SELECT id FROM bulk ORDER BY {column} {op.replace("%", "%%")} %s LIMIT 10'
        plan = '\n'.join(r[0] for r in conn.execute('EXPLAIN ' + sql, (value,)))
        check(f'{name}: the index is used', f'Index Scan using {name} on bulk' in plan, plan)
        got = [r[0] for r in conn.execute(sql, (value,), prepare=True)]
        equal(f'{name}: ten rows', len(set(got)), 10)
        return got


for column, prefix, kind in [('v', 'vector', Vector), ('h', 'halfvec', HalfVector), ('s', 'sparsevec', SparseVector)]:
    for ops, op in [('l2', '<->'), ('ip', '<#>'), ('cosine', '<=>'), ('l1', '<+>')]:
        got = indexed(f'hnsw_{prefix}_{ops}', 'hnsw', column, f'{prefix}_{ops}_ops', op, kind(query), ['hnsw.ef_search = 200'],
                      'WITH (m = 16, ef_construction = 64)')
        if ops == 'l2':
            check(f'hnsw_{prefix}_l2: recall', recall(got, want) >= 0.9, f'{got} for {want}')
for ops, op in [('hamming', '<~>'), ('jaccard', '<%>')]:
    indexed(f'hnsw_bit_{ops}', 'hnsw', 'b', f'bit_{ops}_ops', op, Bit(bits[0]), ['hnsw.ef_search = 100'])
with conn.transaction():
    conn.execute('SET LOCAL enable_seqscan = off')
    conn.execute('SET LOCAL hnsw.iterative_scan = strict_order')
    conn.execute('SET LOCAL hnsw.max_scan_tuples = 100000')
    got = conn.execute('SELECT id FROM bulk WHERE id %% 100 = 7 ORDER BY v <-> %s LIMIT 10', (Vector(query),)).fetchall()
    equal('an iterative scan fills the limit under a filter', len(got), 10)
if conn.execute("SELECT 1 FROM pg_am WHERE amname = 'ivfflat'").fetchone():
    for prefix, column, kind in [('vector', 'v', Vector), ('halfvec', 'h', HalfVector)]:
        for ops, op in [('l2', '<->'), ('ip', '<#>'), ('cosine', '<=>')]:
            got = indexed(f'ivfflat_{prefix}_{ops}', 'ivfflat', column, f'{prefix}_{ops}_ops', op, kind(query), ['ivfflat.probes = 10'],
                          'WITH (lists = 10)')
            if ops == 'l2':
                check(f'ivfflat_{prefix}_l2: recall with all lists', recall(got, want) == 1, f'{got} for {want}')
conn.execute('CREATE INDEX quantized ON bulk USING hnsw ((binary_quantize(v)::bit(8)) bit_hamming_ops)')
conn.execute('CREATE INDEX halved ON bulk USING hnsw ((v::halfvec(8)) halfvec_l2_ops)')
conn.execute('CREATE INDEX part ON bulk USING hnsw (v vector_l2_ops) WHERE id < 500')
equal('expression and partial indexes are valid',
      conn.execute("SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid IN ('quantized'::regclass, 'halved'::regclass, 'part'::regclass)")
      .fetchone()[0], 3)
got = conn.execute('SELECT id FROM (SELECT id, v FROM bulk ORDER BY binary_quantize(v)::bit(8) <~> binary_quantize(%(q)s)::bit(8) LIMIT 500) AS near '
                   'ORDER BY v <-> %(q)s LIMIT 5', {'q': Vector(query)}).fetchall()
equal('quantized search, then the exact order', len(got), 5)

# ---- a server-side cursor, a pipeline, a pool
with conn.transaction(), conn.cursor('named') as cur:
    cur.itersize = 100
    equal('server-side cursor', sum(1 for _ in cur.execute('SELECT v FROM bulk')), 1000)
with conn.pipeline():
    got = [conn.execute('SELECT %s <-> %s', (Vector([0, 0]), Vector([3 * i, 4 * i]))) for i in range(5)]
equal('pipeline', [c.fetchone()[0] for c in got], [0, 5, 10, 15, 20])
with ConnectionPool(DSN, min_size=1, max_size=2, configure=register_vector) as pool, pool.connection() as pooled:
    equal('pooled connection', pooled.execute('SELECT %s', (Vector([1, 2]),)).fetchone()[0], Vector([1, 2]))

# ---- errors
with fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2'):
    conn.execute('INSERT INTO items (id, v) VALUES (10, %s)', (Vector([1, 2]),))
with fails('wrong dimensions in binary COPY', '22000', 'expected 8 dimensions, not 2'):
    with conn.cursor().copy('COPY bulk (v) FROM STDIN WITH (FORMAT BINARY)') as copy:
        copy.set_types(['vector'])
        copy.write_row((Vector([1, 2]),))
with fails('different dimensions', '22000', 'different vector dimensions 3 and 2'):
    conn.execute('SELECT %s <-> %s', (Vector([1, 2, 3]), Vector([1, 2])))
with fails('not a number, binary', '22000', 'NaN not allowed in vector'):
    conn.execute('SELECT %b', (Vector([float('nan')]),))
with fails('infinite, binary', '22000', 'infinite value not allowed in halfvec'):
    conn.execute('SELECT %b', (HalfVector([float('inf')]),))
with fails('not a vector', '22P02', 'invalid input syntax for type vector: "hello"'):
    conn.execute("SELECT 'hello'::vector")
with fails('m out of range', '22023', 'value 1 out of bounds for option "m"'):
    conn.execute('CREATE INDEX ON bulk USING hnsw (v vector_l2_ops) WITH (m = 1)')
with fails('no dimensions to index', '22023', 'column does not have dimensions'):
    conn.execute('CREATE TABLE anywidth (v vector)')
    conn.execute('CREATE INDEX ON anywidth USING hnsw (v vector_l2_ops)')


async def asynchronous():
    async with await psycopg.AsyncConnection.connect(DSN, autocommit=True) as aconn:
        await register_vector_async(aconn)
        cur = await aconn.execute('SELECT %s, v FROM items WHERE id = 1', (Vector(QUERY),))
        equal('asynchronous connection', await cur.fetchone(), (Vector(QUERY), Vector(ROWS[1])))
        async with aconn.cursor().copy('COPY items (id, v) FROM STDIN WITH (FORMAT BINARY)') as copy:
            copy.set_types(['int8', 'vector'])
            await copy.write_row((20, Vector(QUERY)))
        cur = await aconn.execute('SELECT v FROM items WHERE id = 20')
        equal('asynchronous binary COPY', (await cur.fetchone())[0], Vector(QUERY))


asyncio.run(asynchronous())
done()
