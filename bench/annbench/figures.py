"""The figures to reach, and what the reports of bench/all say of each. A figure picks records of a table of one run by
some of their columns; with `over` it is the ratio to the record that differs in those columns only."""
import json, os
from dataclasses import dataclass, field

from .report import middle, over as ratio_of, shown

SETTINGS = ('ef_construction', 'workers', 'LIMIT', 'clients', 'recall', 'rows', 'filter')     # what tells records of one engine apart


@dataclass(frozen=True)
class Figure:
    name: str
    run: str
    table: str
    where: dict
    column: str
    asked: float | None = None          # at least, or at most where `most`; None: it is to be stated
    over: dict | None = None
    most: bool = False
    faster: bool = False                # a ratio of times: how many times less
    asked_of: dict = field(default_factory=dict)    # the bar is this figure itself at these settings
    fastest: float | None = None        # of the records found only that with most QPS among those with this recall


OURS, PEER = dict(engine='vectorext'), dict(engine='pgvector')
SQ4, LIB = dict(engine='vectorext-sq4'), dict(engine='hnswlib')
IVF, PEER_IVF = dict(engine='vectorext-ivfflat'), dict(engine='pgvector-ivfflat')
ONE = dict(LIMIT=10, clients=1)


def qps(run, recall, asked, engine=OURS, peer=PEER, name='QPS against pgvector'):
    return Figure(f'{name}, recall {recall}', run, 'recall', engine | ONE | dict(recall=recall), 'QPS', asked, peer)


def set_of(run, at95, at99, size, build=5.0, engine=OURS, peer=PEER):
    return (qps(run, 0.95, at95, engine, peer), qps(run, 0.99, at99, engine, peer),
            Figure('build time against pgvector, times faster', run, 'build', engine, 's', build, peer, faster=True),
            Figure('index bytes against pgvector', run, 'build', engine | dict(workers=0), 'bytes', size, peer, most=True))


FIGURES = (
    *set_of('debian', 6.0, 7.0, 0.30), *set_of('synthetic-1M-128', 5.0, 6.0, 0.40), *set_of('synthetic-300k-768', 5.0, 6.0, 0.27),
    Figure('sq4: index bytes against pgvector', 'debian', 'build', SQ4 | dict(workers=0), 'bytes', 0.20, PEER, most=True),
    qps('debian', 0.95, 1.0, SQ4, OURS, 'sq4: QPS against sq8'),
    qps('debian-hnswlib', 0.95, 0.7, OURS, LIB, 'QPS in SQL against hnswlib in process'), qps('debian-hnswlib', 0.99, 1.0, OURS, LIB, 'QPS in SQL against hnswlib in process'),
    *(Figure(f'QPS against pgvector with {n} clients, not below one client', 'debian', 'recall', OURS | dict(LIMIT=10, clients=n, recall=0.95), 'QPS', None, PEER,
             asked_of=dict(clients=1)) for n in (2, 8)),
    Figure('inserts a second against pgvector', 'debian', 'insert', OURS, 'rows a second', 3.0, PEER),
    Figure('WAL bytes a row against pgvector', 'debian', 'insert', OURS, 'WAL bytes a row', 0.5, PEER, most=True),
    Figure('shared_buffers half the index: QPS against pgvector', 'debian-conditions', 'small', OURS | dict(recall=0.95), 'QPS', 3.0, PEER),
    Figure('cold cache after a restart: QPS against pgvector', 'debian-conditions', 'cold', OURS | dict(recall=0.95), 'QPS', 3.0, PEER),
    Figure('update of a column in no index, times that of a btree', 'debian-conditions', 'update', OURS, 'times the btree', 3.0, most=True),
    Figure('VACUUM of a random half, share of pgvector\'s time', 'debian-conditions', 'vacuum', OURS, 'VACUUM s', 0.05, PEER, most=True),
    Figure('recall lost by it against a fresh index', 'debian-conditions', 'vacuum', OURS, 'recall lost at most', 0.005, most=True),
    Figure('file after as many inserts as deletes, share of it before', 'debian-conditions', 'vacuum', OURS, 'growth', 1.0, most=True),
    Figure('VACUUM of a random half, share of pgvector\'s time', 'synthetic-1M-128-vacuum', 'vacuum', OURS, 'VACUUM s', 0.1, PEER, most=True),
    Figure('recall lost by it against a fresh index', 'synthetic-1M-128-vacuum', 'vacuum', OURS, 'recall lost at most', 0.005, most=True),
    *(Figure(f'LIMIT {limit}: QPS against pgvector, recall 0.95', run, 'recall', OURS | dict(LIMIT=limit, clients=1, recall=0.95), 'QPS', 3.0, PEER)
      for run in ('wide-768', 'wide-768-plain', 'wide-1536', 'wide-1536-plain') for limit in (10, 100)),
    Figure('memory of one scan, kB', 'debian-conditions', 'memory', OURS, 'kB then'),
    Figure('memory of one scan: executor, reorder queue included, kB', 'debian-conditions', 'memory', OURS, 'of it in the executor, kB'),
    *(figure for run in ('debian-filters', 'synthetic-1M-128-filters') for figure in (
        *(Figure(f'{n} %, {kind}: QPS against pgvector\'s iterative scan, both at recall 0.95 or more', run, 'filter', OURS | dict(filter=f'{kind} {n} %'), "times the iterative scan of pgvector", 5.0, fastest=0.95)
          for n in (10, 1) for kind in ('random', 'near', 'far')),
        Figure('recall under a filter, default settings', run, 'filter', dict(way='vectorext'), 'recall', 0.95),
        Figure('QPS against the better of an iterative scan and a btree', run, 'filter', dict(way='vectorext'), 'times the better of both', 0.83))),
    Figure('default build against pgvector\'s default build, times faster', 'debian-defaults', 'build', OURS, 's', 2.5, PEER, faster=True),
    Figure('recall at ef_search 40 of the default build', 'debian-defaults', 'sweep', OURS | ONE | dict(value=40), 'recall', 0.955),
    *set_of('ivfflat-debian', 25.0, 25.0, 0.33, 4.0, IVF, PEER_IVF), *set_of('ivfflat-1M-128', 15.0, 15.0, None, 4.0, IVF, PEER_IVF),
    *set_of('ivfflat-300k-768', 20.0, 20.0, 0.33, 4.0, IVF, PEER_IVF),
)
ROUNDING = 1e-9
HEADER = ('run', 'figure', 'at', 'asked', 'measured', 'reached')


def load(directory):
    """{run: results} of the runs in a directory of bench/all"""
    found = {}
    for run in sorted(os.listdir(directory)):
        path = os.path.join(directory, run, 'results.json')
        if os.path.exists(path):
            with open(path) as f:
                found[run] = json.load(f)
    return found


def one(records, wanted):
    return next((r for r in records if all(r.get(k) == v for k, v in wanted.items())), None)


def value(figure, record, records):
    mine = record.get(figure.column)
    if figure.over:
        other = one(records, {k: record[k] for k in SETTINGS if k in record} | figure.over)
        other = other and other.get(figure.column)
        mine = ratio_of(other, mine) if figure.faster else ratio_of(mine, other)
    return middle(mine) if mine not in (None, []) else None


def summary(runs):
    """Rows of HEADER for every figure whose run was made."""
    rows = []
    for f in FIGURES:
        if f.run not in runs:
            continue
        records = runs[f.run]['tables'].get(f.table, [])
        found = [r for r in records if all(r.get(k) == v for k, v in f.where.items())]
        if f.fastest:
            found = sorted((r for r in found if r['recall'] >= f.fastest), key=lambda r: middle(r['QPS']))[-1:]
        for r in found or [None]:
            measured = r and value(f, r, records)
            asked = value(f, bar, records) if f.asked_of and r and (bar := one(records, {k: r[k] for k in SETTINGS if k in r} | f.where | f.asked_of)) else f.asked
            at = ', '.join(f'{k} {r[k]}' for k in SETTINGS if r and k in r and k not in f.where and k != f.column)
            reached = '-' if asked is None or measured is None else 'yes' if (measured <= asked + ROUNDING if f.most else measured >= asked - ROUNDING) else 'no'
            bound = 'stated' if asked is None else f"at {'most' if f.most else 'least'} {shown(asked)}"
            note = (r or {}).get('note')
            rows.append((f.run, f.name, at or '-', bound, 'not measured' if measured is None else shown(measured) + (f' ({note})' if note else ''), reached))
    return rows
