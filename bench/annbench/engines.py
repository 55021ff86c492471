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


ENGINES = {e.name: e for e in (
    Engine('vectorext', ('vectorext',), hnsw(by_option=True), hnsw_search),
    Engine('vectorext-none', ('vectorext',), hnsw('none'), hnsw_search),
    Engine('vectorext-sq4', ('vectorext',), hnsw('sq4'), hnsw_search),
    Engine('pgvector', ('vector',), hnsw(), hnsw_search),
)}
DEFAULT_ENGINES = ('vectorext', 'pgvector')


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
