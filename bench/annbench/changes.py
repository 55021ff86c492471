"""The phases that change rows: insert, update, vacuum, copy. Each works on tables of its own."""
import hashlib, os, statistics, time
import numpy as np

from .cluster import database


class Changes:
    # ---- insert ----------------------------------------------------------------------------------
    def insert(self, engines, total, chunks):
        """Single-row INSERTs of the last `total` rows into the finished index of the others, in alternating chunks."""
        c, first, index = self.cluster, self.data.rows - total, 'items_ins_index'
        out = {e.name: dict(rate=[], plain_rate=[], wal=0, plain_wal=0, rows=0) for e in engines}
        for e in engines:
            for table in ('items_ins', 'items_plain'):
                c.sql(database(e), f'DROP TABLE IF EXISTS {table}', f'CREATE TABLE {table} (LIKE items INCLUDING STORAGE)', f'ALTER TABLE {table} ADD PRIMARY KEY (id)',
                      f'INSERT INTO {table} SELECT id, embedding FROM items WHERE id < {first}', f'VACUUM ANALYZE {table}')
            t = self.create_index(e, 'items_ins', index)
            print(f"{e.name}: index of {first} rows built in {t['seconds']:.2f} s")
        self.full_page_writes('off')
        try:
            for r in range(chunks):
                start, stop = first + total * r // chunks, first + total * (r + 1) // chunks
                for e in self.alternating(engines, r):
                    for table, rate, wal in (('items_plain', 'plain_rate', 'plain_wal'), ('items_ins', 'rate', 'wal')):
                        self.noise.probe()
                        script = f'\\set i :i + 1\nINSERT INTO {table} SELECT id, embedding FROM items WHERE id = :i;\n'
                        before = c.value('postgres', 'SELECT pg_current_wal_insert_lsn()')
                        tps, _ = c.pgbench(database(e), script, {'synchronous_commit': 'off'}, transactions=stop - start, variables=[f'i={start - 1}'])
                        out[e.name][rate].append(tps)
                        out[e.name][wal] += int(c.value('postgres', f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{before}')"))
                    out[e.name]['rows'] += stop - start
        finally:
            self.full_page_writes('on')
        for e in engines:
            rows = int(c.value(database(e), 'SELECT count(*) FROM items_ins'))
            if rows != self.data.rows:
                raise SystemExit(f'{e.name}: {rows} rows after the inserts, not {self.data.rows}')
            self.choose_index(e, 'items_ins', index, timed=False)
            out[e.name]['recall'] = self.recall(e, 100, 'items_ins', index)[0]
            out[e.name]['wal_per_row'] = (out[e.name]['wal'] - out[e.name]['plain_wal']) / out[e.name]['rows']
            c.sql(database(e), 'DROP TABLE items_ins, items_plain')
            print(f"{e.name}: {statistics.median(out[e.name]['rate']):.0f} inserts a second, {out[e.name]['wal_per_row']:.0f} bytes of WAL each")
        return out

    def full_page_writes(self, value):
        self.cluster.sql('postgres', f'ALTER SYSTEM SET full_page_writes = {value}', 'SELECT pg_reload_conf()')
        for _ in range(100):
            if self.cluster.value('postgres', 'SHOW full_page_writes') == value:
                break
            time.sleep(0.05)
        self.cluster.sql('postgres', 'CHECKPOINT')

    # ---- update ----------------------------------------------------------------------------------
    def update(self, engines, counts, rounds):
        """UPDATE of a column that is in no index, against the same table with a btree in the place of the vector index."""
        c, out = self.cluster, {e.name: {n: dict(vector=[], btree=[]) for n in counts} for e in engines}
        for e in engines:
            for kind in ('vector', 'btree'):
                table = f'items_upd_{kind}'
                c.sql(database(e), f'DROP TABLE IF EXISTS {table}', f'CREATE TABLE {table} (LIKE items INCLUDING STORAGE)',
                      f'ALTER TABLE {table} ADD PRIMARY KEY (id), ADD note int, ADD other int', f'INSERT INTO {table} SELECT id, embedding, 0, id FROM items')
            self.create_index(e, 'items_upd_vector', 'items_upd_index')
            c.sql(database(e), 'CREATE INDEX ON items_upd_btree (other)', 'VACUUM ANALYZE items_upd_vector', 'VACUUM ANALYZE items_upd_btree')
        for n in counts:
            for r in range(rounds):
                start = n * r % max(1, self.data.rows - n)      # other rows in each round, as far as there are any
                for e in self.alternating(engines, r):
                    for kind in ('vector', 'btree'):
                        self.noise.probe()
                        t = c.timed(database(e), ['CHECKPOINT'], f'UPDATE items_upd_{kind} SET note = note + 1 WHERE id >= {start} AND id < {start + n}',
                                    settings={'synchronous_commit': 'off', 'enable_seqscan': 'off'})
                        out[e.name][n][kind].append(t['seconds'])
        for e in engines:
            c.sql(database(e), 'DROP TABLE items_upd_vector, items_upd_btree')
            print(f'{e.name}: ' + ', '.join(f"{n} rows updated in {statistics.median(x['vector']):.3f} s, with a btree {statistics.median(x['btree']):.3f} s"
                                            for n, x in out[e.name].items()))
        return out

    # ---- vacuum ----------------------------------------------------------------------------------
    def vacuum(self, engines, refill_rows):
        """A random half is deleted, the table vacuumed and searched, then filled again; beside it a fresh index of the half that stayed."""
        c, name, odd, out = self.cluster, 'items_vac_index', 'hashint4(id) & 1 = 1', {}
        for e in engines:
            db = database(e)
            c.sql(db, 'DROP TABLE IF EXISTS items_vac', 'CREATE TABLE items_vac (LIKE items INCLUDING STORAGE)',
                  'INSERT INTO items_vac SELECT id, embedding FROM items', 'VACUUM ANALYZE items_vac')
            self.noise.probe()
            build = self.create_index(e, 'items_vac', name)
            one = out[e.name] = dict(build=build['seconds'], bytes=self.size(e, name))
            c.sql(db, f'DELETE FROM items_vac WHERE {odd}', f"SELECT pg_prewarm('{name}'), pg_prewarm('items_vac')")
            self.noise.probe()
            t = c.timed(db, ['CHECKPOINT'], 'VACUUM items_vac')
            one |= dict(vacuum=t['seconds'], cpu=t['cpu'], vacuumed_bytes=self.size(e, name))
            stayed = np.array(c.value(db, 'SELECT id FROM items_vac ORDER BY id').split(), np.int64)
            half = self.data.only(stayed)
            c.sql(db, 'ANALYZE items_vac')
            self.choose_index(e, 'items_vac', name, timed=False)
            one['recall'] = {x: self.recall(e, x, 'items_vac', name, half)[0] for x in self.points(e)}
            # freed slots: as many rows as were deleted, or fewer, need no more room than there was
            t = c.timed(db, ['CHECKPOINT'], f'INSERT INTO items_vac SELECT id, embedding FROM items WHERE {odd} ORDER BY id LIMIT {refill_rows}')
            one |= dict(refill=t['seconds'], refilled=min(refill_rows, self.data.rows - len(stayed)), refilled_bytes=self.size(e, name))
            c.sql(db, f'DROP INDEX {name}', f'DELETE FROM items_vac WHERE {odd}', 'VACUUM ANALYZE items_vac')
            one['fresh_build'] = self.create_index(e, 'items_vac', name)['seconds']
            one['fresh_bytes'] = self.size(e, name)
            self.choose_index(e, 'items_vac', name, timed=False)
            one['fresh_recall'] = {x: self.recall(e, x, 'items_vac', name, half)[0] for x in self.points(e)}
            c.sql(db, 'DROP TABLE items_vac')
            print(f"{e.name}: vacuumed in {one['vacuum']:.2f} s; recall after it / of a fresh index: "
                  + ', '.join(f"{x}: {one['recall'][x]:.4f} / {one['fresh_recall'][x]:.4f}" for x in one['recall']))
        return out

    # ---- copy ------------------------------------------------------------------------------------
    def copy(self, engines, rounds):
        """Server-side COPY: out to the null device, in from a file that is in the page cache."""
        c, out, digests = self.cluster, {e.name: {} for e in engines}, {}
        for e in engines:
            c.sql(database(e), 'DROP TABLE IF EXISTS items_copy', 'CREATE TABLE items_copy (LIKE items INCLUDING STORAGE)')
            for form in ('text', 'binary'):
                path = os.path.join(c.dir, f'copy.{e.name}.{form}')
                c.sql(database(e), f"COPY items TO '{path}' (FORMAT {form})")
                with open(path, 'rb') as f:
                    digests.setdefault(form, set()).add(hashlib.file_digest(f, 'sha256').hexdigest())
        for form, found in digests.items():
            if len(found) > 1:
                self.warn(f'COPY TO in {form} gives different bytes in the engines')
        try:
            for form in ('text', 'binary'):
                for r in range(rounds):
                    for e in self.alternating(engines, r):
                        path = os.path.join(c.dir, f'copy.{e.name}.{form}')
                        for way, before, statement in (
                                ('out', ['CHECKPOINT'], f"COPY items TO '/dev/null' (FORMAT {form})"),
                                ('in', ['TRUNCATE items_copy', 'CHECKPOINT'], f"COPY items_copy FROM '{path}' (FORMAT {form})")):
                            self.noise.probe()
                            t = c.timed(database(e), before, statement)
                            out[e.name].setdefault(f'{form} {way}', []).append(t['seconds'])
        finally:
            for e in engines:
                c.sql(database(e), 'DROP TABLE IF EXISTS items_copy')
                for form in ('text', 'binary'):
                    if os.path.exists(path := os.path.join(c.dir, f'copy.{e.name}.{form}')):
                        os.remove(path)
        return out
