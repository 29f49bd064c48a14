"""The chat in a real browser: a message, a plan, a person's click, and what the store holds then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from databits.store import Store
from tests.conftest import TICKETS, Desk
from tests.ui.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.browser]
CONFIDENT = {n for n in range(1, len(TICKETS) + 1) if 0.3 + n / 30 >= 0.5}


@pytest.fixture
def served(queued: Desk) -> Iterator[Served]:
    def write(store: Store) -> None:
        store.tx.begin_change("prelabel_items", "engine", "test")
        found = [(n, topic, 0.3 + n / 30, "similar") for n, (_, topic) in enumerate(TICKETS, 1)]
        store.items.suggest(found, "test", None)
        store.tx.end_change()

    queued.workbench.database.write(write)
    with Served(queued.workbench) as running:
        yield running


def say(page: Any, text: str) -> None:
    page.fill("#box textarea", text)
    page.press("#box textarea", "Enter")


def answered(page: Any, text: str) -> None:
    page.wait_for_selector(f"#bot >> text={text}")


def press_button(page: Any, label: str) -> None:
    page.click(f"#bot .option:text-is('{label}')")


def approved(desk: Desk) -> set[int]:
    return {
        item.id for item in desk("list_items", databit="support", state="approved", limit=100).rows
    }


def test_a_message_becomes_a_plan_and_a_click_carries_it_out(page: Any, queued: Desk) -> None:
    say(page, "approve everything in support above 0.5")
    answered(page, "A person must approve this first.")
    answered(page, f"Approve {len(CONFIDENT)} undecided items of support")
    assert approved(queued) == set()
    press_button(page, "Approve")
    answered(page, f"{len(CONFIDENT)} decided")
    assert approved(queued) == CONFIDENT
    events = queued("search_audit", limit=50).rows
    decided = next(e for e in events if e.operation == "decide_approval")
    assert (decided.actor, decided.surface, decided.client) == ("ana", "chat", "databits-page")
    done = next(e for e in events if e.operation == "bulk_label" and e.outcome == "ok")
    assert done.client == "databits-agent"
    assert done.plan_id == decided.plan_id or decided.plan_id is None


def test_a_rejected_plan_does_nothing(page: Any, queued: Desk) -> None:
    say(page, "approve everything in support above 0.5")
    press_button(page, "Reject")
    answered(page, "Rejected: Approve")
    page.wait_for_function("() => document.querySelectorAll('#bot .option').length > 0")
    assert approved(queued) == set()
    assert queued("list_approvals", state="rejected").total == 1


def test_a_plan_that_moved_on_is_not_carried_out(page: Any, queued: Desk) -> None:
    say(page, "approve everything in support above 0.5")
    answered(page, "A person must approve this first.")
    queued("reject_items", databit="support", items=[18])
    press_button(page, "Approve")
    answered(page, "has changed, so it is stale and nothing was done")
    assert approved(queued) == set()


def test_a_reload_and_the_approvals_page_both_keep_a_plan(page: Any, queued: Desk) -> None:
    say(page, "approve everything in support above 0.5")
    answered(page, "A person must approve this first.")
    page.reload()
    answered(page, "A person must approve this first.")
    page.click("button[role=tab]:has-text('Approvals')")
    page.click("button:visible:text-is('Approve')")
    answered(page, f"{len(CONFIDENT)} decided")
    assert approved(queued) == CONFIDENT


def test_plans_of_other_clients_are_decided_on_the_approvals_page(page: Any, queued: Desk) -> None:
    agent = queued.as_("ana", "admin", person=False)
    agent.workbench.run("bulk_label", {"databit": "support", "min_confidence": 0.8}, agent.actor)
    page.click("button[role=tab]:has-text('Approvals')")
    page.wait_for_selector("text=Approve 4 undecided items of support")
    page.click("button:visible:text-is('Approve')")
    answered(page, "4 decided")
    assert len(approved(queued)) == 4


def test_a_dropped_file_is_imported(page: Any, queued: Desk, tmp_path: Path) -> None:
    path = tmp_path / "more tickets.csv"
    path.write_text("text\nA new one that nobody has seen\n", encoding="utf-8")
    page.set_input_files("#box input[type=file]", str(path))
    page.wait_for_selector("#box .thumbnail-item")
    page.press("#box textarea", "Enter")
    answered(page, "1 added")
    kept = queued.workbench.settings.home / "uploads" / "more-tickets.csv"
    assert kept.exists()
    assert [s.name for s in queued("list_sources").rows] == ["tickets", "more-tickets"]


def test_a_long_run_is_followed_to_its_end(page: Any, queued: Desk) -> None:
    queued("correct_labels", databit="support", items=list(range(1, 7)), label="billing")
    queued("correct_labels", databit="support", items=list(range(7, 13)), label="login")
    say(page, "assemble a dataset from support")
    answered(page, "is done")
    assert queued("list_datasets").total == 1
    page.wait_for_selector("#bot .option:has-text('Train on support@1')")


def test_what_an_item_says_is_shown_and_never_obeyed(
    page: Any, queued: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "nasty.csv"
    text = "<img src=x onerror=window.pwned=1> ![i](http://evil.example/i.png) [go](http://evil.example)"
    path.write_text(f'text\n"{text}"\n', encoding="utf-8")
    queued("import_files", path=str(path))
    say(page, "show the records of nasty")
    answered(page, "onerror")
    assert page.evaluate("window.pwned") is None
    assert page.locator("#bot a[href*=evil], #bot img[src*=evil], #bot img[src=x]").count() == 0


def test_a_new_chat_greets_and_the_old_one_is_found_again(page: Any) -> None:
    answered(page, "Welcome.")
    say(page, "list databits")
    answered(page, "List databits")
    page.click("#new-chat")
    page.wait_for_function(
        "() => !document.querySelector('#bot').innerText.includes('list databits')"
    )
    page.wait_for_function(
        "() => document.querySelector('#earlier input').value.startsWith('This')"
    )
    page.click("#earlier input")
    page.click("[role=option]:has-text('list databits')")
    answered(page, "list databits")
