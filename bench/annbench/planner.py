"""What the planner chooses for a number of queries, beside what is fastest: the plan over the vector's index, over another one and a
sort, over the table and a sort."""
import json
import numpy as np

from .cluster import database
from .filters import columns_of, real_columns

TABLE = 'planned'
SCALE = 10_000      # values of the columns made for filters
PARTITIONS = 20


class Shape:
    """`:q` in the query stands for a vector, `:d` for the distance to it; `queries`: any, or those whose filter passes what is near, or far."""
    def __init__(self, name, query, queries='any'):
        self.name, self.query, self.queries = name, query, queries


def first(limit, where='', order=':d', source='planned'):
    return f"SELECT id FROM {source}{' WHERE ' + where if where else ''} ORDER BY {order}{f' LIMIT {limit}' if limit else ''}"


def shapes(real, narrow, wide):
    found = [Shape(f'LIMIT {n}', first(n)) for n in (1, 10, 100, 1000, 10_000)]
    found += [Shape('no LIMIT', first(None)), Shape('OFFSET 1000 LIMIT 10', first('10 OFFSET 1000'))]
    shares = ((5000, '50 %'), (1000, '10 %'), (100, '1 %'), (10, '0.1 %'), (1, '0.01 %'))
    for column, where in (('everywhere', 'in the index and in a btree'), ('inside', 'in the index'), ('btree', 'in a btree'), ('outside', 'in none')):
        found += [Shape(f'{share} pass, column {where}', first(10, f'{column} < {n}')) for n, share in shares]
    for column, where in (('everywhere', 'in the index and in a btree'), ('btree', 'in a btree'), ('outside', 'in none')):
        found += [Shape(f'{share} pass, column {where}, LIMIT 100', first(100, f'{column} < {n}')) for n, share in shares[1:3]]
    for queries in ('near', 'far'):
        found += [Shape(f'{share} pass, {queries} the query', first(10, f'region < {n}'), queries) for n, share in shares[1:4]]
    if 'section' in real:
        found += [Shape(f"section = '{s}'", first(10, f"section = '{s}'")) for s in ('libs', 'python', 'tex')]
    values = ', '.join(str(7 * i) for i in range(1, 51))
    return found + [
        Shape('IN of 50 values, 0.5 % pass', first(10, f'everywhere IN ({values})')),
        Shape('a range, 2 % pass', first(10, 'everywhere BETWEEN 4000 AND 4199')),
        Shape('two filters, 1 % pass', first(10, 'everywhere < 1000 AND inside < 1000')),
        Shape('one filter inside (10 %), one outside (10 %)', first(10, 'inside < 1000 AND outside < 1000')),
        Shape('a function of a column, 10 % pass', first(10, 'outside % 10 = 3')),
        Shape('the primary key, 20 rows', first(10, 'id < 20')),
        Shape('a tie-breaker', first(10, order=':d, id')),
        Shape('farthest first', first(10, order=':d DESC')),
        Shape('a join', 'SELECT label FROM planned JOIN labels USING (id) ORDER BY :d LIMIT 10'),
        Shape('a join from 1 % of the rows', 'SELECT label FROM planned JOIN labels USING (id) WHERE part = 3 ORDER BY :d LIMIT 10'),
        Shape('a semijoin, 1 % pass', first(10, 'id IN (SELECT id FROM labels WHERE part = 3)')),
        Shape('a distance range of 20 rows', first(None, f':d < {narrow}')),
        Shape('a distance range of 2 % of the rows', first(None, f':d < {wide}')),
        Shape('a distance range of 2 % of the rows, LIMIT 10', first(10, f':d < {wide}')),
        Shape('a ball of 20 rows', f'SELECT id FROM planned WHERE :ball({narrow})'),
        Shape('rows within a distance, counted', f'SELECT count(*) FROM planned WHERE :d < {wide}'),
        Shape(f'{PARTITIONS} partitions, LIMIT 10', first(10, source='planned_parts')),
        Shape(f'{PARTITIONS} partitions, 1 % pass', first(10, 'everywhere < 100', source='planned_parts')),
    ]


# Which indexes are there (by access method), and what else the planner must not do; what the plan then has on the table.
WAYS = (
    ('planner', 'true', {}, ''),
    ('index', "a.amname = '{am}'", {'enable_seqscan': 'off', 'enable_sort': 'off', 'enable_bitmapscan': 'off'}, '{am}'),
    ('other index', "a.amname <> '{am}'", {'enable_seqscan': 'off'}, 'btree'),
    ('table', 'false', {}, 'seq'),
)
# Execution time by the clock, the least of some times; of long ones the time on a CPU, which other processes disturb less.
FUNCTION = '''CREATE FUNCTION took(query text, times int) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE plan jsonb; clock float8 := 'Infinity'; cpu float8 := 0; before float8; BEGIN
        FOR i IN 1 .. times LOOP
            before := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
            EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ' || query INTO plan;
            cpu := cpu + (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 - before) / 1e6;
            clock := least(clock, (plan->0->>'Execution Time')::float8);
        END LOOP;
        RETURN plan->0 || jsonb_build_object('ms', CASE WHEN clock > 5 THEN least(clock, cpu / times) ELSE clock END);
    END $$'''
RUNS = 3


class Planner:
    def planned(self, engine, path):
        """[dict(shape, ways {way: dict(ms, cost, plan)})]: each query is asked each way in each round; the least of its times counts."""
        made, pivot = columns_of(self.data, self.o.metric)
        real = {k: v for k, v in real_columns(path, self.data.rows).items() if k == 'section'}
        self.load_planned(engine, made['region'], real)
        db, rows = database(engine), []
        narrow, wide = (float(self.cluster.value(db, f"SELECT avg((SELECT d FROM (SELECT i.embedding {self.operator} q.q AS d FROM {TABLE} i ORDER BY d LIMIT 1 OFFSET {n}) s)) FROM planned_queries q WHERE kind = 'any'"))
                        for n in (20, self.data.rows // 50))
        for shape in shapes(real, f'{narrow:.6g}', f'{wide:.6g}'):
            found = {}
            for r in range(self.o.rounds):
                for way in self.alternating(WAYS, r):
                    self.noise.probe()
                    self.one_way(engine, shape, way, found)
            for f in found.values():        # what the planner chose is one of the ways, and one plan
                if f and f['plan'] == found['planner']['plan']:
                    f['ms'] = found['planner']['ms'] = np.minimum(f['ms'], found['planner']['ms'])
            # a way that ends at its limits before it has all rows is none
            most = max(f['rows'] for f in found.values() if f)
            rows.append(dict(shape=shape.name, ways={w: dict(ms=float(np.mean(f['ms'])), cost=f['cost'], plan=f['plan']) for w, f in found.items() if f and f['rows'] >= 0.9 * most}))
            print(f'{shape.name}: ' + '; '.join(f"{w} {x['ms']:.2f} ms (cost {x['cost']:.0f}, {x['plan']})" for w, x in rows[-1]['ways'].items()))
        return rows

    def load_planned(self, engine, region, real):
        c, db, n = self.cluster, database(engine), self.data.rows
        random = np.random.default_rng(11)
        columns = {name: random.permutation(n) * SCALE // n for name in ('everywhere', 'inside', 'btree', 'outside')}
        columns |= dict(region=region * (SCALE // 1000) + random.integers(0, SCALE // 1000, n)) | real
        names = list(columns)
        index = engine.index(self.o.metric, self.o).replace('_ops)', f"_ops, {', '.join(x for x in names if x not in ('btree', 'outside'))})")
        mark = f'{self.data.signature()} {self.o.planner_queries} {index}'
        if not self.o.reload and c.value(db, f"SELECT obj_description(to_regclass('{TABLE}'), 'pg_class')") == mark:
            return
        c.sql(db, 'SET client_min_messages = warning', f'DROP TABLE IF EXISTS {TABLE}, planned_parts, planned_extra, labels, planned_queries', 'DROP FUNCTION IF EXISTS took', FUNCTION,
              'CREATE TABLE planned_extra (id int, ' + ', '.join(f"{x} {'text' if x in real else 'int'}" for x in names) + ')')
        step = 20_000
        c.copy_in(db, 'COPY planned_extra FROM STDIN', ('\n'.join('\t'.join([str(i), *(str(columns[x][i]) for x in names)]) for i in range(s, min(s + step, n))).encode() + b'\n'
                                                        for s in range(0, n, step)))
        c.sql(db, f'CREATE TABLE {TABLE} AS SELECT i.id, i.embedding, {", ".join("x." + x for x in names)} FROM items i JOIN planned_extra x USING (id) ORDER BY id',
              f'ALTER TABLE {TABLE} ADD PRIMARY KEY (id)', *(f'CREATE INDEX ON {TABLE} ({x})' for x in names if x not in ('inside', 'outside')),
              f'CREATE INDEX planned_vector ON {TABLE} {index}',
              f"CREATE TABLE labels AS SELECT id, 'label ' || id AS label, id % 100 AS part FROM {TABLE} ORDER BY hashint4(id)", 'ALTER TABLE labels ADD PRIMARY KEY (id)', 'CREATE INDEX ON labels (part)',
              f'CREATE TABLE planned_parts (LIKE {TABLE}) PARTITION BY HASH (id)',
              *(f'CREATE TABLE planned_part_{i} PARTITION OF planned_parts FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {i})' for i in range(PARTITIONS)),
              f'INSERT INTO planned_parts SELECT * FROM {TABLE}', f'CREATE INDEX ON planned_parts {index}', 'CREATE INDEX ON planned_parts (everywhere)', 'DROP TABLE planned_extra')
        # of the queries, those nearest to the rows of the least region, and those farthest from them
        center = f'(SELECT avg(embedding) FROM {TABLE} WHERE region < {SCALE // 100})'
        c.sql(db, 'CREATE TABLE planned_queries (kind text, q vector)', *(f"INSERT INTO planned_queries SELECT '{kind}', q FROM queries ORDER BY {order} LIMIT {self.o.planner_queries}"
              for kind, order in (('any', 'hashint4(id)'), ('near', f'q {self.operator} {center}'), ('far', f'q {self.operator} {center} DESC'))))
        c.sql(db, 'VACUUM ANALYZE', f"COMMENT ON TABLE {TABLE} IS '{mark}'", f"SELECT pg_prewarm(c.oid) FROM pg_class c WHERE relname ~ '^(planned|labels)' AND relkind IN ('r', 'i')")

    def one_way(self, engine, shape, way, found):
        c, db, (name, shown, settings, expected) = self.cluster, database(engine), way
        if name in found and not found[name]:
            return
        am = engine.access_method
        c.sql(db, f"UPDATE pg_index SET indisvalid = ({shown.format(am=am)}) FROM pg_class i, pg_am a, pg_class t WHERE i.oid = indexrelid AND a.oid = i.relam AND t.oid = indrelid AND t.relname ~ '^planned(_part|$)'")
        text = shape.query.replace(':d', f'embedding {self.operator} :q')
        if ':ball' in text:
            text = text.replace(':ball(', f'embedding <{self.operator}> vectorext_ball(:q::vector, ')
        lines = c.value(db, f"SELECT took(replace($s${text}$s$, ':q', quote_literal(q)), {RUNS}) FROM planned_queries WHERE kind = '{shape.queries}' ORDER BY q::text", settings={'max_parallel_workers_per_gather': 0} | settings).splitlines()
        plans = [json.loads(x) for x in lines]
        scan = ', '.join(dict.fromkeys(scans(plans[0]['Plan'])))
        if expected == 'seq' and 'Seq Scan' not in scan or expected == am and '_vector' not in scan and '_embedding' not in scan or expected == 'btree' and ('Seq Scan' in scan or '(' not in scan):
            found[name] = {}
            return
        ms = np.array([p['ms'] for p in plans])
        before = found.get(name)
        found[name] = dict(ms=np.minimum(before['ms'], ms) if before else ms, cost=float(np.mean([p['Plan']['Total Cost'] for p in plans])), plan=scan, rows=sum(p['Plan']['Actual Rows'] for p in plans))


def scans(node):
    """The scans of the table in a plan, and of its partitions as if there were one."""
    relation = node.get('Relation Name', '')
    if relation.startswith('planned') and 'Scan' in node['Node Type']:
        index = node.get('Index Name') or next((x['Index Name'] for x in node.get('Plans', ()) if 'Index Name' in x), None)
        yield node['Node Type'] + (f' ({index})' if index and not relation.startswith('planned_part') else '')
    for x in node.get('Plans', ()):
        yield from scans(x)
