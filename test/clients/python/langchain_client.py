"""LangChain's stores for PostgreSQL: PGVectorStore (tables of its own, indexes, filters) and the older PGVector (collections)."""
import asyncio

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import Column, PGEngine, PGVector, PGVectorStore
from langchain_postgres.v2.async_vectorstore import AsyncPGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig, reciprocal_rank_fusion
from langchain_postgres.v2.indexes import DistanceStrategy, HNSWIndex, HNSWQueryOptions, IVFFlatIndex, IVFFlatQueryOptions
from langchain_postgres.vectorstores import DistanceStrategy as CollectionDistance
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from check import (DSN, QUERY, ROWS, check, close, cosine, done, equal, fails, inner, l2, many, nearest, ranked, recall)

URL = DSN.replace('postgresql:', 'postgresql+psycopg:')
WORDS = {1: 'one dog', 2: 'two cats', 3: 'three dogs', 4: 'four birds'}
VECTORS = {WORDS[i]: v for i, v in ROWS.items()} | {'query': QUERY, 'short': [1, 2]}


class Table(Embeddings):
    """Embeddings by a table instead of a model."""

    def embed_query(self, text):
        return [float(x) for x in VECTORS[text]]

    def embed_documents(self, texts):
        return [self.embed_query(t) for t in texts]


UUID = {i: f'00000000-0000-0000-0000-00000000000{i}' for i in ROWS}
DOCUMENTS = [Document(id=UUID[i], page_content=WORDS[i], metadata={'number': i, 'parity': 'odd' if i % 2 else 'even', 'extra': [i]}) for i in ROWS]


def order(documents):
    return [d.metadata['number'] for d in documents]


def ids(pairs):
    return [i for i, _ in pairs]


async def tables():
    engine = create_async_engine(URL)
    pg = PGEngine.from_engine(engine)
    columns = [Column('number', 'INTEGER'), Column('parity', 'TEXT')]
    await pg.ainit_vectorstore_table('docs', 3, metadata_columns=columns)

    async def store(strategy, **more):
        return await AsyncPGVectorStore.create(pg, Table(), 'docs', metadata_columns=['number', 'parity'], distance_strategy=strategy, **more)

    by_l2 = await store(DistanceStrategy.EUCLIDEAN)
    equal('documents added', await by_l2.aadd_documents(DOCUMENTS), list(UUID.values()))
    for name, strategy, measure in [('L2', DistanceStrategy.EUCLIDEAN, l2), ('cosine', DistanceStrategy.COSINE_DISTANCE, cosine)]:
        found = await (await store(strategy)).asimilarity_search_with_score('query', k=4)
        equal(f'{name}: order', order(d for d, _ in found), ids(ranked(ROWS, measure, QUERY)))
        close(f'{name}: scores', [s for _, s in found], [d for _, d in ranked(ROWS, measure, QUERY)])
    found = await (await store(DistanceStrategy.INNER_PRODUCT)).asimilarity_search_with_score('query', k=4)
    equal('inner product: order', order(d for d, _ in found), [3, 1, 2, 4])
    close('inner product: scores', [s for _, s in found], [inner(ROWS[i], QUERY) for i in [3, 1, 2, 4]])
    equal('a column in the filter', order(await by_l2.asimilarity_search('query', k=4, filter={'parity': 'even'})), [2, 4])
    equal('a range in the filter', order(await by_l2.asimilarity_search('query', k=4, filter={'number': {'$gte': 3}})), [4, 3])
    equal('and, or, in', order(await by_l2.asimilarity_search('query', k=4, filter={
        '$or': [{'$and': [{'number': {'$lt': 3}}, {'parity': 'odd'}]}, {'number': {'$in': [3]}}]})), [1, 3])
    equal('a search by vector', order(await by_l2.asimilarity_search_by_vector([5.0, 5.0, 4.0], k=1)), [3])
    equal('the metadata come back', (await by_l2.aget_by_ids([UUID[3]]))[0].metadata, DOCUMENTS[2].metadata)
    equal('maximal marginal relevance', len(await by_l2.amax_marginal_relevance_search('query', k=2, fetch_k=4)), 2)
    check('relevance scores lie in 0..1', all(0 <= s <= 1 for _, s in await (await store(DistanceStrategy.COSINE_DISTANCE))
          .asimilarity_search_with_relevance_scores('query', k=4)), 'one does not')
    equal('deleted', (await by_l2.adelete([UUID[1]]), order(await by_l2.asimilarity_search('query', k=4))), (True, [2, 4, 3]))
    equal('replaced', (await by_l2.aadd_documents(DOCUMENTS[:1]), order(await by_l2.asimilarity_search('query', k=4))), ([UUID[1]], [1, 2, 4, 3]))

    # ---- indexes by the store's own API, of 1,000 rows
    await pg.ainit_vectorstore_table('bulk', 8, metadata_columns=[Column('number', 'INTEGER')])
    vectors, query = many(1000, 8), [float(x) for x in many(1, 8, seed=2)[0]]
    want = nearest(vectors, query, 10)
    async with engine.connect() as conn:
        has_ivfflat = (await conn.execute(text("SELECT 1 FROM pg_am WHERE amname = 'ivfflat'"))).scalar()
    for strategy in (DistanceStrategy.EUCLIDEAN, DistanceStrategy.INNER_PRODUCT, DistanceStrategy.COSINE_DISTANCE):
        methods = [(HNSWIndex(name='bulk_index', m=16, ef_construction=64, distance_strategy=strategy), HNSWQueryOptions(ef_search=200))]
        if has_ivfflat:
            methods.append((IVFFlatIndex(name='bulk_index', lists=10, distance_strategy=strategy), IVFFlatQueryOptions(probes=10)))
        for index, options in methods:
            bulk = await AsyncPGVectorStore.create(pg, Table(), 'bulk', metadata_columns=['number'], distance_strategy=strategy, k=10,
                                                   index_query_options=options)
            if not await bulk.aget_by_ids([UUID[1]]):
                await bulk.aadd_embeddings([f'text {i}' for i in range(1000)], vectors, [{'number': i} for i in range(1000)],
                                           [UUID[1]] + [f'00000000-0000-0000-0001-{i:012}' for i in range(1, 1000)])
            name = f'{index.index_type} {strategy.name.lower()}'
            await bulk.aapply_vector_index(index)
            check(f'{name}: a valid index', await bulk.is_valid_index('bulk_index'), 'it is not')
            got = order(await bulk.asimilarity_search_by_vector(query, k=10))
            check(f'{name}: ten rows, and those by L2', len(set(got)) == 10 and
                  (strategy != DistanceStrategy.EUCLIDEAN or recall(got, want) >= 0.9), f'{got} for {want}')
            await bulk.areindex('bulk_index')
            check(f'{name}: valid after areindex', await bulk.is_valid_index('bulk_index'), 'it is not')
            await bulk.adrop_vector_index('bulk_index')
            check(f'{name}: dropped', not await bulk.is_valid_index('bulk_index'), 'it is still there')
    await bulk.aapply_vector_index(HNSWIndex(name='concurrent', distance_strategy=DistanceStrategy.EUCLIDEAN), concurrently=True)
    check('an index built concurrently is valid', await bulk.is_valid_index('concurrent'), 'it is not')

    # ---- hybrid search: full text and vectors, fused by rank
    config = HybridSearchConfig(tsv_column='content_tsv', fusion_function=reciprocal_rank_fusion, primary_top_k=4, secondary_top_k=4)
    await pg.ainit_vectorstore_table('hybrid', 3, metadata_columns=columns, hybrid_search_config=config)
    hybrid = await AsyncPGVectorStore.create(pg, Table(), 'hybrid', metadata_columns=['number', 'parity'], hybrid_search_config=config)
    await hybrid.aadd_documents(DOCUMENTS)
    await hybrid.aapply_hybrid_search_index()
    VECTORS['dog'] = QUERY
    found = order(await hybrid.asimilarity_search('dog', k=4))
    equal('hybrid search finds by both', (found[0], sorted(found)), (1, [1, 2, 3, 4]))

    with fails('wrong dimensions of the table', '22000', 'expected 3 dimensions, not 2'):
        await by_l2.aadd_texts(['short'])
    with fails('wrong dimensions of the query', '22000', 'different vector dimensions 3 and 2'):
        await by_l2.asimilarity_search('short')
    await pg.adrop_table('docs')
    await pg.close()


def synchronous():
    pg = PGEngine.from_connection_string(url=URL)
    pg.init_vectorstore_table('sync_docs', 3)
    store = PGVectorStore.create_sync(pg, Table(), 'sync_docs')
    store.add_documents(DOCUMENTS)
    equal('synchronous store', order(store.similarity_search('query', k=4)), ids(ranked(ROWS, cosine, QUERY)))
    equal('as a retriever', order(store.as_retriever(search_kwargs={'k': 1}).invoke('query')), [1])


def collections():
    for name, strategy, measure in [('euclidean', CollectionDistance.EUCLIDEAN, l2), ('cosine', CollectionDistance.COSINE, cosine)]:
        store = PGVector(Table(), connection=URL, collection_name=name, embedding_length=3, distance_strategy=strategy)
        equal(f'PGVector {name}: added', store.add_documents(DOCUMENTS, ids=[f'{name}{i}' for i in ROWS]), [f'{name}{i}' for i in ROWS])
        found = store.similarity_search_with_score('query', k=4)
        equal(f'PGVector {name}: order', order(d for d, _ in found), ids(ranked(ROWS, measure, QUERY)))
        close(f'PGVector {name}: scores', [s for _, s in found], [d for _, d in ranked(ROWS, measure, QUERY)])
        equal(f'PGVector {name}: a filter', order(store.similarity_search('query', k=4, filter={'parity': {'$eq': 'even'}})), [2, 4])
        equal(f'PGVector {name}: marginal relevance', len(store.max_marginal_relevance_search('query', k=2)), 2)
        store.delete([f'{name}1'])
        check(f'PGVector {name}: deleted', 1 not in order(store.similarity_search('query', k=4)), 'it is still found')
    store = PGVector(Table(), connection=URL, collection_name='ip', embedding_length=3, distance_strategy=CollectionDistance.MAX_INNER_PRODUCT)
    store.add_documents(DOCUMENTS, ids=[f'ip{i}' for i in ROWS])
    equal('PGVector max_inner_product: order', order(store.similarity_search('query', k=4)), [3, 1, 2, 4])


asyncio.run(tables())
synchronous()
collections()
done()
