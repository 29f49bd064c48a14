"""The review page in a real browser: what the keys do is what the store holds."""

from collections.abc import Iterator
from typing import Any

import pytest

from databits.store import Store
from tests.conftest import TICKETS, Desk
from tests.ui.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def served(suggested: Desk) -> Iterator[Served]:
    with Served(suggested.workbench) as running:
        yield running


@pytest.fixture
def suggested(queued: Desk) -> Desk:
    """Every item has a suggestion: the right label, with a confidence that orders them by id."""

    def write(store: Store) -> None:
        store.tx.begin_change("prelabel_items", "engine", "test")
        found = [(n, topic, 0.3 + n / 100, "similar") for n, (_, topic) in enumerate(TICKETS, 1)]
        store.items.suggest(found, "test", None)
        store.tx.end_change()

    queued.workbench.database.write(write)
    return queued


def open_review(page: Any) -> None:
    page.click("button[role=tab]:has-text('Review')")
    page.wait_for_selector(".card[data-item='1']")


def shown(page: Any) -> int:
    return int(page.get_attribute(".card", "data-item"))


def press(page: Any, key: str) -> None:
    """Press a key and wait until another item shows."""
    before = shown(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "(before) => document.querySelector('.card').dataset.item !== before", arg=str(before)
    )


def saved(page: Any, count: int) -> None:
    """Wait until so many decisions are on record."""
    page.wait_for_function(
        "(n) => JSON.parse(sessionStorage.getItem('databits-undo-support') || '[]').length === n",
        arg=count,
    )


def state(desk: Desk, item: int) -> tuple[str, str | None]:
    found = desk("get_item", item=item)
    return found.state, found.label


def test_ten_items_by_keyboard_and_the_store_holds_exactly_that(page: Any, suggested: Desk) -> None:
    open_review(page)
    for key in ("a", "Enter", "a", "2", "3", "r", "s", "a", "1", "A"):
        press(page, key)
    saved(page, 10)
    decided = {n: state(suggested, n) for n in range(1, 12)}
    assert decided == {
        1: ("approved", "billing"),
        2: ("approved", "billing"),
        3: ("approved", "billing"),
        4: ("approved", "login"),
        5: ("approved", "shipping"),
        6: ("rejected", None),
        7: ("skipped", None),
        8: ("approved", "login"),
        9: ("approved", "billing"),
        10: ("approved", "login"),
        11: ("open", None),
    }
    history = suggested("get_item", item=4).history
    assert [(e.kind, e.by, e.via) for e in history][-1] == ("correct", "ana", "review")
    changes = suggested("list_changes", limit=50).rows
    made = [c.operation for c in reversed(changes) if c.surface == "review"]
    assert [name for name in made if name != "claim_items"] == [
        *("approve_labels",) * 3,
        *("correct_labels",) * 2,
        "reject_items",
        "skip_items",
        "approve_labels",
        "correct_labels",
        "approve_labels",
    ]


def test_undo_brings_the_items_back_one_by_one(page: Any, suggested: Desk) -> None:
    open_review(page)
    for key in ("a", "2", "r"):
        press(page, key)
    saved(page, 3)
    for item in (3, 2):
        page.keyboard.press("u")
        page.wait_for_selector(f".card[data-item='{item}']")
        assert state(suggested, item) == ("open", None)
    assert state(suggested, 1) == ("approved", "billing")
    press(page, "a")
    saved(page, 2)
    assert state(suggested, 2) == ("approved", "billing")
    undone = [c for c in suggested("list_changes", limit=50).rows if c.state == "undone"]
    assert {c.operation for c in undone} == {"correct_labels", "reject_items"}


def test_undo_reaches_past_a_reload(page: Any, suggested: Desk) -> None:
    open_review(page)
    press(page, "a")
    saved(page, 1)
    page.reload()
    page.wait_for_selector("#box textarea")
    page.click("button[role=tab]:has-text('Review')")
    page.wait_for_selector(".card[data-item='2']")
    page.keyboard.press("u")
    page.wait_for_selector(".card[data-item='1']")
    assert state(suggested, 1) == ("open", None)


def test_what_somebody_else_decided_meanwhile_is_said_and_nothing_is_lost(
    page: Any, suggested: Desk
) -> None:
    open_review(page)
    suggested("approve_labels", databit="support", items=[1])
    press(page, "a")
    page.wait_for_selector(".notice:has-text('approved already')")
    assert shown(page) == 2
    press(page, "a")
    assert shown(page) == 1  # it comes back with the reason, to be skipped or corrected
    press(page, "2")
    saved(page, 2)
    assert state(suggested, 1) == ("approved", "login")


def test_the_end_says_what_comes_next_and_offers_the_skipped(page: Any, suggested: Desk) -> None:
    suggested("approve_labels", databit="support", items=list(range(3, len(TICKETS) + 1)))
    open_review(page)
    press(page, "s")
    page.keyboard.press("a")
    page.wait_for_selector(".end:has-text('All done')")
    page.click("text=Look at skipped items")
    page.wait_for_selector(".card[data-item='1']")
    page.keyboard.press("2")
    saved(page, 3)
    assert state(suggested, 1) == ("approved", "login")
    assert state(suggested, 2) == ("approved", "billing")


def test_keys_type_where_one_types_and_sleep_where_nobody_looks(page: Any, suggested: Desk) -> None:
    open_review(page)
    page.click("button[role=tab]:has-text('Chat')")
    page.fill("#box textarea", "")
    page.press("#box textarea", "a")
    page.keyboard.press("Escape")
    page.click("h1")
    page.keyboard.press("r")
    page.click("button[role=tab]:has-text('Review')")
    page.wait_for_selector(".card[data-item='1']")
    assert state(suggested, 1) == ("open", None)


def test_an_item_can_not_become_markup_or_script(page: Any, suggested: Desk, tmp_path: Any) -> None:
    nasty = "<img src=x onerror=window.pwned=1> ${window.pwned=2} {{constructor}}"
    path = tmp_path / "nasty.csv"
    path.write_text(f'text\n"{nasty}"\n', encoding="utf-8")
    suggested("import_files", path=str(path))
    suggested("create_databit", name="odd", labels=[nasty[:40], "plain"])
    suggested("queue_items", databit="odd", source="nasty")
    page.click("button[role=tab]:has-text('Review')")
    page.wait_for_selector(".card[data-item='1']")
    page.select_option(".pick", "odd")
    page.wait_for_function(
        "(text) => document.querySelector('.item-text').textContent === text", arg=nasty
    )
    page.click("button[role=tab]:has-text('Board')")
    page.wait_for_selector("#board >> text=onerror")
    assert page.evaluate("window.pwned") is None


def test_an_item_without_a_suggestion_asks_for_a_label_and_offers_nothing_to_approve(
    page: Any, suggested: Desk
) -> None:
    open_review(page)
    assert page.is_visible(".card [data-verb='approve']")
    suggested.tamper("UPDATE items SET suggestion = NULL, confidence = NULL WHERE id = 2")
    page.reload()
    open_review(page)
    press(page, "a")
    assert not page.is_visible(".card [data-verb='approve']")
    assert page.inner_text(".card .or") == "Choose the label"
    press(page, "1")
    saved(page, 2)
    assert state(suggested, 2) == ("approved", "billing")
    assert page.is_visible(".card [data-verb='approve']")


def test_many_labels_are_found_by_typing(page: Any, suggested: Desk) -> None:
    suggested("create_databit", name="wide", labels=[f"topic {n:02d}" for n in range(1, 31)])
    suggested("queue_items", databit="wide", source="tickets")
    page.click("button[role=tab]:has-text('Review')")
    page.wait_for_selector(".card[data-item='1']")
    page.select_option(".pick", "wide")
    page.wait_for_selector(f".card[data-item='{len(TICKETS) + 1}']")
    page.keyboard.press("/")
    page.keyboard.type("27")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".card[data-item='{len(TICKETS) + 2}']")
    page.wait_for_function("sessionStorage.getItem('databits-undo-wide')")
    assert state(suggested, len(TICKETS) + 1) == ("approved", "topic 27")


def test_the_next_card_shows_before_the_server_has_answered(page: Any, suggested: Desk) -> None:
    open_review(page)
    held: list[Any] = []
    page.route("**/component_server**", lambda route: held.append(route))
    for expected in (2, 3, 4):
        press(page, "a")
        assert shown(page) == expected
    assert state(suggested, 1)[0] == "open", "the decision is still on its way"
    assert held
    page.unroute("**/component_server**")  # lets go what is held
    saved(page, 3)
    assert [state(suggested, n)[0] for n in (1, 2, 3)] == ["approved"] * 3


def test_it_fits_a_phone(page: Any, suggested: Desk) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    open_review(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.click(".verb.lead")
    page.wait_for_selector(".card[data-item='2']")
