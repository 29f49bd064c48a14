"""Every tab opens, shows what is there, and its buttons do what they say."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Desk
from tests.ui.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def served(labelled: Desk) -> Iterator[Served]:
    labelled("assemble_dataset", databit="support")
    with Served(labelled.workbench) as running:
        yield running


def open_tab(page: Any, name: str) -> None:
    tab = page.locator(f"button[role=tab]:visible:has-text('{name}')")
    if not tab.count():  # narrow screens keep some under a button
        page.click(".overflow-menu > button")
        tab = page.locator(f".overflow-dropdown button:has-text('{name}')")
    tab.first.click()


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (400, 800)])
def test_every_tab_shows_what_is_there(page: Any, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    for tab, sign in (
        ("Board", "#board >> text=support@1"),
        ("Monitor", "text=Nothing is deployed yet"),
        ("Approvals", "text=Nothing waits for approval"),
        ("History", "#lineage svg"),
        ("Review", ".end:has-text('All done')"),
    ):
        open_tab(page, tab)
        page.wait_for_selector(sign)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab


def test_a_change_is_undone_by_its_button(page: Any, labelled: Desk) -> None:
    open_tab(page, "History")
    newest = labelled("list_changes", operation="assemble_dataset").rows[0].id
    page.click(f"button[data-undo='{newest}']")
    page.wait_for_selector(f"text=Change {newest} (assemble_dataset) was undone")
    assert labelled("list_datasets").total == 0


def test_a_change_that_others_rest_on_says_so(page: Any, labelled: Desk) -> None:
    open_tab(page, "History")
    first = labelled("list_changes", operation="queue_items").rows[0].id
    row = page.locator("#changes tr", has_text="queue items")
    row.locator("summary").click()
    page.wait_for_selector(f"text=Change {first} can not be undone")
    assert row.locator("button").count() == 0


def test_the_audit_log_is_shown_and_checked(page: Any) -> None:
    open_tab(page, "History")
    page.click("button:has-text('Audit log')")
    page.wait_for_selector("#audit >> text=correct labels")
    page.click("text=Check that nobody has changed the log")
    page.wait_for_selector("#verdict >> text=Intact")


def test_the_board_follows_what_happens_elsewhere(page: Any, labelled: Desk) -> None:
    open_tab(page, "Board")
    page.wait_for_selector("#board >> text=support@1")
    labelled("create_databit", name="elsewhere", labels=["a", "b"])
    page.wait_for_selector("#board td:has-text('elsewhere')")
