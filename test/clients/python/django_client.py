"""pgvector with Django: a migration with the extension, the fields and the indexes, distance functions, aggregates, forms."""
import os

import django
from django.conf import settings
from django.db import connection, migrations, models, transaction
from pgvector import HalfVector, SparseVector
from pgvector.django import (BitField, CosineDistance, HalfVectorField, HammingDistance, HnswIndex, IvfflatIndex, JaccardDistance, L1Distance,
                             L2Distance, MaxInnerProduct, SparseVectorField, VectorExtension, VectorField)
from pgvector.psycopg import register_vector

from check import (BIT_QUERY, BITS, EXACT, EXACT_HALF, QUERY, ROWS, check, cosine, done, equal, fails, float16, float32, hamming, jaccard, l1,
                   l2, many, nearest, negative_inner, recall, search_is)

settings.configure(
    INSTALLED_APPS=['django.contrib.postgres', '__main__'],  # this file is the application
    USE_TZ=True, DEFAULT_AUTO_FIELD='django.db.models.BigAutoField',
    DATABASES={'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['PGDATABASE'], 'HOST': os.environ['PGHOST'],
                           'PORT': os.environ['PGPORT'], 'USER': os.environ['PGUSER']}})
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402  needs the settings
from django.core import serializers  # noqa: E402
from django.db.migrations.loader import MigrationLoader  # noqa: E402
from django.db.models import Avg, Sum  # noqa: E402
from django.db.models.functions import Cast  # noqa: E402
from django.forms import ModelForm  # noqa: E402


class Item(models.Model):
    v = VectorField(dimensions=3, null=True, blank=True)
    h = HalfVectorField(dimensions=3, null=True, blank=True)
    b = BitField(length=8, null=True, blank=True)
    s = SparseVectorField(dimensions=3, null=True, blank=True)
    wide = VectorField(null=True, blank=True)
    half = HalfVectorField(null=True, blank=True)
    array = ArrayField(VectorField(dimensions=2), null=True, blank=True)

    class Meta:
        db_table = 'items'
        indexes = [
            HnswIndex(name='item_hnsw_v', fields=['v'], m=16, ef_construction=64, opclasses=['vector_l2_ops']),
            HnswIndex(name='item_hnsw_h', fields=['h'], m=16, ef_construction=64, opclasses=['halfvec_ip_ops']),
            HnswIndex(name='item_hnsw_b', fields=['b'], opclasses=['bit_jaccard_ops']),
            HnswIndex(name='item_hnsw_s', fields=['s'], opclasses=['sparsevec_cosine_ops']),
        ]


class Bulk(models.Model):
    id = models.BigIntegerField(primary_key=True)
    v = VectorField(dimensions=8)

    class Meta:
        db_table = 'bulk'


# ---- what `manage.py migrate` would do
def fields_of(model):
    return [(f.name, f.clone()) for f in model._meta.fields]


class Migration(migrations.Migration):
    initial = True
    operations = [
        VectorExtension(),
        migrations.CreateModel('Item', fields_of(Item), options={'db_table': 'items'}),
        migrations.CreateModel('Bulk', fields_of(Bulk), options={'db_table': 'bulk'}),
        *[migrations.AddIndex('Item', index) for index in Item._meta.indexes],
    ]


with connection.schema_editor() as editor:
    state = MigrationLoader(connection).project_state()
    Migration('0001_initial', '__main__').apply(state, editor)
with connection.cursor() as cursor:
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'item_hnsw_v'")
    equal('the migration created the index', cursor.fetchone()[0],
          "CREATE INDEX item_hnsw_v ON public.items USING hnsw (v vector_l2_ops) WITH (m='16', ef_construction='64')")
    constraints = connection.introspection.get_constraints(cursor, 'items')
    equal('introspection names the access method', {constraints[f'item_hnsw_{c}']['type'] for c in 'vhbs'}, {'hnsw'})

register_vector(connection.connection)  # arrays of vectors need the types known to psycopg

# ---- values
for i, row in ROWS.items():
    Item(id=i, v=row, h=row, b=BITS[i], s=SparseVector(row), array=[row[:2], [i, i]]).save()
Item(id=9, wide=EXACT, half=EXACT_HALF).save()
stored = Item.objects.filter(id__lt=9)
items = list(stored.order_by('id'))
equal('vector read back', [i.v for i in items], list(ROWS.values()))
equal('halfvec read back', [i.h for i in items], list(ROWS.values()))
equal('bit read back', [i.b for i in items], list(BITS.values()))
equal('sparsevec read back', [i.s for i in items], [SparseVector(v) for v in ROWS.values()])
null = Item.objects.get(id=9)
equal('NULLs read back', (null.v, null.h, null.b, null.s, null.array), (None,) * 5)
equal('vector to the last bit', float32(null.wide), float32(EXACT))
equal('halfvec to the last bit', float16(null.half), float16(EXACT_HALF))
Item.objects.filter(id=9).update(v=QUERY)
equal('an update', Item.objects.get(id=9).v, QUERY)
Item.objects.filter(id=9).update(v=None)
equal('array of vectors read back', [i.array for i in items], [[v[:2], [i, i]] for i, v in ROWS.items()])
equal('a value in a filter', [i.id for i in Item.objects.filter(v=ROWS[3])], [3])


# ---- searches
def search(name, distance, rows, measure, query):
    search_is(name, stored.annotate(d=distance).order_by('d').values_list('id', 'd'), rows, measure, query)


for column, kind in [('v', list), ('h', HalfVector), ('s', SparseVector)]:
    query = kind(QUERY)
    search(f'{column} L2Distance', L2Distance(column, query), ROWS, l2, QUERY)
    search(f'{column} MaxInnerProduct', MaxInnerProduct(column, query), ROWS, negative_inner, QUERY)
    search(f'{column} CosineDistance', CosineDistance(column, query), ROWS, cosine, QUERY)
    search(f'{column} L1Distance', L1Distance(column, query), ROWS, l1, QUERY)
search('b HammingDistance', HammingDistance('b', BIT_QUERY), BITS, hamming, BIT_QUERY)
search('b JaccardDistance', JaccardDistance('b', BIT_QUERY), BITS, jaccard, BIT_QUERY)
equal('a filter and a limit', [i.id for i in stored.exclude(id=1).order_by(L2Distance('v', QUERY))[:1]], [2])
equal('a distance in a filter', [i.id for i in stored.alias(d=L2Distance('v', QUERY)).filter(d__lt=2.5).order_by('id')], [1, 2])
equal('distance to a subquery', stored.exclude(id=1).order_by(L2Distance('v', Item.objects.filter(id=1).values('v')[:1])).first().id, 2)
equal('Avg', Item.objects.aggregate(Avg('v')), {'v__avg': [2, 2, 2.75]})
equal('Sum', Item.objects.aggregate(Sum('h')), {'h__sum': [8, 8, 11]})
equal('Avg of no rows is NULL', Item.objects.filter(id=0).aggregate(Avg('v')), {'v__avg': None})
equal('a cast', stored.annotate(as_half=Cast('v', HalfVectorField(dimensions=3))).get(id=1).as_half, ROWS[1])
equal('an expression', stored.annotate(part=models.Func('v', 2, 2, function='subvector', output_field=VectorField())).get(id=4).part, [0, 1])
equal('binary_quantize', stored.annotate(q=models.Func('v', function='binary_quantize', output_field=BitField())).get(id=4).q, '001')

# ---- bulk and indexes
vectors, query = many(1000, 8), many(1, 8, seed=2)[0]
want = nearest(vectors, query, 10)
Bulk.objects.bulk_create([Bulk(id=i, v=v) for i, v in enumerate(vectors)])
equal('bulk_create', [b.v for b in Bulk.objects.order_by('id')], vectors)
indexes = [(HnswIndex(name=f'bulk_hnsw_{ops}', fields=['v'], m=16, ef_construction=64, opclasses=[f'vector_{ops}_ops']), distance,
            'hnsw.ef_search = 200')
           for ops, distance in [('l2', L2Distance), ('ip', MaxInnerProduct), ('cosine', CosineDistance), ('l1', L1Distance)]]
with connection.cursor() as cursor:
    cursor.execute("SELECT 1 FROM pg_am WHERE amname = 'ivfflat'")
    if cursor.fetchone():
        indexes += [(IvfflatIndex(name=f'bulk_ivfflat_{ops}', fields=['v'], lists=10, opclasses=[f'vector_{ops}_ops']), distance,
                     'ivfflat.probes = 10') for ops, distance in [('l2', L2Distance), ('ip', MaxInnerProduct), ('cosine', CosineDistance)]]
for index, distance, setting in indexes:
    with connection.schema_editor() as editor:
        editor.add_index(Bulk, index)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute('SET LOCAL enable_seqscan = off')
        cursor.execute(f'SET LOCAL {setting}')
        found = Bulk.objects.order_by(distance('v', query)).values_list('id', flat=True)[:10]
        plan = found.explain()
        check(f'{index.name}: the index is used', f'Index Scan using {index.name} on bulk' in plan, plan)
        got = list(found)
        check(f'{index.name}: ten rows, and those by L2', len(set(got)) == 10 and (distance is not L2Distance or recall(got, want) >= 0.9),
              f'{got} for {want}')
    with connection.schema_editor() as editor:
        editor.remove_index(Bulk, index)
opclass = django.contrib.postgres.indexes.OpClass(Cast('v', HalfVectorField(dimensions=8)), name='halfvec_l2_ops')
with connection.schema_editor() as editor:
    editor.add_index(Bulk, HnswIndex(opclass, name='bulk_half'))
with connection.cursor() as cursor:
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'bulk_half'")
    equal('an index on an expression', cursor.fetchone()[0], 'CREATE INDEX bulk_half ON public.bulk USING hnsw (((v)::halfvec(8)) halfvec_l2_ops)')


# ---- serialization, forms
class ItemForm(ModelForm):
    class Meta:
        model = Item
        fields = ['v', 'h', 'b', 's']


dump = serializers.serialize('json', Item.objects.filter(id=1))
Item.objects.filter(id=1).delete()
for restored in serializers.deserialize('json', dump):
    restored.save()
one = Item.objects.get(id=1)
equal('serialized and restored', (one.v, one.h, one.b, one.s), (ROWS[1], ROWS[1], BITS[1], SparseVector(ROWS[1])))
form = ItemForm({'v': '[4, 5, 6]', 'h': '[7,8,9]', 'b': '00000001', 's': '{1:2}/3'}, instance=one)
check('a form is valid', form.is_valid(), form.errors)
form.save()
one.refresh_from_db()
equal('saved by a form', (one.v, one.h, one.b, one.s), ([4, 5, 6], [7, 8, 9], '00000001', SparseVector({0: 2}, 3)))

# ---- errors
with fails('wrong dimensions of a column', '22000', 'expected 3 dimensions, not 2'), transaction.atomic():
    Item(id=10, v=[1, 2]).save()
with fails('different dimensions', '22000', 'different vector dimensions 3 and 2'), transaction.atomic():
    list(Item.objects.order_by(L2Distance('v', [1, 2])))
with fails('NaN', '22000', 'NaN not allowed in vector'), transaction.atomic():
    Item(id=11, wide=[float('nan')]).save()
with fails('wrong dimensions of a sparsevec', '22000', 'expected 3 dimensions, not 4'), transaction.atomic():
    Item(id=12, s=SparseVector([1, 2, 3, 4])).save()
done()
