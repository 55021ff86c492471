"""The engine table. Adding a row to ENGINES adds an engine to every phase."""
from dataclasses import dataclass, field
from typing import Callable

OPERATOR = {'l2': '<->', 'cosine': '<=>', 'ip': '<#>', 'l1': '<+>'}


@dataclass(frozen=True, eq=False)
class Engine:
    name: str
    extensions: tuple[str, ...]         # created in this order in the engine's own database
    index: Callable                     # (metric, options) -> what follows CREATE INDEX ... ON items
    search: Callable[[int], dict]       # value of the knob that is swept -> settings of the session
    access_method: str = 'hnsw'
    knob: str = 'ef_search'
    least_knob: Callable[[int], int] = lambda k: k      # the smallest value that can fill LIMIT k
    most_knob: Callable[[object], int] = lambda options: 1000
    iterative: dict = field(default_factory=dict)       # settings of a scan that goes on beyond its first candidates
    attributes: bool = False            # its index can have the columns of a filter in it
    unbounded: dict = field(default_factory=dict)       # an iterative scan that nothing ends before the LIMIT is filled
    target: str = ''                    # a setting that asks for a recall in place of the knob
    preload: str = ''                   # for shared_preload_libraries, where an engine insists on it


def hnsw(name, extension, quantization=None, by_option=False):
    """An hnsw access method with pgvector's operator classes, options and settings."""
    def clause(metric, options):
        chosen = quantization or (options.quantization if by_option else None)
        given = [f'm = {options.m}', f'ef_construction = {options.ef_construction}'] if options.ef_construction else []
        given += [f'quantization = {chosen}'] if chosen else []
        return f'USING hnsw (embedding vector_{metric}_ops)' + (f" WITH ({', '.join(given)})" if given else '')
    return Engine(name, (extension,), clause, lambda ef: {'hnsw.ef_search': ef}, iterative={'hnsw.iterative_scan': 'strict_order'},
                  attributes=extension == 'vectorext', unbounded={'hnsw.max_scan_tuples': 2**31 - 1, 'hnsw.scan_mem_multiplier': 100},
                  target='hnsw.recall_target' if extension == 'vectorext' else '')


def lists(options):
    return options.lists or round(options.data_rows ** 0.5)


def ivfflat(name, extension, by_option=False):
    """With many probes the planner may rightly prefer a sequential scan; the curve is the index's, so it is not let."""
    def clause(metric, options):
        more = f', quantization = {options.quantization}' if by_option and options.quantization else ''
        return f'USING ivfflat (embedding vector_{metric}_ops) WITH (lists = {lists(options)}{more})'
    return Engine(name, (extension,), clause, lambda probes: {'ivfflat.probes': probes, 'enable_seqscan': 'off'}, 'ivfflat', 'probes', lambda k: 1, lists,
                  {'ivfflat.iterative_scan': 'relaxed_order'}, attributes=extension == 'vectorext',
                  target='ivfflat.recall_target' if extension == 'vectorext' else '')


def vchordrq(name, per_list, epsilon):
    """VectorChord's documentation has two rules for `lists`, and epsilon bounds recall: a row each, the best one counts."""
    def count(options):
        return max(1, round(options.data_rows / per_list if per_list else 4 * options.data_rows ** 0.5))

    def clause(metric, options):
        spherical = 'spherical_centroids = true\n' if metric == 'cosine' else ''
        return (f'USING vchordrq (embedding vector_{metric}_ops) WITH (options = $$\nresidual_quantization = true\nbuild.pin = 2\n'
                f'[build.internal]\nlists = [{count(options)}]\nbuild_threads = {1 + options.workers}\n{spherical}$$)')
    return Engine(name, ('vector', 'vchord'), clause, lambda x: {'vchordrq.probes': x, 'vchordrq.epsilon': epsilon}, 'vchordrq', 'probes',
                  lambda k: 1, count, preload='vchord')


def diskann(name, layout):
    return Engine(name, ('vector', 'vectorscale'), lambda metric, options: f'USING diskann (embedding vector_{metric}_ops) WITH (storage_layout = {layout})',
                  lambda x: {'diskann.query_search_list_size': x, 'diskann.query_rescore': x}, 'diskann', 'search_list_size')


ENGINES = {e.name: e for e in (
    hnsw('vectorext', 'vectorext', by_option=True),
    hnsw('vectorext-none', 'vectorext', 'none'),
    hnsw('vectorext-sq4', 'vectorext', 'sq4'),
    hnsw('pgvector', 'vector'),
    ivfflat('vectorext-ivfflat', 'vectorext', by_option=True),
    ivfflat('pgvector-ivfflat', 'vector'),
    *(vchordrq(f'vchordrq{size}-e{epsilon}', per_list, epsilon) for size, per_list in (('', None), ('-few', 500)) for epsilon in (1.0, 1.9, 3.0)),
    diskann('diskann', 'memory_optimized'),
    diskann('diskann-plain', 'plain'),
)}
PEERS = tuple(e.name for e in ENGINES.values() if len(e.extensions) > 1)     # theirs is built on pgvector's types
DEFAULT_ENGINES = {'hnsw': ('vectorext', 'pgvector'), 'ivfflat': ('vectorext-ivfflat', 'pgvector-ivfflat')}


def why_unusable(engine, cluster, database):
    """A sentence saying why the engine cannot be measured in this server, or None. The database exists."""
    for extension in engine.extensions:
        version = cluster.value('postgres', f"SELECT default_version FROM pg_available_extensions WHERE name = '{extension}'")
        if not version:
            return f'extension {extension} is not installed in this server'
        # vectorext can be installed under the name vector too: it must never be taken for pgvector
        if extension == 'vector' and tuple(int(x) for x in version.split('.')[:3]) >= (0, 8, 100):
            return 'extension vector of this server is vectorext itself, not pgvector'
        cluster.sql(database, f'CREATE EXTENSION IF NOT EXISTS {extension}')
    return None
