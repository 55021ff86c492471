"""Loading, building and searching. Every phase alternates between the engines, so that a slow spell of the machine hits all of them."""
import hashlib, json, math, os, statistics, time
from dataclasses import replace
import numpy as np

from .changes import Changes
from .cluster import database
from .conditions import Conditions
from .data import copy_blocks, distances
from .engines import OPERATOR, lists, why_unusable
from .filters import Filters
from .inprocess import Hnswlib
from .planner import Planner

DISTURBED = 0.05        # a measurement whose backends waited longer than this share for a CPU is repeated


class Noise:
    """A fixed loop in this process, timed before every measurement: its spread is the machine's noise."""
    def __init__(self):
        self.seconds = []

    def probe(self):
        t, x = time.perf_counter(), 0
        for i in range(400_000):
            x += i & 7
        self.seconds.append(time.perf_counter() - t)

    def spread(self):
        s = sorted(self.seconds)
        return dict(n=len(s), median=statistics.median(s), min=s[0], p90=s[int(len(s) * 0.9)], max=s[-1]) if s else None


class Bench(Changes, Conditions, Filters, Planner):
    def __init__(self, cluster, data, options):
        self.cluster, self.data, self.o, self.noise = cluster, data, options, Noise()
        self.operator = OPERATOR[options.metric]
        self.warnings, self._limits, self.curves = [], {}, {}

    def warn(self, text):
        print('WARNING:', text)
        if text not in self.warnings:
            self.warnings.append(text)

    def alternating(self, engines, round_):
        return engines if round_ % 2 == 0 else list(reversed(engines))

    # ---- load ------------------------------------------------------------------------------------
    def prepare(self, engine):
        """The engine's database, loaded. Returns why it cannot be measured, or None."""
        c, db, d = self.cluster, database(engine), self.data
        mark = f'{d.signature()} {self.o.storage or "default"}'
        found = c.value('postgres', f"SELECT coalesce(shobj_description(oid, 'pg_database'), '-') FROM pg_database WHERE datname = '{db}'")
        if found == mark and not self.o.reload:
            print(f'{engine.name}: rows are loaded already')
            return None
        if found:
            c.sql('postgres', f'DROP DATABASE {db}')
        c.sql('postgres', f'CREATE DATABASE {db}')
        why = why_unusable(engine, c, db)
        if why:
            c.sql('postgres', f'DROP DATABASE {db}')
            return why
        storage = f'ALTER TABLE items ALTER embedding SET STORAGE {self.o.storage}' if self.o.storage else 'SELECT 1'
        c.sql(db, f'CREATE TABLE items (id int PRIMARY KEY, embedding vector({d.dim}) NOT NULL)', storage,
              f'CREATE TABLE queries (id int PRIMARY KEY, q vector({d.dim}) NOT NULL)',
              'ALTER TABLE queries ALTER q SET STORAGE ' + ('PLAIN' if d.dim < 2000 else 'EXTERNAL'),
              'CREATE EXTENSION IF NOT EXISTS pg_prewarm')
        t = time.perf_counter()
        c.copy_in(db, 'COPY items FROM STDIN (FORMAT binary)', copy_blocks(np.arange(d.rows), d.block))
        c.copy_in(db, 'COPY queries FROM STDIN (FORMAT binary)', copy_blocks(np.arange(len(d.queries)), lambda s, e: d.queries[s:e]))
        print(f'{engine.name}: {d.rows} rows loaded in {time.perf_counter() - t:.1f} s')
        c.sql(db, 'VACUUM ANALYZE', f"COMMENT ON DATABASE {db} IS '{mark}'")
        return None

    def version(self, engine):
        return ', '.join(self.cluster.value(database(engine), f"SELECT extname || ' ' || extversion FROM pg_extension WHERE extname = '{e}'")
                         for e in engine.extensions)

    def library(self, engine):
        """Digest of the engine's library file: a report is about one build of it."""
        path = os.path.join(self.cluster.libdir, engine.extensions[-1] + '.so')
        if not os.path.exists(path):
            return '-'
        with open(path, 'rb') as f:
            return hashlib.file_digest(f, 'sha256').hexdigest()[:12]

    def has_index_method(self, engine):
        return self.cluster.value(database(engine), f"SELECT 1 FROM pg_am WHERE amname = '{engine.access_method}'") == '1'

    # ---- build -----------------------------------------------------------------------------------
    def index_name(self):
        return f'items_lists{lists(self.o)}_{self.o.metric}' if self.o.index == 'ivfflat' else f'items_m{self.o.m}_ef{self.o.ef_construction}_{self.o.metric}'

    def kept_index(self, engine):
        note = self.cluster.value(database(engine), f"SELECT obj_description(to_regclass('{self.index_name()}'), 'pg_class')")
        kept = json.loads(note) if note else None
        return kept if kept and kept['clause'] == engine.index(self.o.metric, self.o) else None

    def create_index(self, engine, table, name):
        return self.cluster.timed(database(engine), ['SET client_min_messages = warning', f'DROP INDEX IF EXISTS {name}', 'RESET client_min_messages', 'CHECKPOINT',
                                                     f'SET max_parallel_maintenance_workers = {self.o.workers}'],
                                  f'CREATE INDEX {name} ON {table} {engine.index(self.o.metric, self.o)}')

    def build(self, engines, rounds):
        """{engine name: dict(clause, rounds, cpu, wait, bytes, table_bytes)}"""
        runs, name = {e.name: [] for e in engines}, self.index_name()
        for r in range(rounds):
            for e in self.alternating(engines, r):
                self.noise.probe()
                t = self.create_index(e, 'items', name)
                for m in t['messages']:
                    self.warn(f'{e.name}, build: {m}')
                print(f"{e.name}: {name} built in {t['seconds']:.2f} s, {self.o.workers} workers")
                runs[e.name].append(t)
                self.forget(e)
        out = {}
        for e in engines:
            db, t = database(e), runs[e.name]
            out[e.name] = dict(clause=e.index(self.o.metric, self.o), rounds=[x['seconds'] for x in t], wait=max(x['wait'] or 0 for x in t),
                               cpu=statistics.median(x['cpu'] for x in t) if t[0]['cpu'] is not None else None,
                               bytes=self.size(e, name), table_bytes=self.size(e, 'items', 'table'))
            self.cluster.sql(db, f'COMMENT ON INDEX {name} IS $annbench${json.dumps(out[e.name])}$annbench$')
        return out

    def size(self, engine, name, what='relation'):
        return int(self.cluster.value(database(engine), f"SELECT pg_{what}_size('{name}')"))

    # ---- search ----------------------------------------------------------------------------------
    def statement(self, query, table='items', alias=''):
        return f'SELECT {alias}id FROM {table} ORDER BY {alias}embedding {self.operator} {query} LIMIT {self.o.k}'

    def choose_index(self, engine, table, index, timed=True):
        """Makes `index` the only one that the planner sees on the table: indexes of other settings stay, unused. `timed`: insists
        that the statement that is timed uses it without being told to."""
        db = database(engine)
        self.cluster.sql(db, f"UPDATE pg_index SET indisvalid = (indexrelid = '{index}'::regclass) WHERE indrelid = '{table}'::regclass AND NOT indisprimary")
        self.cluster.sql(db, f"SELECT pg_prewarm('{index}'), pg_prewarm('{table}'), pg_prewarm('queries')")
        for mode in ('force_custom_plan', 'force_generic_plan') if timed else ():
            plan = self.cluster.value(db, f"PREPARE s(int) AS {self.statement('(SELECT q FROM queries WHERE id = $1)', table)}; "
                                          f'SET plan_cache_mode = {mode}; EXPLAIN (COSTS OFF) EXECUTE s(1)', settings=engine.search(self.points(engine)[0]))
            self.insist(engine, plan, index, table)

    def insist(self, engine, plan, index, table):
        if f'Index Scan using {index} on {table}' not in plan or 'Order By:' not in plan or 'Sort' in plan:
            raise SystemExit(f'{engine.name}: the plan is not an ordered scan of {index}; nothing is reported.\n{plan}')

    def limits(self, data):
        """The k-th true distance of each query, with room for float rounding: what is not farther is a right answer."""
        key = (data.signature(), self.o.k)
        if key not in self._limits:
            ids = data.truth(self.o.metric, self.o.k, self.o.cache)
            kth = np.array([distances(data.base[i[-1:]], q, self.o.metric)[0] for i, q in zip(ids, data.queries)])
            self._limits[key] = kth + 1e-6 * np.abs(kth) + 1e-7
        return self._limits[key]

    def answers(self, engine, knob, table, index):
        """{query: ids} by one statement over all queries."""
        # the planner may prefer a sequential scan for all queries of a small table at once; the timed statement is never forced
        db, settings = database(engine), engine.search(knob) | {'enable_seqscan': 'off'}
        select = f"SELECT q.id, ARRAY({self.statement('q.q', table + ' i', 'i.')}) FROM queries q ORDER BY q.id"
        plan = self.cluster.value(db, f'EXPLAIN (COSTS OFF) {select}', settings=settings)
        self.insist(engine, plan.replace('Sort Key: q.id', '').replace('Sort\n', '\n'), index, table)
        lines = (line.split('\t') for line in self.cluster.value(db, f'COPY ({select}) TO STDOUT', settings=settings).splitlines())
        return {int(q): [int(x) for x in ids.strip('{}').split(',') if x] for q, ids in lines}

    def recall(self, engine, knob, table='items', index=None, data=None):
        """(recall, answers); `data`: the rows that the table holds, where they are not all."""
        k, right, short, disorder = self.o.k, 0, 0, 0
        limits = self.limits(data or self.data)
        answers = engine.answers(knob, k) if isinstance(engine, Hnswlib) else self.answers(engine, knob, table, index or self.index_name())
        if len(answers) != len(self.data.queries):
            raise SystemExit(f'{engine.name}: {len(answers)} answers for {len(self.data.queries)} queries')
        for q, ids in answers.items():
            d = distances(self.data.base[ids], self.data.queries[q], self.o.metric) if ids else np.empty(0)
            if len(set(ids)) != len(ids):
                self.warn(f'{engine.name}: query {q} returned a row twice')
                d = d[[ids.index(x) for x in set(ids)]]
            right += min(k, int((d <= limits[q]).sum()))
            short += len(ids) < k
            disorder += bool((np.diff(d) < -1e-5 * np.abs(d[1:]) - 1e-6).any())
        if short:
            self.warn(f'{engine.name}, {engine.knob} {knob}: {short} queries returned fewer than {k} rows')
        if disorder:
            self.warn(f'{engine.name}, {engine.knob} {knob}: {disorder} queries returned rows out of order')
        return right / (k * len(answers)), answers

    def forget(self, engine):
        """Another graph: what was found for the one before is void."""
        self.curves = {key: found for key, found in self.curves.items() if key[0] != engine.name}

    def points(self, engine):
        low, high = engine.least_knob(self.o.k), engine.most_knob(self.o)
        return sorted({min(max(x, low), high) for x in self.o.ef})

    def curve(self, engine):
        """{knob: recall} at the points asked for, and {target: the two neighbouring knobs around it, or None}. The curve is kept."""
        found = self.curves.setdefault((engine.name, self.index_name(), self.o.k), {})

        def tried(x):
            if x not in found:
                found[x], answers = self.recall(engine, x)
                if len(found) == 1 and not isinstance(engine, Hnswlib):
                    self.same_answers(engine, x, answers)
        for x in self.points(engine):
            tried(x)
        return found, {target: self.brackets(engine, target, found, tried) for target in self.o.targets}

    def brackets(self, engine, target, found, tried):
        """Two neighbouring knob values around the target, by bisection. found: {knob: recall}, extended on the way."""
        low, high = engine.least_knob(self.o.k), engine.most_knob(self.o)

        def at(x):
            if x not in found:
                tried(x)
            return found[x]
        above = [x for x in found if found[x] >= target]
        while not above:
            x = min(high, 2 * max(found))
            if at(x) >= target:
                above = [x]
            elif x == high:
                return None
        b = min(above)
        below = [x for x in found if x < b]
        if not below:
            if b == low or at(low) >= target:
                return (low, low)
            below = [low]
        a = max(below)
        while b - a > max(1, 0.06 * a):
            x = (a + b) // 2
            a, b = (a, x) if at(x) >= target else (x, b)
        return (a, b)

    def sweep(self, engines, rounds):
        """{engine name: dict(recall {knob: recall}, qps {knob: [per round]}, wait {knob: max}, at {target: ...})}"""
        out, brackets = {}, {}
        for e in engines:
            if not isinstance(e, Hnswlib):
                self.choose_index(e, 'items', self.index_name())
            found, around = self.curve(e)
            brackets |= {(e.name, target): pair for target, pair in around.items()}
            print(f"{e.name}: recall@{self.o.k} " + ', '.join(f'{x}: {found[x]:.4f}' for x in sorted(found)))
            out[e.name] = dict(knob=e.knob, recall=found, qps={}, wait={}, at={})

        for r in range(rounds):
            for e, x in self.schedule(engines, brackets, r):
                self.noise.probe()
                tps, wait = self.qps(e, x)
                out[e.name]['qps'].setdefault(x, []).append(tps)
                out[e.name]['wait'][x] = max(out[e.name]['wait'].get(x, 0), wait or 0)
            print(f'sweep, LIMIT {self.o.k}, {self.o.clients} clients: round {r + 1} of {rounds} done')
        for e in engines:
            bad = [x for x, wait in out[e.name]['wait'].items() if wait > 2 * DISTURBED]
            if bad and self.o.clients == 1:
                self.warn(f'{e.name}: other processes disturbed the queries at {e.knob} {", ".join(map(str, sorted(bad)))}; run it again on a quieter machine')
        for e in engines:
            for target in self.o.targets:
                out[e.name]['at'][target] = self.interpolate(out[e.name], brackets[e.name, target], target)
        return out

    def asked(self, engines, targets):
        """{engine name: {target: (recall, knob that was chosen)}} where an engine can be asked for a recall."""
        out, name = {}, self.index_name()
        for e in (e for e in engines if e.target):
            self.choose_index(e, 'items', name)
            asking = replace(e, search=lambda target, e=e: {e.target: target, 'enable_seqscan': 'off'}, knob=e.target)
            out[e.name] = {t: (self.recall(asking, t)[0], int(self.cluster.value(
                database(e), f"SELECT value FROM vectorext_recall('{name}', {self.o.k}, 1)", settings=asking.search(t)))) for t in targets}
            print(f'{e.name}: asked for, recall@{self.o.k}, {e.knob} ' + ', '.join(f'{t}: {r:.4f} ({x})' for t, (r, x) in out[e.name].items()))
        return out

    @staticmethod
    def merge(old, new):
        """Sweeps of two graphs: the figures at equal recall get the rounds of both, the rest is the last graph's."""
        for e in new:
            for target, at in new[e]['at'].items():
                before = old[e]['at'][target]
                new[e]['at'][target] = at and before and at | dict(knobs=before['knobs'] + at['knobs'], knob=statistics.mean(before['knobs'] + at['knobs']), floor=at['floor'] or before['floor'],
                                                                  qps=before['qps'] + at['qps'])
        return new

    def schedule(self, engines, brackets, round_):
        """The measurements of one round: points to be compared stand next to each other, nothing is measured twice."""
        order, todo = self.alternating(engines, round_), []
        for target in self.o.targets:
            for side in (0, 1):
                todo += [(e, brackets[e.name, target][side]) for e in order if brackets[e.name, target]]
        if self.o.clients == self.o.client_counts[0]:      # the curve itself is for the first number of clients only
            todo += [(e, x) for e in order for x in self.points(e)]
        return list(dict.fromkeys((e, x) for e, x in todo))

    def same_answers(self, engine, knob, answers, n=20):
        """The statement that pgbench runs gives what the recall statement gives."""
        s = [f"PREPARE s(int) AS {self.statement('(SELECT q FROM queries WHERE id = $1)')}"] + [f'EXECUTE s({i})' for i in range(n)]
        ids = [int(x) for x in self.cluster.value(database(engine), '; '.join(s), settings=engine.search(knob)).split()]
        if ids != [x for i in range(n) for x in answers[i]]:
            self.warn(f'{engine.name}: the timed statement and the recall statement gave different rows')

    def script(self, pipeline=1):
        """pgbench's: all queries in order, each client from another one on. Variable i is the one before the first. A
        transaction is as many queries as `pipeline` says, sent together."""
        n = len(self.data.queries)
        sets = ''.join(f'\\set i (:i + 1) % {n}\n\\set j{k} (:i + :client_id * 97) % {n}\n' for k in range(pipeline))
        queries = ''.join(self.statement(f'(SELECT q FROM queries WHERE id = :j{k})') + ';\n' for k in range(pipeline))
        return sets + (queries if pipeline == 1 else f'\\startpipeline\n{queries}\\endpipeline\n')

    def qps(self, engine, knob):
        """(queries a second, share of the time waiting for a CPU): the least disturbed of at most three measurements."""
        best = None
        for _ in range(3):
            if isinstance(engine, Hnswlib):
                tps, wait = engine.qps(knob, self.o.k, self.o.seconds)
            else:
                tps, wait = self.cluster.pgbench(database(engine), self.script(self.o.pipeline), engine.search(knob), seconds=self.o.seconds,
                                                 clients=self.o.clients, variables=['i=0'])
                tps *= self.o.pipeline
            if best is None or (wait or 0) < best[1]:
                best = (tps, wait or 0)
            if (wait or 0) <= DISTURBED or self.o.clients > 1:
                break
        return best

    def interpolate(self, swept, pair, target):
        """QPS at the target recall in every round: log QPS is taken as linear in recall between the two neighbours."""
        if pair is None:
            return None
        a, b = pair
        ra, rb = swept['recall'][a], swept['recall'][b]
        t = (target - ra) / (rb - ra) if rb > ra else 0
        return dict(knob=a + t * (b - a), knobs=[a + t * (b - a)], floor=(a == b), pair=pair,
                    qps=[math.exp((1 - t) * math.log(x) + t * math.log(y)) for x, y in zip(swept['qps'][a], swept['qps'][b])])
