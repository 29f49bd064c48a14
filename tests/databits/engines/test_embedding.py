import random
from pathlib import Path

import numpy as np
import pytest

from databits.engines import embedding
from databits.engines.embedding import TOKENIZER, Embedder
from databits.errors import Unavailable

TEXTS = [
    "My card has not arrived yet.",
    "The supplier may terminate this agreement with thirty days' notice.",
    "",
    "Wo bleibt meine Karte?",
    "a",
    "The weld seam shows a crack. " * 12,
]


def test_vectors_have_unit_length_and_stand_in_the_order_of_the_texts(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert np.array_equal(embedder.embed([text])[0], vector)


def test_a_text_has_the_same_bytes_in_any_company(embedder: Embedder) -> None:
    texts = [f"{text} {number}" for number in range(10) for text in TEXTS]
    shuffled = random.Random(0).sample(texts, len(texts))
    together = dict(zip(texts, embedder.embed(texts), strict=True))
    for text, vector in zip(shuffled, embedder.embed(shuffled), strict=True):
        assert np.array_equal(together[text], vector)


def test_the_number_of_threads_does_not_change_a_vector(embedder: Embedder) -> None:
    alone = Embedder(threads=1)
    assert np.array_equal(alone.embed(TEXTS * 8), embedder.embed(TEXTS * 8))


def test_near_in_meaning_is_near_in_angle(embedder: Embedder) -> None:
    asked, same, other = embedder.embed(
        ["Where is my new card?", "I still wait for my card to arrive", "Turn up the brightness"]
    )
    assert asked @ same > 0.6 > 0.2 > asked @ other


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_a_text_counts_up_to_its_last_read_token(embedder: Embedder) -> None:
    long = "word " * 300
    assert np.array_equal(*embedder.embed([long, long + "and an end that nobody reads"]))


def test_a_lone_surrogate_is_read_as_a_replacement(embedder: Embedder) -> None:
    assert np.array_equal(*embedder.embed(["card \ud83d lost", "card ? lost"]))


def test_progress_counts_up_to_the_total(embedder: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    embedder.embed(["text"] * 40, lambda done, total: seen.append((done, total)))
    assert seen == [(16, 40), (32, 40), (40, 40)]


def test_what_progress_raises_ends_the_work(embedder: Embedder) -> None:
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        embedder.embed(["text"] * 100, stop)
    assert calls == [16]


def test_the_name_tells_the_weights(embedder: Embedder) -> None:
    assert embedder.name == "all-MiniLM-L6-v2-int8@8199be6f"


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    weights = bytearray(embedding._packaged_model().read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(weights)
    with pytest.raises(Unavailable, match="sha256 must begin with 8199be6f"):
        Embedder(tmp_path / "model.onnx")


def test_a_copy_of_the_weights_is_as_good(tmp_path: Path, embedder: Embedder) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(embedding._packaged_model().read_bytes())
    assert np.array_equal(Embedder(copy).embed(TEXTS[:1]), embedder.embed(TEXTS[:1]))


def test_a_changed_tokenizer_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "tokenizer.json"
    changed.write_bytes(TOKENIZER.read_bytes().replace(b"[UNK]", b"[HUH]", 1))
    with pytest.raises(Unavailable, match="tokenizer"):
        Embedder(tokenizer_path=changed)


def test_missing_weights_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        Embedder(tmp_path / "nowhere.onnx")
