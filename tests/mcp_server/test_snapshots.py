"""What a client gets to know of each tool is on file, and costs its model little."""

import difflib
import json

import pytest
from mcp import types

from tests.mcp_server.conftest import Connect, Grow
from tests.mcp_server.snapshots import FOLDER, texts
from tests.tokens import UNSURE, seen_by_a_model, tokens

RENEW = (
    "If that is meant, run `make snapshots` and commit the files, so that the change can be seen."
)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return texts()


def difference(name: str, made: dict[str, str]) -> str:
    path = FOLDER / f"{name}.json"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            made.get(name, "").splitlines(keepends=True),
            f"snapshots/{name}.json",
            f"{name} now",
        )
    )


def test_tools_are_what_their_snapshots_say(made: dict[str, str]) -> None:
    names = sorted({path.stem for path in FOLDER.glob("*.json")} | set(made))
    told = [diff for name in names if (diff := difference(name, made))]
    assert not told, f"{len(told)} tools are not what is on file. {RENEW}\n" + "\n".join(told)


def test_a_changed_tool_is_shown_line_by_line(made: dict[str, str]) -> None:
    changed = made["get_run"].replace('"title": "Get run"', '"title": "Look at a run"')
    told = difference("get_run", {**made, "get_run": changed})
    assert '- "title": "Get run",' in told
    assert '+ "title": "Look at a run",' in told
    assert difference("no_such_tool", {**made, "no_such_tool": "{}\n"}).endswith("+{}\n")
    assert difference("get_run", {}).count("\n-") > 10


def test_all_four_hints_of_every_tool_are_explicit(made: dict[str, str]) -> None:
    assert len(made) > 40
    for name, text in made.items():
        hints = json.loads(text)["annotations"]
        assert set(hints) == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert all(isinstance(hint, bool) for hint in hints.values()), name
        assert not (hints["readOnlyHint"] and hints["destructiveHint"]), name


def test_no_tool_costs_a_model_more_than_250_tokens(made: dict[str, str]) -> None:
    for text in made.values():
        tool = types.Tool.model_validate_json(text)
        assert tokens(seen_by_a_model(tool)) * UNSURE <= 250, tool.name


@pytest.mark.anyio
async def test_by_default_a_client_sees_at_most_25_tools_and_3000_tokens(connect: Connect) -> None:
    async with connect(toolsets=["core"]) as client:
        listed = (await client.list_tools()).tools
    assert len(listed) <= 25
    # Over many tools the count is a little high, see tests/tokens.py.
    assert sum(tokens(seen_by_a_model(tool)) for tool in listed) <= 3000


@pytest.mark.anyio
async def test_a_page_of_ten_items_costs_a_model_at_most_200_tokens(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(30)
    async with connect(era) as client:
        page = await client.call_tool("list_items", {"databit": "support"})
    assert page.structured_content is not None
    assert len(page.structured_content["rows"]) == 10
    assert tokens(page.content[0].text) * UNSURE <= 200  # type: ignore[union-attr]
