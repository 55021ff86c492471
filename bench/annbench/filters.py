"""Searches under a filter: recall and speed at several shares of the rows, for filters that have nothing to do with the vector, that
choose the rows near the queries, and that choose rows far from them; and for the real columns of a set that has some."""
import os, statistics
import numpy as np

from .cluster import database
from .data import Dataset, distances
from .engines import lists

SHARES = (500, 100, 10, 1)      # of a thousand
NAME = 'filtered'


class Filter:
    """`queries`: numbers of those that are asked; `ids`: the rows that pass."""
    def __init__(self, name, column, condition, passes, queries):
        self.name, self.column, self.condition, self.queries = name, column, condition, queries
        self.ids = np.flatnonzero(passes)
        self.table = 'asked_' + ''.join(c if c.isalnum() else '_' for c in name)


def distances_to(pivot, data, metric):
    """Of all rows to the pivot, in blocks: as floats they may not fit at once."""
    return np.concatenate([distances(data.block(s, s + 50_000), pivot, metric).astype(np.float32) for s in range(0, data.rows, 50_000)])


def thousandths(order):
    """0 to 999 by rank: value < n are n thousandths of the rows."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return (place * 1000 // len(order)).astype(np.int32)


def columns_of(data, metric):
    """{name: values} of the columns made for every set. `region` ranks rows by their distance to one of them."""
    random = np.random.default_rng(7)
    pivot = data.block(data.rows // 3, data.rows // 3 + 1)[0]
    return dict(chance=thousandths(random.permutation(data.rows)), region=thousandths(np.argsort(distances_to(pivot, data, metric), kind='stable'))), pivot


def real_columns(path, rows):
    """{name: texts} of base.tsv beside the vectors, where there is one with these columns."""
    path = os.path.join(path, 'base.tsv')
    if not os.path.exists(path):
        return {}
    with open(path, encoding='utf-8') as f:
        names = f.readline().rstrip('\n').split('\t')
        cells = [line.rstrip('\n').split('\t') for line, _ in zip(f, range(rows))]
    return {n: [c[names.index(n)] for c in cells] for n in ('section', 'size_bytes') if n in names}


def filters_of(data, metric, made, pivot, real, asked):
    """The filters of a set; `asked` queries each."""
    every = np.arange(min(asked, len(data.queries)))
    by_distance = np.argsort(distances(data.queries, pivot, metric), kind='stable')
    found = [Filter(f'random {n / 10:g} %', 'chance', f'chance < {n}', made['chance'] < n, every) for n in SHARES]
    for name, queries in (('near', by_distance[:asked]), ('far', by_distance[-asked:])):
        found += [Filter(f'{name} {n / 10:g} %', 'region', f'region < {n}', made['region'] < n, queries) for n in SHARES]
    if 'section' in real:
        section = np.array(real['section'])
        found += [Filter(f'section {s}', 'section', f"section = '{s}'", section == s, every) for s in ('libs', 'python', 'tex')]
    if 'size_bytes' in real:
        size = np.array(real['size_bytes'], np.int64)
        low, high = (int(x) for x in np.quantile(size, (0.45, 0.55)))
        found.append(Filter('size, middle tenth', 'size_bytes', f'size_bytes BETWEEN {low} AND {high}', (size >= low) & (size <= high), every))
    return [f for f in found if len(f.ids) >= 10]


class Filters:
    TYPES = dict(chance='int', region='int', section='text', size_bytes='bigint')

    def filtered(self, engines, path, asked):
        """[dict(filter, share, way, knob, value, recall, qps, ...)]; what `asked` queries find, each way of asking in each round."""
        made, pivot = columns_of(self.data, self.o.metric)
        real = real_columns(path, self.data.rows)
        filters = filters_of(self.data, self.o.metric, made, pivot, real, asked)
        for e in engines:
            self.load_filtered(e, made | real)
            self.index_filtered(e, list(made | real))
        rows = []
        for f in filters:
            for e in engines:
                self.load_asked(e, f)
            rows += self.one_filter(engines, f)
        return rows

    # ---- tables and indexes ----------------------------------------------------------------------
    def load_filtered(self, engine, columns):
        c, db = self.cluster, database(engine)
        names = list(columns)
        c.sql(db, f'DROP TABLE IF EXISTS {NAME}', 'DROP TABLE IF EXISTS extra',
              'CREATE TABLE extra (id int, ' + ', '.join(f'{n} {self.TYPES[n]}' for n in names) + ')')
        step = 20_000
        blocks = ('\n'.join('\t'.join([str(i), *(str(columns[n][i]) for n in names)]) for i in range(s, min(s + step, self.data.rows))).encode() + b'\n'
                  for s in range(0, self.data.rows, step))
        c.copy_in(db, 'COPY extra FROM STDIN', blocks)
        c.sql(db, f'CREATE TABLE {NAME} AS SELECT i.id, i.embedding, {", ".join("x." + n for n in names)} FROM items i JOIN extra x USING (id) ORDER BY id',
              'DROP TABLE extra', f'ALTER TABLE {NAME} ADD PRIMARY KEY (id)')

    def index_filtered(self, engine, names):
        """The vector's index, with the columns where the engine can have them in it, and a btree on each column."""
        c, db = self.cluster, database(engine)
        clause = engine.index(self.o.metric, self.o)
        if engine.attributes:
            clause = clause.replace('_ops)', f"_ops, {', '.join(names)})")
        t = c.timed(db, [f'SET max_parallel_maintenance_workers = {self.o.workers}'], f'CREATE INDEX {NAME}_vector ON {NAME} {clause}')
        print(f"{engine.name}: index of {NAME} built in {t['seconds']:.1f} s, {self.size(engine, NAME + '_vector')} bytes")
        c.sql(db, *(f'CREATE INDEX {NAME}_{n} ON {NAME} ({n})' for n in names), f'VACUUM ANALYZE {NAME}', f"SELECT pg_prewarm('{NAME}_vector'), pg_prewarm('{NAME}')")

    def load_asked(self, engine, f):
        ids = ', '.join(f'({n}, {q})' for n, q in enumerate(f.queries))
        self.cluster.sql(database(engine), f'DROP TABLE IF EXISTS {f.table}', f'CREATE TABLE {f.table} AS SELECT v.n, q.q FROM (VALUES {ids}) v (n, id) JOIN queries q USING (id)',
                         f'ALTER TABLE {f.table} ADD PRIMARY KEY (n)', f'ALTER TABLE {f.table} ALTER q SET STORAGE PLAIN', f'ANALYZE {f.table}')

    # ---- one filter ------------------------------------------------------------------------------
    def filtered_statement(self, f, query, alias=''):
        return f'SELECT {alias}id FROM {NAME}{" i" if alias else ""} WHERE {f.condition} ORDER BY {alias}embedding {self.operator} {query} LIMIT {self.o.k}'

    def filtered_answers(self, engine, f, settings):
        select = f"SELECT a.n, ARRAY({self.filtered_statement(f, 'a.q', 'i.')}) FROM {f.table} a ORDER BY a.n"
        lines = (line.split('\t') for line in self.cluster.value(database(engine), f'COPY ({select}) TO STDOUT', settings=settings).splitlines())
        return [[int(x) for x in ids.strip('{}').split(',') if x] for _, ids in lines]

    def limits_of(self, f):
        part = Dataset(f'{self.data.name}, {f.name}', np.asarray(self.data.base[f.ids]), self.data.queries[f.queries], {})
        k = min(self.o.k, len(f.ids))
        ids = part.truth(self.o.metric, k, self.o.cache)
        kth = np.array([distances(part.base[i[-1:]], q, self.o.metric)[0] for i, q in zip(ids, part.queries)])
        return kth + 1e-6 * np.abs(kth) + 1e-7

    def filtered_recall(self, engine, f, limits, settings):
        passing, right, k = set(f.ids.tolist()), 0, min(self.o.k, len(f.ids))
        answers = self.filtered_answers(engine, f, settings)
        for n, ids in enumerate(answers):
            if not passing.issuperset(ids) or len(set(ids)) != len(ids):
                self.warn(f'{engine.name}, {f.name}: a row that does not pass, or one twice')
            d = distances(self.data.base[ids], self.data.queries[f.queries[n]], self.o.metric) if ids else np.empty(0)
            right += min(k, int((d <= limits[n]).sum()))
        return right / (k * len(answers)), sum(len(a) < k for a in answers)

    def filtered_qps(self, engine, f, settings):
        n, pipeline = len(f.queries), self.o.pipeline
        sets = ''.join(f'\\set i (:i + 1) % {n}\n\\set j{x} :i\n' for x in range(pipeline))
        queries = ''.join(self.filtered_statement(f, f'(SELECT q FROM {f.table} WHERE n = :j{x})') + ';\n' for x in range(pipeline))
        script = sets + (f'\\startpipeline\n{queries}\\endpipeline\n' if pipeline > 1 else queries)
        tps, _ = self.cluster.pgbench(database(engine), script, settings, seconds=self.o.seconds, variables=['i=0'])
        return tps * pipeline

    def show_indexes(self, engine, condition):
        """Which indexes of the table the planner may use."""
        self.cluster.sql(database(engine), f"UPDATE pg_index SET indisvalid = ({condition}) FROM pg_class c WHERE c.oid = indexrelid AND indrelid = '{NAME}'::regclass AND NOT indisprimary")

    def plan_of(self, engine, f, settings):
        plan = self.cluster.value(database(engine), f"EXPLAIN (COSTS OFF) {self.filtered_statement(f, f'(SELECT q FROM {f.table} WHERE n = 0)')}", settings=settings)
        node = next(line.strip(' ->') for line in plan.splitlines() if ' on ' + NAME in line)
        return node.replace(f' using {NAME}_vector', '').replace(f' on {NAME}', '').replace(f'{NAME}_', '')

    def ways(self, engine):
        """(name, which indexes the planner may use, knob -> settings, whether the knob is swept)"""
        vector = f"c.relname = '{NAME}_vector'"
        found = []
        if engine.attributes:
            found.append((engine.name, 'true', lambda x: {}, False))
            found.append((f'{engine.name}, index only', vector, lambda x: engine.search(x) | {'enable_seqscan': 'off'}, True))
        else:
            for mode in ('strict_order', 'relaxed_order'):
                found.append((f'{engine.name}, {mode}', vector, lambda x, mode=mode: engine.search(x) | {f'{engine.access_method}.iterative_scan': mode, 'enable_seqscan': 'off'} | engine.unbounded, True))
            found.append((f'{engine.name}: btree and sort', f'NOT {vector}', lambda x: {'enable_seqscan': 'on'}, False))
        return found

    def one_filter(self, engines, f):
        limits, ways, rows = self.limits_of(f), [], []
        share = len(f.ids) / self.data.rows
        for e in engines:
            for name, indexes, settings, swept in self.ways(e):
                self.show_indexes(e, indexes)
                found = {}

                def tried(x):
                    found[x], short = self.filtered_recall(e, f, limits, settings(x))
                    if short:
                        self.warn(f'{name}, {f.name}, {e.knob} {x}: {short} queries found fewer than {self.o.k} rows')
                # the default of ours, and of both a usual choice
                start = 40 if e.access_method == 'hnsw' else max(1, lists(self.o) // 20)
                tried(start)
                pair = (start, start) if not swept else self.brackets(e, 0.95, found, tried) or (max(found), max(found))
                ways.append(dict(engine=e, name=name, indexes=indexes, settings=settings, swept=swept, found=found, knobs=dict.fromkeys((start, pair[1])),
                                 plan=self.plan_of(e, f, settings(pair[1])), qps={}))
        for r in range(self.o.rounds):
            for w in self.alternating(ways, r):
                self.show_indexes(w['engine'], w['indexes'])
                for x in w['knobs']:
                    self.noise.probe()
                    w['qps'].setdefault(x, []).append(self.filtered_qps(w['engine'], f, w['settings'](x)))
        for w in ways:
            for x in w['knobs']:
                rows.append(dict(filter=f.name, share=share, engine=w['engine'].name, way=w['name'], plan=w['plan'], knob=x if w['swept'] else None, recall=w['found'][x], qps=w['qps'][x]))
        print(f'{f.name}: ' + '; '.join(f"{r['way']} {r['knob'] or ''} {r['recall']:.3f} at {statistics.median(r['qps']):.0f}" for r in rows))
        return rows
