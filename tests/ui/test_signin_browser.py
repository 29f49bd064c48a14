"""A person signs in, decides in their own name, and leaves."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.accounts import PASSWORD, add_account
from tests.conftest import Desk
from tests.ui.conftest import PATIENCE_MS, Served
from tests.ui.test_tabs_browser import open_tab

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def served(queued: Desk) -> Iterator[Served]:
    add_account(queued.workbench, "bea", "reviewer")
    add_account(queued.workbench, "carl", "labeler")
    with Served(queued.workbench) as running:
        yield running


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Any]:
    """Opens the page as somebody new, in a browser of their own; no script of it may fail."""
    contexts: list[Any] = []
    problems: list[str] = []

    def come() -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{served.url}/ui/")
        return page

    yield come
    for context in contexts:
        context.close()
    assert not problems, f"scripts of the page failed: {problems}"


def sign_in(page: Any, name: str, password: str = PASSWORD) -> None:
    """With the keyboard alone: the form has the focus where it is needed."""
    page.wait_for_selector("input[name=name]:focus")
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_a_reviewer_signs_in_decides_in_their_own_name_and_leaves(visit: Any, queued: Desk) -> None:
    page = visit()
    assert page.url.endswith("/sign-in")
    sign_in(page, "bea", "wrong")
    page.wait_for_selector("#problem:has-text('The name or the password is wrong.')")
    page.wait_for_selector("input[name=password]:focus")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".top .who:has-text('bea, reviewer')")
    open_tab(page, "Review")
    page.wait_for_selector(".card:visible .item-text:not(:empty)")
    page.keyboard.press("1")
    page.wait_for_selector("text=1 decided")
    [change] = queued("list_changes", operation="correct_labels").rows
    assert change.actor == "bea"
    cookies = {c["name"]: c for c in page.context.cookies()}
    [session] = [c for name, c in cookies.items() if name.startswith("databits-")]
    assert session["httpOnly"]
    assert session["sameSite"] == "Strict"
    page.click("text=Sign out")
    page.wait_for_selector("input[name=name]")
    assert not page.context.cookies()
    page.go_back()
    page.goto(page.url.replace("/sign-in", "/ui/"))
    page.wait_for_selector("input[name=name]")


def test_two_people_at_once_see_and_do_only_their_own(visit: Any, queued: Desk) -> None:
    pages = {}
    for name in ("bea", "carl"):
        pages[name] = visit()
        sign_in(pages[name], name)
    for name, role in (("bea", "reviewer"), ("carl", "labeler")):
        pages[name].wait_for_selector(f".top .who:has-text('{name}, {role}')")
        pages[name].wait_for_selector("#bot >> text=support")
        pages[name].fill("#box textarea", f"list databits for {name}")
        pages[name].keyboard.press("Enter")
    for name in pages:
        pages[name].wait_for_selector("#bot table")
    for name, other in (("bea", "carl"), ("carl", "bea")):
        page = pages[name]
        page.reload()
        page.wait_for_selector("#bot table")
        page.click("#earlier input")
        page.wait_for_selector(f"text=list databits for {name}")
        assert other not in page.inner_text("body")
    for name in pages:
        pages[name].keyboard.press("Escape")
        pages[name].fill(
            "#box textarea", f"create a databit called {name}s with the labels a and b"
        )
        pages[name].keyboard.press("Enter")
    done = {("bea", "ok"), ("carl", "refused")}  # each with their own role, too
    until = time.monotonic() + 240
    while time.monotonic() < until and created(queued) != done:
        time.sleep(0.2)
    assert created(queued) == done


def created(desk: Desk) -> set[tuple[str, str]]:
    """(person, outcome) of what the assistant was told to create."""
    events = desk("search_audit", operation="create_databit", limit=50).rows
    return {(e.actor, e.outcome) for e in events if e.client == "databits-agent"}


def test_a_page_that_outlives_its_session_asks_to_sign_in(visit: Any, served: Served) -> None:
    page = visit()
    sign_in(page, "bea")
    page.wait_for_selector(".top .who:has-text('bea')")
    page.context.clear_cookies()
    open_tab(page, "Board")
    page.wait_for_selector("input[name=name]")
