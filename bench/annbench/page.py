"""One self-contained HTML page of a comparison's results, or of one index in a running server: pictures as SVG, no script, nothing to fetch."""
import html, math, re, subprocess

from .report import markdown, middle, shown

COLOURS = ('#0b6bcb', '#c2410c', '#15803d', '#7c3aed', '#b45309', '#0e7490', '#be185d', '#4d7c0f')
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 340, 70, 20, 30, 50
STYLE = '''body { font: 15px/1.45 system-ui, sans-serif; color: #1c1917; background: #fff; max-width: 1180px; margin: 24px auto; padding: 0 16px }
h1 { font-size: 24px } h2 { font-size: 18px; margin-top: 32px } .note { color: #57534e; font-size: 13px; overflow-wrap: anywhere }
figure { display: inline-block; margin: 8px 12px 8px 0; vertical-align: top } figcaption { font-weight: 600; font-size: 14px }
svg { border: 1px solid #e7e5e4; border-radius: 6px } svg text { font: 11px system-ui, sans-serif; fill: #44403c }
table { border-collapse: collapse; font-size: 13px } td, th { border-bottom: 1px solid #e7e5e4; padding: 3px 10px; text-align: left }'''


def escape(text):
    return html.escape(str(text))


class Axis:
    """From values to pixels; ticks at round numbers."""

    def __init__(self, values, low, high, log=False, zero=False):
        self.log = log
        a, b = min(values), max(values)
        if zero:
            a = min(a, 0)
        if log:
            a, b = math.log10(a), math.log10(b)
        pad = (b - a or abs(b) or 1) * 0.06
        self.a, self.b = (a if zero else a - pad), b + pad
        self.low, self.high = low, high

    def at(self, v):
        v = math.log10(v) if self.log else v
        return self.low + (v - self.a) / (self.b - self.a) * (self.high - self.low)

    def ticks(self):
        if self.log:
            found = [d * 10 ** e for e in range(math.floor(self.a), math.ceil(self.b) + 1) for d in (1, 2, 5)]
            return [t for t in found if self.a <= math.log10(t) <= self.b]
        step = 10 ** math.floor(math.log10((self.b - self.a) / 4))
        step *= next(m for m in (1, 2, 5, 10) if (self.b - self.a) / (m * step) <= 6)
        first = math.ceil(self.a / step)
        return [i * step for i in range(first, math.floor(self.b / step) + 1)]


def figure(caption, body, x_label, y_label):
    return (f'<figure><figcaption>{escape(caption)}</figcaption><svg role="img" aria-label="{escape(caption)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
            f'{body}<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>'
            f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text></svg></figure>')


def grid(x, y):
    parts = []
    for t in y.ticks():
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y.at(t):.1f}" y2="{y.at(t):.1f}" stroke="#e7e5e4"/>'
                     f'<text x="{LEFT - 6}" y="{y.at(t) + 4:.1f}" text-anchor="end">{t:,.6g}</text>')
    for t in x.ticks() if x else []:
        parts.append(f'<line y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{x.at(t):.1f}" x2="{x.at(t):.1f}" stroke="#f5f5f4"/>'
                     f'<text x="{x.at(t):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{t:,.6g}</text>')
    return ''.join(parts)


def curves(caption, series, x_label, y_label, log=False):
    """series: {name: [(x, y, words for the point)]}"""
    points = [p for ps in series.values() for p in ps]
    if not points:
        return ''
    x = Axis([p[0] for p in points], LEFT, WIDTH - RIGHT)
    y = Axis([p[1] for p in points], HEIGHT - BOTTOM, TOP, log)
    body = grid(x, y)
    for i, (name, ps) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        at = [(x.at(p[0]), y.at(p[1])) for p in sorted(ps)]
        body += f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in at)}"/>'
        body += ''.join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"><title>{escape(f"{name}: {p[2]}")}</title></circle>' for (a, b), p in zip(at, sorted(ps)))
        left = LEFT + 110 * i
        body += f'<rect x="{left}" y="8" width="10" height="10" fill="{colour}"/><text x="{left + 16}" y="17">{escape(name)}</text>'
    return figure(caption, body, x_label, y_label)


def bars(caption, values, x_label, y_label, log=False):
    """values: [(name, value)]; with log also values that are far apart can be seen."""
    values = [(n, v) for n, v in values if v is not None and (v > 0 or not log)]
    if not values:
        return ''
    y = Axis([v for _, v in values] + ([0.7] if log else []), HEIGHT - BOTTOM, TOP, log, zero=not log)
    room = (WIDTH - LEFT - RIGHT) / len(values)
    body = grid(None, y)
    for i, (name, v) in enumerate(values):
        left, top = LEFT + room * i + room * 0.15, y.at(v)
        body += (f'<rect x="{left:.1f}" y="{top:.1f}" width="{room * 0.7:.1f}" height="{max(HEIGHT - BOTTOM - top, 0):.1f}" fill="{COLOURS[0]}"><title>{escape(f"{name}: {v:,.6g}")}</title></rect>'
                 f'<text x="{left + room * 0.35:.1f}" y="{top - 4:.1f}" text-anchor="middle">{v:,.4g}</text>'
                 f'<text x="{left + room * 0.35:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(name)}</text>')
    return figure(caption, body, x_label, y_label)


def table(records):
    lines = [line.strip('| ').split(' | ') for line in markdown(records).strip().split('\n')]
    return ('<table><tr>' + ''.join(f'<th>{escape(c)}</th>' for c in lines[0]) + '</tr>'
            + ''.join('<tr>' + ''.join(f'<td>{escape(c)}</td>' for c in line) + '</tr>' for line in lines[2:]) + '</table>')


def document(title, parts):
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
            f'<body><h1>{escape(title)}</h1>\n' + '\n'.join(parts) + '\n</body></html>\n')


# ---- a comparison: {run: what its results.json holds}

def groups(records, *keys):
    found = {}
    for r in records:
        found.setdefault(', '.join(f'{k} {r[k]}' for k in keys if k in r), []).append(r)
    return found


def of_run(name, r):
    parts = [f'<h2>{escape(r["title"])}</h2>', f'<p class="note">{escape(r["machine"])}. {escape(r["settings"])}.<br>{escape(r["command"])}</p>']
    parts += [f'<p class="note">Warning: {escape(w)}</p>' for w in r.get('warnings', [])]
    curve = [p for p in r['tables'].get('sweep', []) if p.get('QPS')]
    for key, records in groups(curve, 'ef_construction', 'LIMIT', 'clients').items():
        series = {e: [(p['recall'], middle(p['QPS']), f'{p["knob"]} {p["value"]}, recall {p["recall"]:.4f}, {middle(p["QPS"]):,.0f} a second') for p in rs]
                  for e, rs in ((e, [p for p in records if p['engine'] == e]) for e in dict.fromkeys(p['engine'] for p in records))}
        parts.append(curves(f'Recall and speed: {key}', series, 'recall', 'queries a second', log=True))
    for key, records in groups(r['tables'].get('build', []), 'ef_construction', 'workers').items():
        parts.append(bars(f'Build: {key}', [(b['engine'], middle(b['s'])) for b in records], '', 'seconds'))
        parts.append(bars(f'Size: {key}', [(b['engine'], b['bytes a row']) for b in records], '', 'bytes a row'))
    if r['tables'].get('recall'):
        parts.append('<h3>At equal recall</h3>' + table(r['tables']['recall']))
    return '\n'.join(parts)


def of_runs(runs):
    return document('vectorext beside its peers' if len(runs) > 1 else next(iter(runs.values()))['title'], [of_run(n, r) for n, r in runs.items()])


# ---- one index

def ask(psql, sql):
    done = subprocess.run([*psql, '-XqAt', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-c', 'SET client_min_messages = warning', '-c', sql], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f'bench/report: {done.stderr.strip()}')
    return [line.split('\t') for line in done.stdout.splitlines()]


def of_index(psql, index, samples=100):
    """index: its name as SQL reads it"""
    name = "'" + index.replace("'", "''") + "'"
    (what,) = ask(psql, f'''SELECT i.index, i."table", i.method, i.opclass, coalesce(i.options::text, '{{}}'), i.bytes, i.rows, version() FROM vectorext_indexes i WHERE i.index = {name}::regclass''') \
        or [None]
    if what is None:
        raise SystemExit(f'bench/report: {index} is not an index of vectorext')
    index, on, method, opclass, options, size, rows, version = what
    efforts = (10, 20, 40, 80, 160, 320) if method == 'hnsw' else (1, 2, 4, 8, 16, 32, 64)
    setting = 'hnsw.ef_search' if method == 'hnsw' else 'ivfflat.probes'
    measured = [dict(zip((setting, 'recall', 'low', 'high', 'p50 ms', 'p99 ms', 'queries'), map(float, row))) for effort in efforts
                for row in ask(psql, f"SET {setting} = {effort}; SELECT value, recall, low, high, p50_ms, p99_ms, queries FROM vectorext_recall({name}, 10, {samples}) WHERE queries > 0")]
    stats = dict(ask(psql, f'SELECT name, value FROM vectorext_index_stats({name})'))
    parts = [f'<p class="note">{escape(f"{method} ({opclass}) on {on}, options {options}, {int(size):,} bytes, about {rows} rows. {version}")}</p>']
    if measured:
        point = lambda m, y: (m['recall'], m[y], f'{setting} {m[setting]:.0f}, recall {m["recall"]:.4f} ({m["low"]:.4f} to {m["high"]:.4f}), {m[y]:.3f} ms')
        parts.append(curves('Recall at 10 and time of a search', {y: [point(m, y) for m in measured] for y in ('p50 ms', 'p99 ms')}, 'recall', 'ms', log=True))
        parts.append(curves('Recall by effort', {'recall': [(math.log2(m[setting]), m['recall'], f'{setting} {m[setting]:.0f}: {m["recall"]:.4f}') for m in measured]}, f'{setting}, as a power of 2', 'recall'))
    parts.append(bars('Nodes by level', [(k.rsplit(' ', 1)[1], float(v)) for k, v in stats.items() if re.fullmatch(r'nodes of level \d+', k)], 'level', 'nodes', log=True))
    sizes = [(m[1].replace('no', '0'), float(v)) for k, v in stats.items() if (m := re.fullmatch(r'lists of (no|\d+)( to \d+)? rows', k))]
    parts.append(bars('Lists by size', sizes, 'rows of a list, at least (of each bar up to twice as many)', 'lists'))
    parts.append(bars('Where the bytes are', [(k.split(': ')[1], float(v)) for k, v in stats.items() if k.startswith('bytes per row: ')], 'part', 'bytes a row'))
    if measured:
        parts.append('<h2>Measured</h2>' + table([{k: (int(v) if k in (setting, 'queries') else v) for k, v in m.items()} for m in measured]))
        parts.append(f'<p class="note">Each row: SELECT * FROM vectorext_recall({escape(name)}, 10, {samples}). Times are those of the server, one search at a time.</p>')
    if stats:
        parts.append('<h2>vectorext_index_stats</h2>' + table([dict(name=k, value=v) for k, v in stats.items()]))
    return document(f'Index {index}', [p for p in parts if p])

