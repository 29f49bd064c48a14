"""What happened to an item, which plans wait, and what stands in the way of an undo: seen in a browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import TICKETS, Desk
from tests.ui.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.browser]
NASTY = "<img src=x onerror=window.pwned=1> ${window.pwned=2}"


@pytest.fixture
def served(queued: Desk) -> Iterator[Served]:
    with Served(queued.workbench) as running:
        yield running


def open_tab(page: Any, name: str) -> None:
    page.click(f"button[role=tab]:has-text('{name}')")


def test_an_items_history_is_unfolded_on_its_card_as_text(page: Any, queued: Desk) -> None:
    lena = queued.as_("lena", "labeler")
    made = lena("correct_labels", databit="support", items=[1], label="login", reason=NASTY)
    lena("undo_change", change=made.change_id)
    open_tab(page, "Review")
    page.wait_for_selector(".card[data-item='1']")
    page.click(".history summary")
    page.wait_for_function("document.querySelectorAll('.events li').length === 3")
    first, correct, undone = page.locator(".events li").all_inner_texts()
    assert "ana put in the queue, from tickets.csv, line 2" in first
    assert "lena correct: login (was none)" in correct
    assert f"change {made.change_id}, taken back since. {NASTY}" in correct
    assert "lena undone: no label (was login)" in undone
    assert page.locator(".events .is-undone").count() == 1
    assert page.evaluate("window.pwned") is None
    page.keyboard.press("s")
    page.wait_for_selector(".card[data-item='2']")
    assert page.locator(".events li").count() == 0, "the next card's history is folded"


@pytest.mark.parametrize("width", [1280, 400])
def test_plans_that_wait_are_announced_and_the_way_to_them_shown(
    page: Any, queued: Desk, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    for to in ("login", "billing"):
        agent = queued.as_("rita", "reviewer", person=False).actor
        queued.workbench.propose(
            "bulk_label", {"databit": "support", "verdict": "label", "to": to}, agent
        )
    open_tab(page, "Review")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.wait_for_selector(".plans >> text=2 plans wait for a person.")
    page.click(".plans button")
    page.wait_for_selector(".plan-body >> text=rita, plan 2")
    assert page.locator(".plan-body").count() == 2


def test_the_list_of_changes_says_what_was_touched_and_why_it_stays(
    page: Any, queued: Desk
) -> None:
    queued("correct_labels", databit="support", items=list(range(1, len(TICKETS))), label="login")
    open_tab(page, "History")
    page.wait_for_selector("#changes >> text=17 items (item 1, item 2, item 3, …), 17 decisions")
    imported = page.locator("#changes tr", has_text="source tickets, 18 records")
    assert imported.locator("button[data-undo]").count() == 0
    imported.locator("summary").click()
    page.wait_for_selector("#changes >> text=queue_items by ana) rest on it.")


def test_lineage_says_where_an_item_was_read(page: Any, queued: Desk) -> None:
    open_tab(page, "History")
    page.wait_for_selector("#changes table")
    page.fill("#asset input", "item:3")
    page.press("#asset input", "Enter")
    page.wait_for_selector("#lineage >> text=item:3 was read from tickets.csv, line 4.")
