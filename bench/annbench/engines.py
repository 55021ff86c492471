"""The engine table. Adding a row to ENGINES adds an engine to every phase."""
from dataclasses import dataclass
from typing import Callable

OPERATOR = {'l2': '<->', 'cosine': '<=>', 'ip': '<#>', 'l1': '<+>'}


@dataclass(frozen=True)
class Engine:
    name: str
    extensions: tuple[str, ...]         # created in this order in the engine's own database
    index: Callable                     # (metric, options) -> what follows CREATE INDEX ... ON items
    search: Callable[[int], dict]       # value of the knob that is swept -> settings of the session
    access_method: str = 'hnsw'
    knob: str = 'ef_search'
    knob_range: tuple[int, int] = (1, 1000)
    at_least_k: bool = True             # values of the knob below LIMIT find too few rows
    preload: str = ''                   # for shared_preload_libraries, where an engine insists on it


def hnsw(quantization=None, by_option=False):
    """Index clause of an hnsw access method with pgvector's operator classes and options."""
    def clause(metric, options):
        chosen = quantization or (options.quantization if by_option else None)
        more = f', quantization = {chosen}' if chosen else ''
        return (f'USING hnsw (embedding vector_{metric}_ops) '
                f'WITH (m = {options.m}, ef_construction = {options.ef_construction}{more})')
    return clause


def hnsw_search(ef):
    return {'hnsw.ef_search': ef}


def ivfflat(quantization=None, by_option=False):
    """The same of an ivfflat access method."""
    def clause(metric, options):
        chosen = quantization or (options.quantization if by_option else None)
        more = f', quantization = {chosen}' if chosen else ''
        return f'USING ivfflat (embedding vector_{metric}_ops) WITH (lists = {options.lists}{more})'
    return clause


def ivfflat_search(probes):
    # with many probes a planner may take a sequential scan for cheaper, and be right
    return {'ivfflat.probes': probes, 'enable_seqscan': 'off'}


def ivf_engine(name, extension, clause):
    return Engine(name, (extension,), clause, ivfflat_search, access_method='ivfflat', knob='probes', knob_range=(1, 32768), at_least_k=False)


ENGINES = {e.name: e for e in (
    Engine('vectorext', ('vectorext',), hnsw(by_option=True), hnsw_search),
    Engine('vectorext-none', ('vectorext',), hnsw('none'), hnsw_search),
    Engine('vectorext-sq4', ('vectorext',), hnsw('sq4'), hnsw_search),
    Engine('pgvector', ('vector',), hnsw(), hnsw_search),
    ivf_engine('vectorext-ivf', 'vectorext', ivfflat(by_option=True)),
    ivf_engine('vectorext-ivf-sq8', 'vectorext', ivfflat('sq8')),
    ivf_engine('vectorext-ivf-none', 'vectorext', ivfflat('none')),
    ivf_engine('pgvector-ivf', 'vector', ivfflat()),
)}
# by the kind of index
DEFAULT_ENGINES = {'hnsw': ('vectorext', 'pgvector'), 'ivfflat': ('vectorext-ivf', 'pgvector-ivf')}
DEFAULT_KNOBS = {'hnsw': [20, 40, 100, 200], 'ivfflat': [8, 16, 32, 64, 128]}


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
