"""Plots of one report, where matplotlib is installed: recall against QPS, build time, index size, filters."""
import os
import statistics


def draw(out, results):
    """The names of the files drawn. results: what results.json holds"""
    try:
        import matplotlib
        matplotlib.use('Agg')
        import matplotlib.pyplot as plt
    except ImportError:
        print('no plots: matplotlib is not installed')
        return []
    tables, drawn = results['tables'], []

    def panels(records, *keys):
        found = {}
        for r in records:
            found.setdefault(tuple((k, r[k]) for k in keys if k in r), []).append(r)
        return found

    def save(fig, name):
        fig.suptitle(results['title'], fontsize=10)
        fig.tight_layout()
        fig.savefig(os.path.join(out, name), dpi=120)
        plt.close(fig)
        drawn.append(name)

    def subplots(n):
        fig, axes = plt.subplots(1, n, figsize=(5.5 * n, 4.5), squeeze=False)
        return fig, axes[0]

    curve = [r for r in tables.get('sweep', []) if r['QPS']]
    found = panels([r for r in curve if r['clients'] == curve[0]['clients']], 'ef_construction', 'LIMIT')      # of other numbers there are few points
    if found:
        fig, axes = subplots(len(found))
        for ax, (key, records) in zip(axes, found.items()):
            for (engine,), rs in panels(records, 'engine').items():
                ax.plot(*zip(*sorted((r['recall'], statistics.median(r['QPS'])) for r in rs)), marker='o', label=engine[1])
            ax.set(xlabel='recall', ylabel='queries a second', yscale='log', title=', '.join(f'{k} {v}' for k, v in key))
            ax.title.set_fontsize(9)
            ax.grid(True, which='both', alpha=0.3)
            ax.legend()
        save(fig, 'recall-qps.png')
    for name, column, label in (('build.png', 's', 'build, seconds'), ('size.png', 'bytes a row', 'index, bytes a row')):
        found = panels(tables.get('build', []), 'ef_construction', 'workers')
        if found:
            fig, axes = subplots(len(found))
            for ax, (key, records) in zip(axes, found.items()):
                values = [statistics.median(r[column]) if isinstance(r[column], list) else r[column] for r in records]
                bars = ax.bar([r['engine'] for r in records], values)
                ax.bar_label(bars, [f'{v:.3g}' for v in values])
                ax.set(ylabel=label, title=', '.join(f'{k} {v}' for k, v in key))
                ax.title.set_fontsize(9)
            save(fig, name)
    records = tables.get('filter')
    if records:
        names = list(dict.fromkeys(r['filter'] for r in records))
        fig, ax = plt.subplots(figsize=(11, 5))
        for (way,), rs in panels(records, 'way').items():
            best = {}       # of an engine's points the quickest that finds enough; hollow where none does
            for r in rs:
                enough, speed = r['recall'] >= 0.95, statistics.median(r['QPS'])
                if (enough, speed) > best.get(r['filter'], (False, 0)):
                    best[r['filter']] = (enough, speed)
            xs = [names.index(f) for f in best]
            line, = ax.plot(xs, [q for _, q in best.values()], label=way[1])
            ax.scatter(xs, [q for _, q in best.values()], edgecolors=line.get_color(), facecolors=[line.get_color() if enough else 'white' for enough, _ in best.values()], zorder=3)
        ax.set(ylabel='queries a second at recall 0.95 or more (hollow: less)', yscale='log')
        ax.set_xticks(range(len(names)), names, rotation=35, ha='right')
        ax.grid(True, which='both', alpha=0.3)
        ax.legend()
        save(fig, 'filter.png')
    return drawn
