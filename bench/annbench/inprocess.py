"""hnswlib in this process, one thread: what the same kind of graph gives without a server. It stands in the sweep as an engine does."""
import os, tempfile, time

SPACE = {'l2': 'l2', 'cosine': 'cosine', 'ip': 'ip'}


def scheduled():
    """Nanoseconds of this thread on a CPU and in a run queue; zeros where the kernel does not say."""
    if not os.path.exists('/proc/self/schedstat'):
        return 0, 0
    with open('/proc/self/schedstat') as f:
        return tuple(int(x) for x in f.read().split()[:2])


class Hnswlib:
    name, knob = 'hnswlib', 'ef_search'

    def __init__(self, data, metric):
        self.data, self.metric = data, metric

    @staticmethod
    def least_knob(k):
        return k

    @staticmethod
    def most_knob(options):
        return 1000

    def why_unusable(self):
        if self.metric not in SPACE:
            return f'it has no metric {self.metric}'
        try:
            import hnswlib
        except ImportError:
            return 'its module is not there (pip install hnswlib)'
        self.module = hnswlib
        return None

    def build(self, m, ef_construction):
        index = self.module.Index(SPACE[self.metric], self.data.dim)
        index.init_index(max_elements=self.data.rows, M=m, ef_construction=ef_construction, random_seed=100)
        index.set_num_threads(1)
        wall, cpu = time.perf_counter(), time.process_time()
        for start in range(0, self.data.rows, 20_000):
            index.add_items(self.data.block(start, start + 20_000), num_threads=1)
        seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with tempfile.TemporaryDirectory() as d:
            index.save_index(os.path.join(d, 'index'))
            size = os.path.getsize(os.path.join(d, 'index'))
        self.index = index
        return dict(rounds=[seconds], cpu=cpu, bytes=size)

    def answers(self, knob, k):
        self.index.set_ef(knob)
        return {i: row.tolist() for i, row in enumerate(self.index.knn_query(self.data.queries, k, num_threads=1)[0])}

    def qps(self, knob, k, seconds):
        """One query a call, as a client asks. Queries a second, and the share of the time that was spent waiting for a CPU."""
        self.index.set_ef(knob)
        asked, n, before, start = self.data.queries, 0, scheduled(), time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            for _ in range(20):
                self.index.knn_query(asked[n % len(asked)], k, num_threads=1)
                n += 1
        run, wait = (b - a for a, b in zip(before, scheduled()))
        return n / passed, wait / (run + wait) if run else None
