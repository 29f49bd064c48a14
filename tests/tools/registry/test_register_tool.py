from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, Invalid, NotAllowed
from databits.store.tables import tool_versions

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases

LOOK: dict[str, Any] = {"name": "look", "description": "Looks.", "inputSchema": {"type": "object"}}
BUY: dict[str, Any] = {"name": "buy", "annotations": {"destructiveHint": True}}


def rows(desk: "Desk") -> list[tuple[str, int, bool]]:
    found = desk.rows(tool_versions)
    return [(row["name"], row["version"], row["gone_at"] is not None) for row in found]


def test_the_same_again_changes_nothing(desk: "Desk") -> None:
    first = desk("register_tool", server="shop", tools=[LOOK, BUY], whole=True)
    assert (first.new, first.changed, first.gone, first.same) == (["look", "buy"], [], [], 0)
    state = desk.state()
    shuffled = dict(reversed(LOOK.items()))
    again = desk("register_tool", server="shop", tools=[BUY, shuffled], whole=True)
    assert (again.new, again.changed, again.gone, again.same) == ([], [], [], 2)
    assert again.change_id == 0
    assert desk.state() == state


def test_a_changed_definition_is_a_new_version_and_the_old_one_is_kept(desk: "Desk") -> None:
    desk("register_tool", server="shop", tools=[LOOK])
    changed = {**LOOK, "description": "Looks, and buys."}
    done = desk("register_tool", server="shop", tools=[changed])
    assert done.changed == ["look"]
    assert rows(desk) == [("look", 1, False), ("look", 2, False)]
    newest = desk("get_asset", asset="tool:shop/look")
    assert newest.definition == changed
    assert [v.asset for v in newest.versions] == ["tool:shop/look@2", "tool:shop/look@1"]
    assert newest.versions[0].since >= newest.versions[1].since
    assert newest.sha256 == newest.versions[0].sha256 != newest.versions[1].sha256
    assert desk("get_asset", asset="tool:shop/look@1").definition == LOOK


def test_what_a_server_has_no_more_is_marked_and_comes_back_as_a_version(desk: "Desk") -> None:
    desk("register_tool", server="shop", tools=[LOOK, BUY])
    assert desk("register_tool", server="shop", tools=[LOOK]).gone == []
    assert desk("register_tool", server="shop", tools=[LOOK], whole=True).gone == ["buy"]
    assert desk("get_asset", asset="tool:shop/buy").gone is True
    assert [row.asset for row in desk("list_assets", kind="tool").rows] == ["tool:shop/look@1"]
    assert desk("register_tool", server="shop", tools=[BUY]).changed == ["buy"]
    assert rows(desk) == [("look", 1, False), ("buy", 1, True), ("buy", 2, False)]


def test_servers_do_not_mix(desk: "Desk") -> None:
    desk("register_tool", server="shop", tools=[LOOK])
    assert desk("register_tool", server="mall", tools=[LOOK], whole=True).new == ["look"]
    assert desk("list_assets", kind="tool").total == 2


def test_a_registration_is_undone_in_order(desk: "Desk") -> None:
    before = desk.state()
    first = desk("register_tool", server="shop", tools=[LOOK, BUY])
    second = desk("register_tool", server="shop", tools=[LOOK], whole=True)
    with pytest.raises(Conflict):
        desk("undo_change", change=first.change_id)
    desk("undo_change", change=second.change_id)
    assert desk("get_asset", asset="tool:shop/buy").gone is False
    desk("undo_change", change=first.change_id)
    assert desk.state() == before
    [newest, *_] = desk("list_changes", operation="register_tool").rows
    assert "tool" in newest.what


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [{}],
        [{"name": "a b"}],
        [LOOK, LOOK],
        [{"name": "long", "description": "x" * 100_001}],
        ["look"],
    ],
    ids=["none", "no name", "a space", "twice", "too long", "no definition"],
)
def test_what_is_no_definition_is_refused(desk: "Desk", wrong: list[Any]) -> None:
    with pytest.raises(Invalid):
        desk("register_tool", server="shop", tools=wrong)
    assert rows(desk) == []


def test_it_takes_an_engineer(desk: "Desk") -> None:
    with pytest.raises(NotAllowed, match="needs the role engineer"):
        desk.as_("rita", "reviewer")("register_tool", server="shop", tools=[LOOK])
