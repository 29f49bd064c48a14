"""How well `search_tools` finds what somebody means; the numbers stand in docs/mcp.md."""

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from databits.operation import CATALOGUE, Operation, load_catalogue
from mcp_server.search import Index, stem, words

REQUESTS = tomllib.loads(Path(__file__).with_name("requests.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    load_catalogue()
    return [op for op in CATALOGUE.values() if not op.people_only]


def recall(found: Iterable[tuple[str, list[Operation]]]) -> float:
    hits = [wanted in {op.name for op in ops} for wanted, ops in found]
    return sum(hits) / len(hits)


@pytest.mark.parametrize(("part", "least"), [("chosen_with", 0.9), ("held_out", 0.82)])
def test_requests_find_their_tool_among_the_first_five(
    operations: list[Operation], part: str, least: float
) -> None:
    index = Index(operations)
    asked = [(name, request) for name, said in REQUESTS[part].items() for request in said]
    assert len(asked) > 60
    assert recall((name, index.search(request, 5)) for name, request in asked) >= least


def test_an_example_finds_its_tool_when_it_is_not_in_the_index(
    operations: list[Operation],
) -> None:
    def found(op: Operation, example: str) -> list[Operation]:
        rest = replace(op, examples=[e for e in op.examples if e != example])
        return Index([rest if other is op else other for other in operations]).search(example, 5)

    pairs = [(op, example) for op in operations for example in op.examples]
    assert len(pairs) > 150
    assert recall((op.name, found(op, example)) for op, example in pairs) >= 0.88


def test_every_tool_is_found_by_its_name_and_nearly_every_one_by_a_misspelt_name(
    operations: list[Operation],
) -> None:
    index = Index(operations)
    for op in operations:
        assert index.search(op.name, 1) == [op]
        assert index.search(op.name.replace("_", " "), 1) == [op]
    misspelt = {op.name: op.name.replace("_", " ").replace("e", "", 1) for op in operations}
    assert recall((name, index.search(said, 5)) for name, said in misspelt.items()) > 0.95


def test_nothing_is_found_by_words_that_mean_nothing_here(operations: list[Operation]) -> None:
    index = Index(operations)
    assert index.search("", 5) == []
    assert index.search("the of and", 5) == []
    assert index.search("zzxqj", 5) == []


def test_forms_of_a_word_are_one_word() -> None:
    assert len({stem(w) for w in ("label", "labels", "labelled", "labelling", "labeling")}) == 1
    assert words("What are the labels of X?") == [stem("label")]
