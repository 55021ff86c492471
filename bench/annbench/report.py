"""Results as Markdown, CSV, JSON and, where matplotlib is installed, a plot."""
import csv, datetime, json, os, platform, statistics


def cpu_model():
    try:
        with open('/proc/cpuinfo') as f:
            return next(line.split(':', 1)[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(header, rows):
    return '\n'.join(['| ' + ' | '.join(header) + ' |', '|' + ' --- |' * len(header)] + ['| ' + ' | '.join(map(str, r)) + ' |' for r in rows]) + '\n'


def ratios(mine, reference):
    """Round by round, since only neighbours in time can be compared; the median and the range."""
    r = [a / b for a, b in zip(mine, reference)]
    return f'{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})' if r else '-'


class Report:
    def __init__(self, out, options, data, versions, server):
        self.out, self.o, self.versions = out, options, versions
        os.makedirs(out, exist_ok=True)
        self.ref = options.reference if options.reference in versions else None
        self.json = dict(versions=versions, dataset=data.name, rows=data.rows, dim=data.dim, options={k: v for k, v in vars(options).items()}, configs=[])
        self.text = [f'# {data.name}: {data.rows} x {data.dim}, {options.metric}, LIMIT {options.k}\n',
                     f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {cpu_model()}, {os.cpu_count()} CPUs, {server}; "
                     + '; '.join(f'{e}: {v}' for e, v in versions.items())
                     + f'. shared_buffers {options.shared_buffers}, maintenance_work_mem {options.maintenance_work_mem}, '
                     f'max_parallel_maintenance_workers {options.workers}, {options.clients} client(s), {options.rounds} alternating rounds of {options.seconds} s.\n']
        self.rows = data.rows
        self.csv = {}

    def add_csv(self, name, header, rows):
        self.csv.setdefault(name, [header]).extend(rows)

    def against(self, name, value):
        return value if self.ref and name != self.ref else '-'

    def config(self, m, ef_construction, build, sweep, insert, setting=''):
        setting = setting or f'm = {m}, ef_construction = {ef_construction}'
        self.json['configs'].append(dict(setting=setting, m=m, ef_construction=ef_construction, build=build, sweep=sweep, insert=insert))
        self.text.append(f'## {setting}\n')
        key = [m, ef_construction]
        if build:
            ref = build.get(self.ref)
            self.text.append(table(['engine', 'build s', 'CPU s', 'times faster', 'index MiB', 'bytes a row', 'share of the bytes'], [
                [e, f"{b['seconds']:.2f}" + (' (kept)' if b.get('kept') else ''), f"{b['cpu']:.2f}" if b['cpu'] is not None else '-',
                 self.against(e, (f"{ref['seconds'] / b['seconds']:.2f}" if b.get('kept') or ref.get('kept') else ratios(ref['rounds'], b['rounds'])) if ref else '-'),
                 f"{b['bytes'] / 2**20:.1f}", f"{b['bytes'] / self.rows:.0f}", self.against(e, f"{b['bytes'] / ref['bytes']:.3f}" if ref else '-')]
                for e, b in build.items()]))
            self.add_csv('build', ['m', 'ef_construction', 'engine', 'seconds', 'cpu_seconds', 'run_queue_seconds', 'index_bytes', 'table_bytes'],
                         [key + [e, b['seconds'], b['cpu'], b['wait'], b['bytes'], b['table_bytes']] for e, b in build.items()])
        if sweep:
            ref, rows = sweep.get(self.ref), []
            for e, s in sweep.items():
                for target, at in s['at'].items():
                    rat = ref and ref['at'].get(target)
                    rows.append([e, target, f"{at['knob']:.1f}" if at else 'not reached',
                                 (('at least ' if at['floor'] else '') + f"{statistics.median(at['qps']):.0f}") if at else '-',
                                 f"{min(at['qps']):.0f} to {max(at['qps']):.0f}" if at else '-',
                                 self.against(e, ratios(at['qps'], rat['qps']) if at and rat else '-')])
                    if at:
                        self.add_csv('equal_recall', ['m', 'ef_construction', 'engine', 'recall', 'knob', 'qps_median', 'qps_min', 'qps_max', 'ratio_median'],
                                     [key + [e, target, at['knob'], statistics.median(at['qps']), min(at['qps']), max(at['qps']),
                                             statistics.median(a / b for a, b in zip(at['qps'], rat['qps'])) if rat else '']])
            self.text.append(table(['engine', f'recall@{self.o.k}', 'knob', 'QPS (median)', 'rounds', 'times ' + str(self.ref)], rows))
            rows = [(e, x, s['recall'][x], s['qps'].get(x)) for e, s in sweep.items() for x in sorted(s['recall'])]
            self.text.append(table(['engine', 'ef_search or probes', f'recall@{self.o.k}', 'QPS (median)', 'rounds', 'waiting for a CPU, at most'],
                                   [[e, x, f'{r:.4f}', f'{statistics.median(q):.0f}', f'{min(q):.0f} to {max(q):.0f}', f"{100 * sweep[e]['wait'][x]:.1f} %"]
                                    for e, x, r, q in rows if q]))
            self.add_csv('sweep', ['m', 'ef_construction', 'engine', 'knob', 'recall', 'qps_median', 'qps_min', 'qps_max', 'run_queue_share'],
                         [key + [e, x, r] + ([statistics.median(q), min(q), max(q), sweep[e]['wait'][x]] if q else [''] * 4) for e, x, r, q in rows])
        if insert:
            ref = insert.get(self.ref)
            self.text.append(f'Single-row inserts into the finished index, one client, synchronous_commit = off, full_page_writes = off:\n\n' + table(
                ['engine', 'rows a second', f'times {self.ref}', 'WAL bytes a row for the index', f'share of {self.ref}', 'without the index: rows a second', f'recall@{self.o.k} after, at 100'],
                [[e, f"{statistics.median(i['rate']):.0f}", self.against(e, ratios(i['rate'], ref['rate']) if ref else '-'), f"{i['wal_per_row']:.0f}",
                  self.against(e, f"{i['wal_per_row'] / ref['wal_per_row']:.3f}" if ref else '-'), f"{statistics.median(i['plain_rate']):.0f}", f"{i['recall']:.4f}"]
                 for e, i in insert.items()]))
            self.add_csv('insert', ['m', 'ef_construction', 'engine', 'rows_per_second', 'wal_bytes_per_row', 'plain_rows_per_second', 'recall_after'],
                         [key + [e, statistics.median(i['rate']), i['wal_per_row'], statistics.median(i['plain_rate']), i['recall']] for e, i in insert.items()])

    def copy(self, copied):
        self.json['copy'] = copied
        ref, rows = copied.get(self.ref), []
        for way in next(iter(copied.values())):
            for e, c in copied.items():
                rows.append([f'COPY {way}', e, f'{statistics.median(c[way]):.3f}', self.against(e, ratios(ref[way], c[way]) if ref else '-')])
                self.add_csv('copy', ['what', 'engine', 'seconds_median', 'seconds_min', 'seconds_max'],
                             [[way, e, statistics.median(c[way]), min(c[way]), max(c[way])]])
        self.text.append('## COPY, server side, no index\n\n' + table(['what', 'engine', 'seconds (median)', f'times faster than {self.ref}'], rows))

    def finish(self, noise, warnings):
        if noise:
            self.text.append(f"Noise: a fixed loop before each of {noise['n']} measurements took {1000 * noise['median']:.1f} ms in the median, "
                             f"{1000 * noise['min']:.1f} at best, {1000 * noise['p90']:.1f} at the 90th percentile, {1000 * noise['max']:.1f} at worst.\n")
        self.text += [f'WARNING: {w}\n' for w in warnings]
        self.json.update(noise=noise, warnings=warnings)
        text = '\n'.join(self.text)
        with open(os.path.join(self.out, 'report.md'), 'w') as f:
            f.write(text)
        with open(os.path.join(self.out, 'results.json'), 'w') as f:
            json.dump(self.json, f, indent=1, default=str)
        for name, rows in self.csv.items():
            with open(os.path.join(self.out, name + '.csv'), 'w', newline='') as f:
                csv.writer(f).writerows(rows)
        self.plot()
        print('\n' + text + f'\nwritten to {self.out}')

    def plot(self):
        swept = [c for c in self.json['configs'] if c['sweep']]
        try:
            import matplotlib
        except ImportError:
            return
        if not swept:
            return
        matplotlib.use('Agg')
        import matplotlib.pyplot as plt
        fig, axes = plt.subplots(1, len(swept), figsize=(6 * len(swept), 4.5), squeeze=False)
        for ax, c in zip(axes[0], swept):
            for e, s in c['sweep'].items():
                points = sorted((s['recall'][x], statistics.median(q)) for x, q in s['qps'].items())
                ax.plot(*zip(*points), marker='o', label=e)
            ax.set(xlabel=f'recall@{self.o.k}', ylabel='queries per second', yscale='log', title=c['setting'])
            ax.grid(True, which='both', alpha=0.3)
            ax.legend()
        fig.tight_layout()
        fig.savefig(os.path.join(self.out, 'recall-qps.png'), dpi=120)
