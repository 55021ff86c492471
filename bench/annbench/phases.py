"""What is measured. Every phase alternates between the engines, so that a slow spell of the machine hits all of them."""
import hashlib, json, math, os, statistics, time
import numpy as np

from .data import copy_blocks, distances
from .engines import OPERATOR, why_unusable

DISTURBED = 0.05        # a measurement whose backends waited longer than this share for a CPU is repeated


def database(engine):
    return 'bench_' + engine.name.replace('-', '_')


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


class Bench:
    def __init__(self, cluster, data, options):
        self.cluster, self.data, self.o, self.noise = cluster, data, options, Noise()
        self.operator = OPERATOR[options.metric]
        self.warnings = []
        self._truth = None

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
        kind = f'lists{self.o.lists}' if self.o.index == 'ivfflat' else f'm{self.o.m}_ef{self.o.ef_construction}'
        return f'items_{kind}_w{self.o.workers}_{self.o.metric}'

    def kept_index(self, engine):
        note = self.cluster.value(database(engine), f"SELECT obj_description(to_regclass('{self.index_name()}'), 'pg_class')")
        kept = json.loads(note) if note else None
        return kept if kept and kept['clause'] == engine.index(self.o.metric, self.o) else None

    def create_index(self, engine, table, name):
        return self.cluster.timed(database(engine), ['SET client_min_messages = warning', f'DROP INDEX IF EXISTS {name}', 'RESET client_min_messages', 'CHECKPOINT',
                                                     f'SET max_parallel_maintenance_workers = {self.o.workers}'],
                                  f'CREATE INDEX {name} ON {table} {engine.index(self.o.metric, self.o)}')

    def build(self, engines, rounds):
        """{engine name: dict(seconds, cpu, bytes, table_bytes, rounds, ...)}"""
        runs, name = {e.name: [] for e in engines}, self.index_name()
        for r in range(rounds):
            for e in self.alternating(engines, r):
                self.noise.probe()
                t = self.create_index(e, 'items', name)
                for m in t['messages']:
                    self.warn(f'{e.name}, build: {m}')
                print(f"{e.name}: {name} built in {t['seconds']:.2f} s")
                runs[e.name].append(t)
        out = {}
        for e in engines:
            db, best = database(e), runs[e.name]
            sizes = self.cluster.value(db, f"SELECT pg_relation_size('{name}'), pg_table_size('items')").split('|')
            out[e.name] = dict(clause=e.index(self.o.metric, self.o), seconds=statistics.median(t['seconds'] for t in best),
                               rounds=[t['seconds'] for t in best], wait=max((t['wait'] or 0) for t in best),
                               cpu=statistics.median(t['cpu'] for t in best) if best[0]['cpu'] is not None else None,
                               bytes=int(sizes[0]), table_bytes=int(sizes[1]))
            self.cluster.sql(db, f"COMMENT ON INDEX {name} IS $${json.dumps(out[e.name])}$$")
        return out

    # ---- search ----------------------------------------------------------------------------------
    def statement(self, query, table='items', alias=''):
        return f'SELECT {alias}id FROM {table} ORDER BY {alias}embedding {self.operator} {query} LIMIT {self.o.k}'

    def choose_index(self, engine, table, index):
        """Makes `index` the only one that the planner sees on the table: indexes of other settings stay, unused."""
        db = database(engine)
        self.cluster.sql(db, f"UPDATE pg_index SET indisvalid = (indexrelid = '{index}'::regclass) WHERE indrelid = '{table}'::regclass AND NOT indisprimary")
        self.cluster.sql(db, f"SELECT pg_prewarm('{index}'), pg_prewarm('{table}'), pg_prewarm('queries')")
        for mode in ('force_custom_plan', 'force_generic_plan'):
            plan = self.cluster.value(db, f"PREPARE s(int) AS {self.statement('(SELECT q FROM queries WHERE id = $1)', table)}; "
                                          f'SET plan_cache_mode = {mode}; EXPLAIN (COSTS OFF) EXECUTE s(1)', settings=engine.search(40))
            self.insist(engine, plan, index, table)

    def insist(self, engine, plan, index, table):
        if f'Index Scan using {index} on {table}' not in plan or 'Order By:' not in plan or 'Sort' in plan:
            raise SystemExit(f'{engine.name}: the plan is not an ordered scan of {index}; nothing is reported.\n{plan}')

    def truth_limits(self):
        """The k-th true distance of each query, with room for float rounding: what is not farther is a right answer."""
        if self._truth is None:
            ids = self.data.truth(self.o.metric, self.o.k, self.o.cache)
            kth = np.array([distances(self.data.base[i[-1:]], q, self.o.metric)[0] for i, q in zip(ids, self.data.queries)])
            self._truth = kth + 1e-6 * np.abs(kth) + 1e-7
        return self._truth

    def recall(self, engine, knob, table='items', index=None):
        # the planner may prefer a sequential scan for all queries of a small table at once; the timed statement is never forced
        db, settings = database(engine), engine.search(knob) | {'enable_seqscan': 'off'}
        select = f"SELECT q.id, ARRAY({self.statement('q.q', table + ' i', 'i.')}) FROM queries q ORDER BY q.id"
        plan = self.cluster.value(db, f'EXPLAIN (COSTS OFF) {select}', settings=settings)
        self.insist(engine, plan.replace('Sort Key: q.id', '').replace('Sort\n', '\n'), index or self.index_name(), table)
        limits, k, right, short, disorder = self.truth_limits(), self.o.k, 0, 0, 0
        answers = {}
        for line in self.cluster.value(db, f'COPY ({select}) TO STDOUT', settings=settings).splitlines():
            q, ids = line.split('\t')
            answers[int(q)] = [int(x) for x in ids.strip('{}').split(',') if x]
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

    def brackets(self, engine, target, found, tried):
        """Two neighbouring knob values around the target, by bisection. found: {knob: recall}, extended on the way."""
        low, high = max(self.o.k if engine.at_least_k else 1, engine.knob_range[0]), engine.knob_range[1]

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
            self.choose_index(e, 'items', self.index_name())
            found = {}

            def measure(x):
                found[x], answers = self.recall(e, x)
                if len(found) == 1:
                    self.same_answers(e, x, answers)
            for x in self.o.ef:
                measure(x)
            for target in self.o.targets:
                brackets[e.name, target] = self.brackets(e, target, found, measure)
            print(f"{e.name}: recall " + ', '.join(f'{x}: {found[x]:.4f}' for x in sorted(found)))
            out[e.name] = dict(recall=found, qps={}, wait={}, at={})

        for r in range(rounds):
            for e, x in self.schedule(engines, brackets, r):
                self.noise.probe()
                tps, wait = self.qps(e, x)
                out[e.name]['qps'].setdefault(x, []).append(tps)
                out[e.name]['wait'][x] = max(out[e.name]['wait'].get(x, 0), wait or 0)
            print(f'sweep: round {r + 1} of {rounds} done')
        for e in engines:
            bad = [x for x, wait in out[e.name]['wait'].items() if wait > 2 * DISTURBED]
            if bad and self.o.clients == 1:
                self.warn(f'{e.name}: other processes disturbed the queries at {e.knob} {", ".join(map(str, sorted(bad)))}; run it again on a quieter machine')
        for e in engines:
            for target in self.o.targets:
                out[e.name]['at'][target] = self.interpolate(out[e.name], brackets[e.name, target], target)
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
        todo += [(e, x) for x in self.o.ef for e in order]
        return list(dict.fromkeys((e, x) for e, x in todo))

    def same_answers(self, engine, knob, answers, n=20):
        """The statement that pgbench runs gives what the recall statement gives."""
        s = [f"PREPARE s(int) AS {self.statement('(SELECT q FROM queries WHERE id = $1)')}"] + [f'EXECUTE s({i})' for i in range(n)]
        ids = [int(x) for x in self.cluster.value(database(engine), '; '.join(s), settings=engine.search(knob)).split()]
        if ids != [x for i in range(n) for x in answers[i]]:
            self.warn(f'{engine.name}: the timed statement and the recall statement gave different rows')

    def qps(self, engine, knob):
        script = (f'\\set i (:i + 1) % {len(self.data.queries)}\n\\set j (:i + :client_id * 97) % {len(self.data.queries)}\n'
                  + self.statement('(SELECT q FROM queries WHERE id = :j)') + ';\n')
        best = None
        for _ in range(3):
            tps, wait = self.cluster.pgbench(database(engine), script, engine.search(knob), seconds=self.o.seconds,
                                             clients=self.o.clients, variables=['i=0'])
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

    # ---- insert ----------------------------------------------------------------------------------
    def insert(self, engines, total, chunks):
        """Single-row INSERTs of the last `total` rows into the finished index of the others, in alternating chunks."""
        c, first, index = self.cluster, self.data.rows - total, 'items_ins_index'
        out = {e.name: dict(rate=[], plain_rate=[], wal=0, plain_wal=0, rows=0) for e in engines}
        for e in engines:
            for table in ('items_ins', 'items_plain'):
                c.sql(database(e), f'DROP TABLE IF EXISTS {table}', f'CREATE TABLE {table} (LIKE items INCLUDING STORAGE)', f'ALTER TABLE {table} ADD PRIMARY KEY (id)',
                      f'INSERT INTO {table} SELECT id, embedding FROM items WHERE id < {first}', f'VACUUM ANALYZE {table}')
            t = self.create_index(e, 'items_ins', index)
            print(f"{e.name}: index of {first} rows built in {t['seconds']:.2f} s")
        self.full_page_writes('off')
        try:
            for r in range(chunks):
                start, stop = first + total * r // chunks, first + total * (r + 1) // chunks
                for e in self.alternating(engines, r):
                    for table, rate, wal in (('items_plain', 'plain_rate', 'plain_wal'), ('items_ins', 'rate', 'wal')):
                        self.noise.probe()
                        script = f'\\set i :i + 1\nINSERT INTO {table} SELECT id, embedding FROM items WHERE id = :i;\n'
                        before = c.value('postgres', 'SELECT pg_current_wal_insert_lsn()')
                        tps, _ = c.pgbench(database(e), script, {'synchronous_commit': 'off'}, transactions=stop - start, variables=[f'i={start - 1}'])
                        out[e.name][rate].append(tps)
                        out[e.name][wal] += int(c.value('postgres', f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{before}')"))
                    out[e.name]['rows'] += stop - start
        finally:
            self.full_page_writes('on')
        for e in engines:
            rows = int(c.value(database(e), 'SELECT count(*) FROM items_ins'))
            if rows != self.data.rows:
                raise SystemExit(f'{e.name}: {rows} rows after the inserts, not {self.data.rows}')
            self.choose_index(e, 'items_ins', index)
            out[e.name]['recall'] = self.recall(e, 100, 'items_ins', index)[0]
            out[e.name]['wal_per_row'] = (out[e.name]['wal'] - out[e.name]['plain_wal']) / out[e.name]['rows']
            c.sql(database(e), 'DROP TABLE items_ins, items_plain')
            print(f"{e.name}: {statistics.median(out[e.name]['rate']):.0f} inserts a second, {out[e.name]['wal_per_row']:.0f} bytes of WAL each")
        return out

    def full_page_writes(self, value):
        self.cluster.sql('postgres', f'ALTER SYSTEM SET full_page_writes = {value}', 'SELECT pg_reload_conf()')
        for _ in range(100):
            if self.cluster.value('postgres', 'SHOW full_page_writes') == value:
                break
            time.sleep(0.05)
        self.cluster.sql('postgres', 'CHECKPOINT')

    # ---- copy ------------------------------------------------------------------------------------
    def copy(self, engines, rounds):
        """Server-side COPY: out to the null device, in from a file that is in the page cache."""
        c, out, digests = self.cluster, {e.name: {} for e in engines}, {}
        for e in engines:
            c.sql(database(e), 'DROP TABLE IF EXISTS items_copy', 'CREATE TABLE items_copy (LIKE items INCLUDING STORAGE)')
            for form in ('text', 'binary'):
                path = os.path.join(c.dir, f'copy.{e.name}.{form}')
                c.sql(database(e), f"COPY items TO '{path}' (FORMAT {form})")
                with open(path, 'rb') as f:
                    digests.setdefault(form, set()).add(hashlib.file_digest(f, 'sha256').hexdigest())
        for form, found in digests.items():
            if len(found) > 1:
                self.warn(f'COPY TO in {form} gives different bytes in the engines')
        try:
            for form in ('text', 'binary'):
                for r in range(rounds):
                    for e in self.alternating(engines, r):
                        path = os.path.join(c.dir, f'copy.{e.name}.{form}')
                        for way, before, statement in (
                                ('out', ['CHECKPOINT'], f"COPY items TO '/dev/null' (FORMAT {form})"),
                                ('in', ['TRUNCATE items_copy', 'CHECKPOINT'], f"COPY items_copy FROM '{path}' (FORMAT {form})")):
                            self.noise.probe()
                            t = c.timed(database(e), before, statement)
                            out[e.name].setdefault(f'{form} {way}', []).append(t['seconds'])
        finally:
            for e in engines:
                c.sql(database(e), 'DROP TABLE IF EXISTS items_copy')
                for form in ('text', 'binary'):
                    if os.path.exists(path := os.path.join(c.dir, f'copy.{e.name}.{form}')):
                        os.remove(path)
        return out
