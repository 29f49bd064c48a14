from typing import TYPE_CHECKING

import pytest

from databits.errors import Invalid, NotFound
from databits.store.names import span

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_an_endpoint_is_traced_to_its_sources(production: "Desk") -> None:
    found = production.as_("vera", "viewer")("trace_lineage", asset="endpoint:desk")
    edges = {(e.source, e.relation, e.target) for e in found.up}
    assert ("endpoint:desk", "serves", "model:support@1") in edges
    assert ("model:support@1", "trained on", "dataset:support@1") in edges
    assert ("record:1", "read from", "source:messages") in edges
    assert {e.relation for e in found.down} == {"answered"}


def test_an_item_is_traced_to_the_endpoint_that_learnt_from_it(production: "Desk") -> None:
    down = production("trace_lineage", asset="item:1", direction="down").down
    assert [e.target for e in down][:3] == ["dataset:support@1", "model:support@1", "endpoint:desk"]


def test_wide_neighbourhoods_are_counted_and_five_are_followed(production: "Desk") -> None:
    up = production("trace_lineage", asset="dataset:support@1", direction="up", depth=1).up
    held = [e for e in up if e.relation == "holds"]
    assert len(held) == 5
    assert {e.of for e in held} == {54}


def test_direction_and_depth_narrow_it(production: "Desk") -> None:
    found = production("trace_lineage", asset="endpoint:desk", direction="up", depth=1)
    assert [e.target for e in found.up] == ["model:support@1"]
    assert found.down == []


@pytest.mark.parametrize("ref", ["model", "planet:mars", ":", "item:", ""])
def test_what_is_no_reference_is_answered_with_the_kinds(desk: "Desk", ref: str) -> None:
    with pytest.raises(Invalid, match="kind:id"):
        desk("trace_lineage", asset=ref)


@pytest.mark.parametrize(
    "ref", ["item:99", "item:x", "item:²", f"record:{10**30}", "endpoint:none", "source:none"]
)
def test_what_does_not_exist_is_not_found(desk: "Desk", ref: str) -> None:
    with pytest.raises(NotFound, match=ref.partition(":")[0]):
        desk("trace_lineage", asset=ref)


def test_a_dataset_or_model_that_does_not_exist_is_answered_with_those_that_do(
    production: "Desk",
) -> None:
    with pytest.raises(NotFound, match="Models: support@1"):
        production("trace_lineage", asset="model:other@1")
    with pytest.raises(NotFound, match="Datasets: support@1"):
        production("trace_lineage", asset="dataset:support@7")


def test_it_says_where_each_record_was_read(production: "Desk") -> None:
    found = production("trace_lineage", asset="item:2", direction="up")
    assert found.spans == {
        "item:2": "messages.jsonl, line 2",
        "record:2": "messages.jsonl, line 2",
    }


def test_pages_boxes_and_characters_are_part_of_the_span() -> None:
    assert span("scans", 3, {"file": "a.pdf", "page": 3}) == "a.pdf, page 3"
    origin = {"file": "a.pdf", "page": 3, "box": [10, 20, 200, 40], "chars": [5, 90]}
    assert span("scans", 3, origin) == "a.pdf, page 3, box 10–20–200–40, chars 5–90"
    assert span("scans", 3, {}) == "scans, record 3"


def test_counting_ends_where_it_would_cost(queued: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("databits.store.lineage.COUNTED", 10)
    found = queued("trace_lineage", asset="source:tickets", direction="down", depth=1).down
    assert {(e.of, e.more) for e in found} == {(10, True)}
    monkeypatch.setattr("databits.store.lineage.COUNTED", 18)
    found = queued("trace_lineage", asset="source:tickets", direction="down", depth=1).down
    assert {(e.of, e.more) for e in found} == {(18, False)}
