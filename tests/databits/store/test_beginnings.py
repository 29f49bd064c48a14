"""Names and ids that begin with what was typed."""

from typing import get_args

import pytest

from databits.model import NameKind
from databits.store.beginnings import Only, beginning
from tests.conftest import Desk
from tests.mcp_server.test_completions import add_training

pytestmark = pytest.mark.both_databases


def begins(
    desk: Desk, kind: NameKind, typed: str, of: str = "", only: Only | None = None
) -> list[str]:
    found = desk.workbench.database.read(
        lambda store: beginning(store.tx, kind, typed, 100, of=of, only=only)
    )
    assert found.total == len(found.values)
    return found.values


def test_each_kind_is_found_by_its_beginning(queued: Desk) -> None:
    add_training(queued.workbench)
    assert begins(queued, "databit", "su") == ["support"]
    assert begins(queued, "databit", "%") == []
    assert begins(queued, "source", "") == begins(queued, "source", "t") == ["tickets"]
    assert begins(queued, "version", "1.", of="support") == ["1.0.0"]
    assert begins(queued, "version", "1.", of="other") == []
    assert begins(queued, "dataset", "support@") == ["support@2", "support@1"]
    assert begins(queued, "dataset_number", "", of="support") == ["2", "1"]
    assert begins(queued, "model", "s") == ["support"]
    assert begins(queued, "model_ref", "support@1") == ["support@1"]
    assert begins(queued, "model_version", "1", of="support") == ["1"]
    assert begins(queued, "endpoint", "") == ["mail"]
    assert begins(queued, "run", "") == []


def test_items_are_found_by_their_digits_within_the_databits_that_count(queued: Desk) -> None:
    every = begins(queued, "item", "")
    assert every == [str(n) for n in range(1, len(every) + 1)]
    assert begins(queued, "item", "1") == sorted((i for i in every if i[0] == "1"), key=int)
    assert begins(queued, "item", "99999") == begins(queued, "item", "x") == []
    mine = queued.workbench.database.read(lambda store: store.databits.get("support").databit_id)
    assert begins(queued, "item", "", only=Only([mine], all_but=False)) == every
    assert begins(queued, "item", "2", only=Only([mine], all_but=True)) == []
    assert begins(queued, "item", "", only=Only([], all_but=False)) == []


@pytest.mark.parametrize("text", ["\x00", "su\x00", "\ud800"])
def test_what_no_name_can_hold_begins_none(queued: Desk, text: str) -> None:
    for kind in get_args(NameKind):
        found = queued.workbench.names(kind, text, queued.actor, of="support")
        assert (found.values, found.total) == ([], 0)
    assert queued.workbench.names("version", "1", queued.actor, of=text).values == []
