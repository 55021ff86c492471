"""Results as Markdown, CSV, JSON and plots. A phase is a list of records, {column: value}; a list of numbers is one of rounds."""
import csv, datetime, json, os, platform, statistics

from . import plots
from .engines import lists

TITLES = dict(
    build=('Build', ''),
    recall=('Queries a second at equal recall', ''),
    sweep=('The whole curve', ''),
    asked=('Recall asked for', 'Of the queries of the set, with the setting that asks for a recall in place of the knob.'),
    small=('shared_buffers half of the index', 'Each engine has half of its own index\'s size; the rest comes from the page cache.'),
    cold=('Cold', 'The first queries after a restart, the server\'s files out of the page cache.'),
    memory=('Memory of one scan', 'What the memory contexts of the backend hold more than before the scan, at ef_search 400 with the iterative scan on.'),
    insert=('Inserts', 'Single-row inserts into the finished index, one client, synchronous_commit = off, full_page_writes = off. WAL is that of the index.'),
    update=('Updates of a column that is in no index', 'Beside it the same table with a btree in the place of the vector index.'),
    vacuum=('Vacuum', 'A random half of the rows deleted; VACUUM; recall beside that of a fresh index of the same half; rows inserted again.'),
    filter=('Filters', 'Other ways: the same query by pgvector\'s iterative scan, without bounds, at the smallest ef_search that reaches the recall of 0.95 (or its best), and by a btree and a sort.'),
    planner=('Plans', 'Milliseconds of execution: of each query the least of all rounds, on average; what the planner chose beside each way alone.'),
    copy=('COPY', 'Server side, no index.'),
)


def cpu_model():
    try:
        with open('/proc/cpuinfo') as f:
            return next(line.split(':', 1)[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory_gib():
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (OSError, ValueError):
        return 'unknown memory'


def middle(value):
    return statistics.median(value) if isinstance(value, list) else value


def over(a, b):
    """Round by round, since only neighbours in time can be compared. Scalars count as one round."""
    if a is None or b is None:
        return None
    a, b = (x if isinstance(x, list) else [x] for x in (a, b))
    return [x / y for x, y in zip(a, b) if y]


def shown(value):
    if value is None or value == []:
        return '-'
    if isinstance(value, list):
        m = shown(middle(value))
        return m if len(value) == 1 else f'{m} ({shown(min(value))} to {shown(max(value))})'
    if isinstance(value, float):
        return f'{value:.0f}' if abs(value) >= 1000 else f'{value:.4g}'
    return str(value)


def markdown(records):
    columns = list(dict.fromkeys(c for r in records for c in r))
    columns = [c for c in columns if any(r.get(c) is not None for r in records)]
    return '\n'.join(['| ' + ' | '.join(columns) + ' |', '|' + ' --- |' * len(columns)]
                     + ['| ' + ' | '.join(shown(r.get(c)) for c in columns) + ' |' for r in records]) + '\n'


class Report:
    def __init__(self, out, options, data, versions, server):
        self.out, self.o = out, options
        os.makedirs(out, exist_ok=True)
        self.ref = options.reference if options.reference in versions else None
        self.rows, self.tables = data.rows, {}
        self.machine = f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {cpu_model()}, {os.cpu_count()} CPUs, {memory_gib()}, {server}; " + '; '.join(f'{e}: {v}' for e, v in versions.items())
        self.title = f'{data.name}: {data.rows} x {data.dim}, {options.metric}'
        kind = f'lists = {lists(options)}' if options.index == 'ivfflat' else f'm = {options.m}'
        self.settings = (f'{kind}, shared_buffers {options.shared_buffers}, maintenance_work_mem {options.maintenance_work_mem}, '
                         f'{options.rounds} alternating rounds of {options.seconds} s' + (f', {options.pipeline} queries to a pipeline' if options.pipeline > 1 else '') + (', enable_seqscan off' if options.no_seqscan else ''))
        self.json = dict(title=self.title, machine=self.machine, settings=self.settings, command=options.command, versions=versions, dataset=data.name, rows=data.rows, dim=data.dim,
                         options={k: v for k, v in vars(options).items()}, clauses={})

    def add(self, phase, results, record):
        """A record of each engine's result, with the settings it was measured at. record(one, reference's one or None)"""
        key = dict(ef_construction=self.o.ef_construction or 'default') if self.o.index == 'hnsw' and phase != 'copy' else {}
        for e, one in results.items():
            for columns in record(one, results.get(self.ref) if e != self.ref else None):
                self.tables.setdefault(phase, []).append(key | dict(engine=e) | columns)

    def times(self, what):
        return f'{what} {self.ref}'

    def build(self, built):
        for e, b in built.items():
            self.json['clauses'].setdefault(e, b.get('clause'))
        self.add('build', built, lambda b, ref: [{
            'workers': self.o.workers, 's': b['rounds'], 'CPU s': b['cpu'], self.times('times faster than'): ref and over(ref['rounds'], b['rounds']),
            'bytes': b['bytes'], 'bytes a row': b['bytes'] / self.rows, self.times('bytes, share of'): ref and b['bytes'] / ref['bytes'],
            'longest wait for a CPU, s': b.get('wait'), 'table bytes': b.get('table_bytes')}])

    def sweep(self, swept):
        key = {'LIMIT': self.o.k, 'clients': self.o.clients}
        self.add('recall', swept, lambda s, ref: [key | {
            'recall': target, 'knob': s['knob'], 'value': at and float(at['knob']), 'QPS': at and at['qps'], self.times('times'): over(at and at['qps'], ref and ref['at'][target] and ref['at'][target]['qps']),
            'note': 'not reached' if not at else 'at least: recall is higher' if at['floor'] else None} for target, at in s['at'].items()])
        first = self.o.clients == self.o.client_counts[0]
        self.add('sweep', swept, lambda s, ref: [key | {
            'knob': s['knob'], 'value': x, 'recall': s['recall'][x], 'QPS': s['qps'].get(x), 'waiting for a CPU, at most': s['wait'].get(x)} for x in sorted(s['recall']) if first or x in s['qps']])

    def asked(self, found):
        self.add('asked', found, lambda a, ref: [{'LIMIT': self.o.k, 'asked for': t, 'recall': r, 'above': round(r - t, 4), 'chosen': x} for t, (r, x) in a.items()])

    def insert(self, inserted):
        self.add('insert', inserted, lambda i, ref: [{
            'rows a second': i['rate'], self.times('times'): ref and over(i['rate'], ref['rate']), 'WAL bytes a row': i['wal_per_row'],
            self.times('WAL, share of'): ref and i['wal_per_row'] / ref['wal_per_row'], 'without the index: rows a second': i['plain_rate'], 'recall after, at 100': i['recall']}])

    def update(self, updated):
        self.add('update', updated, lambda u, ref: [{
            'rows': n, 's': x['vector'], 's with a btree': x['btree'], 'times the btree': over(x['vector'], x['btree']),
            self.times('times faster than'): ref and over(ref[n]['vector'], x['vector'])} for n, x in u.items()])

    def vacuum(self, vacuumed):
        self.add('vacuum', vacuumed, lambda v, ref: [{
            'VACUUM s': v['vacuum'], self.times('share of'): ref and v['vacuum'] / ref['vacuum'], 'build s': v['build'], 'bytes before': v['bytes'], 'after VACUUM': v['vacuumed_bytes'],
            'rows inserted again': v['refilled'], 's for that': v['refill'], 'bytes then': v['refilled_bytes'], 'growth': v['refilled_bytes'] / v['bytes'], 'fresh index of the half, s': v['fresh_build'], 'its bytes': v['fresh_bytes']}
            | {f'recall at {x}, after / fresh': f"{r:.4f} / {v['fresh_recall'][x]:.4f}" for x, r in v['recall'].items()}
            | {'recall lost at most': max(v['fresh_recall'][x] - r for x, r in v['recall'].items())}])

    def searched(self, phase, results, columns):
        """Of small and cold: QPS at the smallest ef_search that reaches the recall."""
        self.add(phase, results, lambda s, ref: [columns(s) | {
            'recall': target, 'knob value': s['knobs'][target], 'QPS': q, self.times('times'): over(q, ref and ref['qps'].get(target))} for target, q in s['qps'].items()])

    def small(self, results):
        self.searched('small', results, lambda s: {'shared_buffers kB': s['buffers'] >> 10})

    def cold(self, results):
        self.searched('cold', results, lambda s: {'queries': self.o.cold_queries, 'still cached, at most': s['left']})

    def memory(self, results):
        self.add('memory', results, lambda m, ref: [{
            f'kB after {self.o.k} rows': m['first'] >> 10, 'rows fetched then': m['fetched'], 'kB then': m['last'] >> 10, 'of it in the executor, kB': m['executor'] >> 10,
            'resident, kB': m['resident'] >> 10, 'largest contexts': m['largest']}])

    def filter(self, rows):
        for one in rows:
            ours, fellows = one['engine'] != self.ref, [r for r in rows if r['filter'] == one['filter'] and r['engine'] == self.ref]
            best = {kind: max((r for r in fellows if (r['knob'] is None) == (kind == 'sort') and r['recall'] >= min(0.95, max(x['recall'] for x in fellows if (x['knob'] is None) == (kind == 'sort')))),
                              key=lambda r: middle(r['qps']), default=None) for kind in ('iterative', 'sort')}
            times = {k: over(one['qps'], b['qps']) if ours and b else None for k, b in best.items()}
            better = min(times.values(), key=lambda t: middle(t)) if None not in times.values() else None
            self.tables.setdefault('filter', []).append({'filter': one['filter'], 'rows that pass, %': 100 * one['share'], 'engine': one['engine'], 'way': one['way'], 'plan': one['plan'], 'knob': one['knob'] or 'default', 'recall': one['recall'],
                                                         'QPS': one['qps'], self.times('times the iterative scan of'): times['iterative'], 'times a btree and a sort': times['sort'], 'times the better of both': better})

    def planner(self, engine, rows):
        for r in rows:
            ways = {w: x for w, x in r['ways'].items() if x}
            chosen, best = ways['planner'], min(x['ms'] for x in ways.values())
            self.tables.setdefault('planner', []).append({'query': r['shape'], 'plan': chosen['plan'], 'ms': chosen['ms'], 'by this index': ways.get('index', {}).get('ms'), 'by another, sorted': ways.get('other index', {}).get('ms'),
                                                          'by the table, sorted': ways.get('table', {}).get('ms'), 'times the fastest': chosen['ms'] / best})

    def copy(self, copied):
        self.add('copy', copied, lambda c, ref: [{'what': way, 's': s, self.times('times faster than'): ref and over(ref[way], s)} for way, s in c.items()])

    def finish(self, noise, warnings):
        self.json |= dict(tables=self.tables, noise=noise, warnings=warnings)
        with open(os.path.join(self.out, 'results.json'), 'w') as f:
            json.dump(self.json, f, indent=1, default=str)
        for phase, records in self.tables.items():
            columns = list(dict.fromkeys(c for r in records for c in r))
            rounds = {c for c in columns if any(isinstance(r.get(c), list) for r in records)}
            with open(os.path.join(self.out, phase + '.csv'), 'w', newline='') as f:
                w = csv.writer(f)
                w.writerow([x for c in columns for x in ([c, c + ' min', c + ' max'] if c in rounds else [c])])
                for r in records:
                    values = [(r.get(c), c in rounds) for c in columns]
                    w.writerow([x for v, several in values for x in ([middle(v), min(v), max(v)] if several and isinstance(v, list) and v else ['', '', ''] if several else [v])])
        drawn = plots.draw(self.out, self.json)
        text = self.text(noise, warnings, drawn)
        with open(os.path.join(self.out, 'report.md'), 'w') as f:
            f.write(text)
        print('\n' + text + f'\nwritten to {self.out}')

    def text(self, noise, warnings, drawn):
        parts = [f'# {self.title}\n', f'{self.machine}. {self.settings}.\n']
        for phase, (title, note) in TITLES.items():
            if phase in self.tables:
                parts += [f'## {title}\n'] + ([note + '\n'] if note else []) + [markdown([r for r in self.tables[phase] if r.get('QPS', ()) is not None or phase == 'recall'])]
        parts += [f'![]({name})\n' for name in drawn]
        if noise:
            parts.append(f"Noise: a fixed loop before each of {noise['n']} measurements took {1000 * noise['median']:.1f} ms in the median, {1000 * noise['min']:.1f} at best, "
                         f"{1000 * noise['p90']:.1f} at the 90th percentile, {1000 * noise['max']:.1f} at worst.\n")
        return '\n'.join(parts + [f'WARNING: {w}\n' for w in warnings])
