"""Vectors of records: computed once, kept in the store, read by everything that compares texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from databits.engines.embedding import Embedder, Vectors
from databits.store import Store

T = TypeVar("T")
Run = Callable[[Callable[[Store], T]], T]
_CHUNK = 512  # texts between two looks at whether the run was cancelled


def record_vectors(
    embedder: Embedder,
    texts: Mapping[int, str],
    *,
    read: Callable[[Callable[[Store], dict[int, bytes]]], dict[int, bytes]],
    keep: Callable[[Callable[[Store], None]], None],
    progress: Callable[[float, str], None] = lambda _done, _message: None,
) -> Vectors:
    """Vectors of records, from the store where it has them.

    Args:
        texts: record id → text.
        read, keep: run a function on the store, to look vectors up and to keep new ones.
        progress: called with 0 to 1; what it raises ends the work, and what was computed is kept.

    Returns:
        float32 (len(texts), dimension), rows of unit length in the order of `texts`.
    """
    ids = list(texts)
    known = read(lambda store: store.records.vectors(ids, embedder.name))
    missing = [i for i in ids if i not in known]
    for start in range(0, len(missing), _CHUNK):
        progress(start / len(missing), f"reading {start} of {len(missing)} texts")
        part = missing[start : start + _CHUNK]
        found = dict(zip(part, as_bytes(embedder.embed([texts[i] for i in part])), strict=True))
        keep(lambda store, found=found: store.records.save_vectors(embedder.name, found.items()))  # type: ignore[misc]
        known.update(found)
    return from_bytes([known[i] for i in ids], embedder.dimension)


def as_bytes(vectors: Vectors) -> list[bytes]:
    """Each row as little-endian float32."""
    return [row.astype("<f4").tobytes() for row in vectors]


def from_bytes(rows: Sequence[bytes], dimension: int) -> Vectors:
    if not rows:
        return np.zeros((0, dimension), dtype=np.float32)
    return (
        np.frombuffer(b"".join(rows), dtype="<f4").reshape(len(rows), dimension).astype(np.float32)
    )
