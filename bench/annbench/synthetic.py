"""Clustered synthetic vectors of low intrinsic dimension, made from a name: synthetic:ROWS-DIM[-dINTRINSIC][-sSEED], as in
synthetic:1M-128 and synthetic:300k-768. A fixed seed gives the same rows always, and fewer rows are a prefix of more.

The law. Clusters are drawn with weights falling as (rank + 10)^-0.7; their centres gather in groups, as topics do, and each has a
width of its own (log-normal) and axes of different lengths, all in a space of the stated intrinsic dimension. One row in fifty is drawn
from the whole space. tanh of a random linear map, then another one, bends that space into the DIM dimensions, and isotropic noise
of a twentieth of the length is added. Queries are other draws of the same mixture, 1.2 times as wide and with noise of 0.4 of
their length: off the surface of the rows, as questions are beside texts.
"""
import os, re
import numpy as np

CLUSTERS, GROUPS, GATHERED, WIDTH, WIDTH_SPREAD, BACKGROUND = 10_000, 60, 0.6, 0.75, 0.6, 0.02
BLOCK = 50_000          # rows of one random stream: part of the law
NAME = re.compile(r'synthetic:(\d+)([kM]?)-(\d+)(?:-d(\d+))?(?:-s(\d+))?')


class Mixture:
    def __init__(self, dim, intrinsic, seed):
        self.dim, self.intrinsic, self.seed = dim, intrinsic, seed
        r, hidden = self.stream(0), 4 * intrinsic
        groups = r.standard_normal((GROUPS, intrinsic))[r.integers(0, GROUPS, CLUSTERS)]
        self.centres = np.float32(GATHERED * groups + np.sqrt(1 - GATHERED ** 2) * r.standard_normal((CLUSTERS, intrinsic)))
        widths = WIDTH * np.exp(WIDTH_SPREAD * r.standard_normal(CLUSTERS))
        axes = np.exp(0.5 * r.standard_normal((CLUSTERS, intrinsic)))
        axes /= np.sqrt(np.mean(axes ** 2, axis=1, keepdims=True))
        self.axes = np.float32(widths[:, None] * axes)
        weights = (np.arange(CLUSTERS) + 10.0) ** -0.7
        self.cumulative = np.cumsum(r.permutation(weights / weights.sum()))
        self.inner = np.float32(r.standard_normal((intrinsic, hidden)) / np.sqrt(intrinsic))
        self.shift = np.float32(0.3 * r.standard_normal(hidden))
        self.outer = np.float32(r.standard_normal((hidden, dim)) / np.sqrt(hidden))

    def stream(self, *numbers):
        return np.random.Generator(np.random.PCG64([self.seed, *numbers]))

    def draw(self, n, stream, spread, noise):
        r = self.stream(*stream)
        cluster = np.searchsorted(self.cumulative, r.random(n) * self.cumulative[-1]).clip(0, CLUSTERS - 1)
        z = self.centres[cluster] + (spread * self.axes[cluster]) * r.standard_normal((n, self.intrinsic), dtype=np.float32)
        anywhere = r.random(n) < BACKGROUND
        z[anywhere] = r.standard_normal((int(anywhere.sum()), self.intrinsic), dtype=np.float32)
        x = np.tanh(z @ self.inner + self.shift) @ self.outer
        x += r.standard_normal(x.shape, dtype=np.float32) * (noise * np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(self.dim))
        return x.astype(np.float32)


def make(name, cache, queries=1000):
    """The directory of the set in the cache, made where it is not there yet."""
    parts = NAME.fullmatch(name)
    if not parts:
        raise SystemExit(f'{name}: a synthetic set is named synthetic:ROWS-DIM[-dINTRINSIC][-sSEED], as in synthetic:1M-128')
    rows = int(parts[1]) * {'': 1, 'k': 1000, 'M': 1_000_000}[parts[2]]
    dim, intrinsic, seed = int(parts[3]), int(parts[4] or 32), int(parts[5] or 20260)
    directory = os.path.join(cache, f'synthetic-{parts[1]}{parts[2]}-{dim}-d{intrinsic}-s{seed}')
    done = os.path.join(directory, 'queries.f32.npy')
    if not os.path.exists(done):
        print(f'making {directory}, once')
        os.makedirs(directory, exist_ok=True)
        mixture = Mixture(dim, intrinsic, seed)
        base = np.lib.format.open_memmap(os.path.join(directory, 'base.f32.npy'), mode='w+', dtype='<f4', shape=(rows, dim))
        for b, start in enumerate(range(0, rows, BLOCK)):
            base[start:start + BLOCK] = mixture.draw(BLOCK, (1, b), 1.0, 0.05)[:rows - start]
        base.flush()
        np.save(done, mixture.draw(queries, (2, 0), 1.2, 0.4))
    return directory
