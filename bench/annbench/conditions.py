"""The phases that search under other conditions: little shared_buffers, a cold cache; and the memory of one scan."""
import statistics

from .cluster import SqlError, database


class Conditions:
    def reaching(self, engine):
        """{target: the smallest knob found whose recall is not below it}"""
        self.choose_index(engine, 'items', self.index_name())
        return {target: pair[1] for target, pair in self.curve(engine)[1].items() if pair}

    # ---- small -----------------------------------------------------------------------------------
    def small(self, engines, rounds):
        """shared_buffers half as large as the engine's own index: the rest comes from the page cache."""
        out = {}
        for e in engines:
            half = max(128, self.size(e, self.index_name()) // 2048)
            out[e.name] = dict(buffers=half * 1024, knobs=self.reaching(e), qps={})
        try:
            for r in range(rounds):
                for e in self.alternating(engines, r):
                    one = out[e.name]
                    self.cluster.restart(shared_buffers=f"{one['buffers'] // 1024}kB")
                    for target, knob in one['knobs'].items():
                        if r == 0 or target == next(iter(one['knobs'])):
                            self.qps(e, knob)       # once untimed: buffers and page cache settle
                        self.noise.probe()
                        one['qps'].setdefault(target, []).append(self.qps(e, knob)[0])
        finally:
            self.cluster.restart(shared_buffers=self.o.shared_buffers)
        for e in engines:
            print(f"{e.name}, shared_buffers {out[e.name]['buffers'] >> 10} kB: " + self.told(out[e.name]['qps']))
        return out

    @staticmethod
    def told(qps):
        return ', '.join(f'{statistics.median(q):.0f} QPS at {target}' for target, q in qps.items())

    # ---- cold ------------------------------------------------------------------------------------
    def cold(self, engines, rounds, queries):
        """The first queries after a restart, none of them asked before, with the server's files out of the page cache."""
        out = {e.name: dict(knobs=self.reaching(e), qps={}, left=0.0) for e in engines}
        for target in self.o.targets:
            for r in range(rounds):
                for e in self.alternating(engines, r):
                    one = out[e.name]
                    if target not in one['knobs']:
                        continue
                    index = self.cluster.value(database(e), f"SELECT pg_relation_filepath('{self.index_name()}')")
                    self.cluster.sql('postgres', 'CHECKPOINT')
                    self.cluster.restart(cold=True)
                    left = self.cluster.cached_share(index)
                    if left is None:
                        self.warn('cold: no fincore here, so it was not seen whether the page cache really was empty')
                    elif left > 0.01:
                        self.warn(f'cold: the page cache kept {100 * left:.0f} % of an index: those figures are not cold')
                    one['left'] = max(one['left'], left or 0)
                    self.noise.probe()
                    tps, _ = self.cluster.pgbench(database(e), self.script(), e.search(one['knobs'][target]), transactions=queries,
                                                  variables=[f'i={r * queries - 1}'])
                    one['qps'].setdefault(target, []).append(tps)
        for e in engines:
            print(f'{e.name}, cold, the first {queries} queries: ' + self.told(out[e.name]['qps']))
        return out

    # ---- memory ----------------------------------------------------------------------------------
    def memory(self, engines, knob=400, rows=1000):
        """Bytes in the backend's memory contexts while one scan is open, less those before it: after LIMIT rows, and after many
        by the iterative scan. A scan gives nothing back before its end, so what is held then is the peak."""
        out = {}
        for e in engines:
            self.choose_index(e, 'items', self.index_name(), timed=False)
            contexts = 'SELECT name, sum(total_bytes) FROM pg_backend_memory_contexts GROUP BY name'
            resident = "SELECT 'resident', 1024 * substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\\s+(\\d+)')::int8"
            statement = self.statement('(SELECT q FROM queries WHERE id = 0)').replace(f'LIMIT {self.o.k}', f'LIMIT {rows}')
            look = ["SELECT '== look'", contexts, resident]
            # two scans before: what the session keeps of its first ones is not the scan's
            steps = [statement, statement, *look, *look, 'BEGIN', 'SET LOCAL enable_seqscan = off', *look, f'DECLARE c NO SCROLL CURSOR FOR {statement}', f'FETCH {self.o.k} FROM c', *look,
                     f'FETCH {rows} FROM c', *look, 'COMMIT']
            try:
                text = self.cluster.sql(database(e), *steps, settings=e.search(min(knob, e.most_knob(self.o))) | e.iterative)[0]
            except SqlError as error:
                self.warn(f'{e.name}: memory was not measured: {error}')
                continue
            looks = [dict(line.rsplit('|', 1) for line in part.splitlines() if '|' in line) for part in text.split('== look')[3:]]
            before, first, last = ({name: int(n) for name, n in x.items()} for x in looks)
            delta = {name: last[name] - before.get(name, 0) for name in last if name != 'resident'}
            largest = sorted(((n, name) for name, n in delta.items() if n > 0), reverse=True)[:3]
            total = {when: sum(n for name, n in x.items() if name != 'resident') for when, x in (('before', before), ('first', first), ('last', last))}
            out[e.name] = dict(rows=rows, fetched=sum(x.isdigit() for x in text.split('== look', 3)[3].split()), first=total['first'] - total['before'], last=total['last'] - total['before'],
                               executor=delta.get('ExecutorState', 0), resident=last['resident'] - before['resident'],
                               largest=', '.join(f'{name} {n >> 10} kB' for n, name in largest))
            print(f"{e.name}: one scan holds {out[e.name]['first'] >> 10} kB after {self.o.k} rows, {out[e.name]['last'] >> 10} kB after {out[e.name]['fetched']}: {out[e.name]['largest']}")
        return out
