"""Hostile items on the review page of a real browser: shown as text, and nothing of them runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from databits.readers.content import normalise_text
from databits.visible import visible
from tests.conftest import Desk
from tests.hostile import TEXTS, hidden, write
from tests.ui.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def hostile(desk: Desk, tmp_path: Path) -> Desk:
    desk("import_files", path=str(write(tmp_path)))
    desk("create_databit", name="hostile", labels=["good", "bad"])
    desk("queue_items", databit="hostile", source="hostile")
    return desk


@pytest.fixture
def served(hostile: Desk) -> Iterator[Served]:
    with Served(hostile.workbench) as running:
        yield running


def test_every_item_is_text_on_its_card_and_runs_nothing(page: Any, hostile: Desk) -> None:
    # The fixture `page` fails the test for a request to anywhere else and for a script's error.
    page.click("button[role=tab]:has-text('Review')")
    page.wait_for_selector(".card[data-item='1']")
    for n, text in enumerate(TEXTS[:-1], 1):  # the last fills a screen a thousand times
        page.wait_for_selector(f".card[data-item='{n}']")
        shown = page.evaluate("document.querySelector('.item-text').textContent")
        assert shown == visible(normalise_text(text))
        assert not hidden(shown)
        assert page.evaluate("document.querySelectorAll('.card script, .card img').length") == 0
        page.keyboard.press("s")
    assert page.evaluate("window.pwned") is None
    assert len(hostile("list_items", databit="hostile", state="skipped", limit=200).rows) > 0
    assert not hostile("list_items", databit="hostile", state="approved").rows
