"""Data sets: base vectors, queries and exact truth, from the file formats in use for ANN benchmarks."""
import hashlib, os
import numpy as np

from . import synthetic


class Dataset:
    """base [n, d] and queries [nq, d] (float32), and for a metric the ids of the nearest rows."""
    def __init__(self, name, base, queries, truth):
        self.name, self.base, self.queries, self._truth = name, base, np.ascontiguousarray(queries, np.float32), truth
        self.rows, self.dim = base.shape

    def signature(self):
        h = hashlib.sha256(f'{self.rows} {self.dim} {len(self.queries)}'.encode())
        h.update(np.ascontiguousarray(self.base[:: max(1, self.rows // 1000)], np.float32).tobytes())
        h.update(self.queries.tobytes())
        return h.hexdigest()[:16]

    def block(self, start, stop):
        return np.ascontiguousarray(self.base[start:stop], np.float32)

    def truth(self, metric, k, cache_dir):
        """ids [nq, k], exact; read from the data set where it has them, else computed once and cached."""
        ids = self._truth.get(metric)
        if ids is not None and ids.shape[1] >= k and ids.max() < self.rows:
            return np.asarray(ids[:, :k])
        depth = min(max(k, 100), self.rows)
        path = os.path.join(cache_dir, f'truth-{self.signature()}-{metric}-{depth}.npy')
        if os.path.exists(path):
            return np.load(path)[:, :k]
        print(f'computing the exact nearest neighbours ({metric}), once')
        ids = exact(self, metric, depth)
        os.makedirs(cache_dir, exist_ok=True)
        np.save(path, ids)
        return ids[:, :k]

    def only(self, ids):
        """The same queries over some of the rows."""
        return Dataset(f'{self.name}, {len(ids)} rows of it', np.asarray(self.base[ids]), self.queries, {})


def distances(vectors, query, metric):
    """True distances in float64, as the operators define them."""
    v, q = np.asarray(vectors, np.float64), np.asarray(query, np.float64)
    if metric == 'l2':
        return np.sqrt(((v - q) ** 2).sum(-1))
    if metric == 'l1':
        return np.abs(v - q).sum(-1)
    ip = v @ q
    return -ip if metric == 'ip' else 1 - ip / (np.linalg.norm(v, axis=-1) * np.linalg.norm(q))


def exact(data, metric, k, block=20_000):
    """Blocked float32 products keep k + 50 candidates of each query; float64 decides; ties go to the lower id."""
    q, keep = data.queries, k + 50
    qn = q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-30)
    score, ids = np.empty((len(q), 0), np.float32), np.empty((len(q), 0), np.int64)
    for s in range(0, data.rows, block):
        b = data.block(s, s + block)
        if metric == 'l1':
            d = np.stack([-np.abs(b - x).sum(1) for x in q])
        else:
            d = (qn if metric == 'cosine' else q) @ b.T
            n2 = np.einsum('ij,ij->i', b, b)
            if metric == 'l2':
                d = 2 * d - n2
            elif metric == 'cosine':
                d /= np.sqrt(np.maximum(n2, 1e-30))
        score, ids = np.hstack([score, d]), np.hstack([ids, np.broadcast_to(np.arange(s, s + len(b)), d.shape)])
        if score.shape[1] > keep:
            j = np.argpartition(score, -keep, axis=1)[:, -keep:]
            score, ids = np.take_along_axis(score, j, 1), np.take_along_axis(ids, j, 1)
    out = np.empty((len(q), k), np.int32)
    for t in range(len(q)):
        c = np.sort(ids[t])
        out[t] = c[np.lexsort((c, np.round(distances(data.base[c], q[t], metric), 12)))[:k]]
    return out


# ---- readers ---------------------------------------------------------------------------------------
def vecs(path, kind='<f4'):
    """.fvecs and .ivecs: every row is an int32 length and that many values."""
    raw = np.memmap(path, dtype='<i4', mode='r')
    return raw.reshape(-1, raw[0] + 1)[:, 1:].view(kind)


def first(directory, *names):
    return next((p for p in (os.path.join(directory, n) for n in names) if os.path.exists(p)), None)


def one_ending(directory, ending):
    found = [f for f in sorted(os.listdir(directory)) if f.endswith(ending)]
    return os.path.join(directory, found[0]) if found else None


def read_array(path):
    if path.endswith('.npy'):
        return np.load(path, mmap_mode='r')
    if path.endswith('.fvecs'):
        return vecs(path)
    raise SystemExit(f'{path}: neither .npy nor .fvecs')


def open_dataset(path, cache_dir, queries=None, rows=None, held_out=1000, seed=1):
    """path: synthetic:ROWS-DIM, which is made (synthetic.py); a directory with base.f16.npy or base.f32.npy, queries.* and gt_METRIC.npy; a directory with *_base.fvecs,
    *_query.fvecs and *_groundtruth.ivecs; an ann-benchmarks .hdf5; or one .npy or .fvecs file of vectors."""
    if path.startswith('synthetic:'):
        path = synthetic.make(path, cache_dir)
    path, truth, q = path.rstrip('/'), {}, None
    if os.path.isdir(path):
        base = first(path, 'base.f16.npy', 'base.f32.npy', 'base.npy')
        if base:
            q = read_array(first(path, 'queries.f16.npy', 'queries.f32.npy', 'queries.npy') or f'{path}/queries.f32.npy')
            for m in ('l2', 'cosine', 'ip', 'l1'):
                if os.path.exists(f'{path}/gt_{m}.npy'):
                    truth[m] = np.load(f'{path}/gt_{m}.npy')
            base = read_array(base)
        else:
            files = [one_ending(path, e) for e in ('_base.fvecs', '_query.fvecs', '_groundtruth.ivecs')]
            if not files[0]:
                raise SystemExit(f'{path}: no base.f16.npy, base.f32.npy or *_base.fvecs in this directory')
            base, q = vecs(files[0]), vecs(files[1])
            if files[2]:
                truth['l2'] = vecs(files[2], '<i4')
    elif path.endswith('.hdf5'):
        try:
            import h5py
        except ImportError:
            raise SystemExit('reading .hdf5 needs h5py (pip install h5py)')
        f = h5py.File(path, 'r')
        metric = {'angular': 'cosine', 'euclidean': 'l2'}.get(f.attrs.get('distance'), None)
        base, q = f['train'][:], f['test'][:]
        if metric:
            truth[metric] = f['neighbors'][:]
    else:
        base = read_array(path)
    if queries:
        q, truth = read_array(queries), {}
    if rows and rows < len(base):
        base, truth = base[:rows], {}
    if q is None:
        out = np.sort(np.random.default_rng(seed).choice(len(base), held_out, replace=False))
        q, base, truth = np.asarray(base)[out], np.delete(np.asarray(base), out, axis=0), {}
        print(f'no queries given: {held_out} random rows were taken out of the base as queries')
    return Dataset(os.path.basename(path), base, q, truth)


def copy_blocks(ids, fetch, block=5000):
    """Rows (int4 id, vector) in COPY's binary format. fetch(start, stop) gives float32 rows."""
    yield b'PGCOPY\n\xff\r\n\0' + bytes(8)
    for s in range(0, len(ids), block):
        i, v = ids[s:s + block], fetch(s, min(s + block, len(ids)))
        d = v.shape[1]
        row = np.zeros(len(i), dtype=[('fields', '>i2'), ('l1', '>i4'), ('id', '>i4'), ('l2', '>i4'), ('dim', '>i2'), ('zero', '>i2'), ('x', '>f4', (d,))])
        row['fields'], row['l1'], row['id'], row['l2'], row['dim'], row['x'] = 2, 4, i, 4 + 4 * d, d, v
        yield row.tobytes()
    yield b'\xff\xff'
