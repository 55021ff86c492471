"""What the Python clients share: counted checks, the rows they store, and distances computed without a server."""
import contextlib
import math
import os
import random
import struct
import sys
import traceback

DSN = os.environ['DATABASE_URL']

# Distances from QUERY differ in every measure, so each order below has one right answer.
ROWS = {1: [1, 2, 3], 2: [3, 1, 2], 3: [5, 5, 5], 4: [-1, 0, 1]}
QUERY = [1, 2, 2]
BITS = {1: '11100001', 2: '10000000', 3: '00001111', 4: '11111100'}
BIT_QUERY = '11100000'
# Values whose way through text and binary form must not change a bit of them.
EXACT = [0.1, -1.5e-7, 3.4028235e38, 1e-45, 16777216.0, -2.5]
EXACT_HALF = [0.1, -65504.0, 6e-8, 1.5]

_failed = 0


def _died(*error):
    traceback.print_exception(*error)
    sys.stderr.flush()
    os._exit(2)  # not the 1 of a failed check


sys.excepthook = _died


def check(name, ok, detail=''):
    global _failed
    if ok:
        print(f'ok - {name}', flush=True)
    else:
        _failed += 1
        print(f'not ok - {name}: {detail}', flush=True)


def equal(name, got, want):
    check(name, got == want, f'got {got!r}, not {want!r}')


def close(name, got, want):
    """Distances: float arithmetic of the server against float64 here."""
    check(name, len(got) == len(want) and all(math.isclose(g, w, rel_tol=1e-6, abs_tol=1e-6) for g, w in zip(got, want)),
          f'got {got!r}, not {want!r}')


def float32(values):
    return [struct.unpack('f', struct.pack('f', v))[0] for v in values]


def float16(values):
    return [struct.unpack('e', struct.pack('e', v))[0] for v in values]


def server_error(error):
    """SQLSTATE and primary message of the server's error below a library's exception."""
    seen = error
    while seen is not None:
        if getattr(seen, 'diag', None) is not None and seen.diag.message_primary is not None:
            return seen.diag.sqlstate, seen.diag.message_primary
        if getattr(seen, 'sqlstate', None) is not None and not hasattr(seen, 'diag') and not hasattr(seen, 'orig'):
            return seen.sqlstate, getattr(seen, 'message', None) or str(seen)
        seen = getattr(seen, 'orig', None) or seen.__cause__ or seen.__context__
    return None, repr(error)


@contextlib.contextmanager
def fails(name, sqlstate, message):
    """The block must raise the server's error of this code and text."""
    got = 'no error'
    try:
        yield
    except Exception as error:  # whatever a library wraps it in
        got = server_error(error)
    equal(name, got, (sqlstate, message))


def l2(a, b):
    return math.dist(a, b)


def inner(a, b):
    return sum(x * y for x, y in zip(a, b))


def negative_inner(a, b):
    return -inner(a, b)


def cosine(a, b):
    return 1 - inner(a, b) / math.sqrt(inner(a, a) * inner(b, b))


def l1(a, b):
    return sum(abs(x - y) for x, y in zip(a, b))


def hamming(a, b):
    return sum(x != y for x, y in zip(a, b))


def jaccard(a, b):
    both = sum(x == y == '1' for x, y in zip(a, b))
    return 1 - both / sum('1' in pair for pair in zip(a, b))


DENSE = [('<->', l2), ('<#>', negative_inner), ('<=>', cosine), ('<+>', l1)]
BINARY = [('<~>', hamming), ('<%>', jaccard)]


def ranked(rows, measure, query):
    """[(id, distance)] in ascending order: what a search must give."""
    return sorted(((i, measure(v, query)) for i, v in rows.items()), key=lambda pair: pair[1])


def search_is(name, got, rows, measure, query):
    """got: [(id, distance)] as the server ordered them."""
    got, want = list(got), ranked(rows, measure, query)
    equal(f'{name}: order', [i for i, _ in got], [i for i, _ in want])
    close(f'{name}: distances', [float(d) for _, d in got], [d for _, d in want])


def search_by_methods(model, search, sparse_query):
    """Columns v, h, s and b of a model whose fields have pgvector's methods for distances."""
    for name in ('v', 'h', 's'):
        column, value = getattr(model, name), sparse_query if name == 's' else QUERY
        search(f'{name} l2_distance', column.l2_distance(value), ROWS, l2, QUERY)
        search(f'{name} max_inner_product', column.max_inner_product(value), ROWS, negative_inner, QUERY)
        search(f'{name} cosine_distance', column.cosine_distance(value), ROWS, cosine, QUERY)
        search(f'{name} l1_distance', column.l1_distance(value), ROWS, l1, QUERY)
    search('b hamming_distance', model.b.hamming_distance(BIT_QUERY), BITS, hamming, BIT_QUERY)
    search('b jaccard_distance', model.b.jaccard_distance(BIT_QUERY), BITS, jaccard, BIT_QUERY)


def many(count, dim, seed=1):
    """Vectors of multiples of 1/64: exact in float32 and float16."""
    rng = random.Random(seed)
    return [[rng.randrange(-64, 65) / 64 for _ in range(dim)] for _ in range(count)]


def nearest(vectors, query, k):
    return [i for i, _ in ranked(dict(enumerate(vectors)), l2, query)[:k]]


def recall(got, want):
    return len(set(got) & set(want)) / len(want)


def done():
    sys.exit(1 if _failed else 0)
