"""Results as a terminal shows them."""

from databits.model import Page
from mcp_server.tools.curate.claim_items import Claimed
from ui.text import render


class Rows(Page[Claimed]):
    """A page of anything."""


def test_an_empty_list_is_an_answer() -> None:
    said = render(Claimed(change_id=0, databit="support", labels=["a", "b"], items=[]))
    assert said.splitlines() == ["change_id: 0", "databit: support", "labels: a, b", "items: none"]


def test_an_empty_page_says_so() -> None:
    assert render(Rows(rows=[], total=0)) == "none"
