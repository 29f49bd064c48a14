import numpy as np
import pytest

from databits.engines.embedding import Embedder, Vectors
from databits.engines.few_shot import Suggestion, suggest
from databits.errors import Invalid
from databits.template import LabelSpec

LABELS = [
    LabelSpec(name="refund", guideline="The customer wants money back."),
    LabelSpec(name="login", guideline="The customer cannot sign in."),
    LabelSpec(name="delivery", guideline="A parcel is late or lost."),
]
ASKED = ["please give my money back", "my password does not work", "where is my parcel"]
NOTHING: Vectors = np.empty((0, 384), np.float32)


def ask(
    embedder: Embedder,
    examples: list[tuple[str, str]],
    asked: list[str] = ASKED,
    labels: list[LabelSpec] = LABELS,
) -> list[Suggestion]:
    texts = [text for text, _ in examples]
    return suggest(
        asked,
        embedder.embed(asked),
        labels,
        embedder.embed([f"{label.name}: {label.guideline}" for label in labels]),
        texts,
        embedder.embed(texts),
        [label for _, label in examples],
    )


def test_without_examples_the_labels_own_texts_decide(embedder: Embedder) -> None:
    found = ask(embedder, [])
    assert [s.label for s in found] == ["refund", "login", "delivery"]
    assert all(s.nearest is None and 1 / 3 < s.confidence <= 1 for s in found)
    assert all(s.rationale.startswith("No examples of it yet") for s in found)


def test_with_examples_the_nearest_of_the_same_label_is_shown(embedder: Embedder) -> None:
    examples = [
        ("the shipment never came", "delivery"),
        ("I want a refund for the lamp", "refund"),
        ("my parcel is lost", "delivery"),
        ("I am locked out of my account", "login"),
    ]
    found = ask(embedder, examples)
    assert [(s.label, s.nearest) for s in found] == [("refund", 1), ("login", 3), ("delivery", 2)]
    assert found[2].rationale.startswith("Learnt from 2 examples, the nearest 0.")


def test_examples_overrule_a_misleading_name(embedder: Embedder) -> None:
    labels = [LabelSpec(name="bucket a"), LabelSpec(name="bucket b")]
    examples = [
        ("the pump leaks oil", "bucket a"),
        ("oil drips from the valve", "bucket a"),
        ("the invoice shows a wrong sum", "bucket b"),
        ("the bill was charged twice", "bucket b"),
    ]
    asked = ["oil leak at the gasket", "the invoice is wrong"]
    found = ask(embedder, examples, asked, labels)
    assert [s.label for s in found] == ["bucket a", "bucket b"]


def test_labels_without_examples_keep_their_zero_shot_confidence(embedder: Embedder) -> None:
    examples = [("refund the lamp", "refund"), ("parcel lost", "delivery")]
    alone, mixed = ask(embedder, [])[1], ask(embedder, examples)[1]
    assert (mixed.label, mixed.nearest) == ("login", None)
    assert mixed.confidence == pytest.approx(alone.confidence)


def test_one_label_with_examples_changes_no_confidence(embedder: Embedder) -> None:
    before, after = ask(embedder, []), ask(embedder, [("refund the lamp", "refund")])
    assert [s.confidence for s in after] == pytest.approx([s.confidence for s in before])
    assert after[0].nearest == 0


def test_rationales_never_quote_a_text(embedder: Embedder) -> None:
    examples = [("zebra refund", "refund"), ("zebra login", "login"), ("zebra parcel", "delivery")]
    for found in ask(embedder, examples, ["zebra crossing"]):
        assert "zebra" not in found.rationale


def test_nothing_asked_is_nothing_suggested(embedder: Embedder) -> None:
    assert ask(embedder, [], asked=[]) == []


def test_an_example_of_an_unknown_label_is_refused(embedder: Embedder) -> None:
    with pytest.raises(Invalid, match="1 of 1 examples have a label that this Databit lacks"):
        ask(embedder, [("text", "secret")])


def test_labels_of_one_name_are_refused(embedder: Embedder) -> None:
    with pytest.raises(Invalid, match="two or more, of different names"):
        ask(embedder, [], labels=[LABELS[0], LABELS[0]])


def test_vectors_of_another_model_are_refused(embedder: Embedder) -> None:
    labels = embedder.embed([label.name for label in LABELS])
    with pytest.raises(Invalid, match="with the same model"):
        suggest(ASKED, np.ones((3, 5), np.float32), LABELS, labels, [], NOTHING, [])
