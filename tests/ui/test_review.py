"""What the review page's calls answer, without a browser."""

from typing import Any

import pytest

from databits.platforms.embedded import Embedded
from databits.settings import Settings
from databits.store import Store
from tests.conftest import Desk
from ui.review import Ask, Review, _answering


@pytest.fixture
def suggested(queued: Desk) -> Desk:
    def write(store: Store) -> None:
        store.tx.begin_change("prelabel_items", "engine", "test")
        store.items.suggest([(1, "billing", 0.4, "near billing")], "test", None)
        store.tx.end_change()

    queued.workbench.database.write(write)
    return queued


def test_a_card_says_what_is_suggested_how_sure_and_why(suggested: Desk) -> None:
    found = Review(suggested.workbench).open_queue(Ask())
    card = next(c for c in found["cards"] if c["id"] == 1)
    assert (card["suggestion"], card["confidence"]) == ("billing", 0.4)
    assert "least sure" in card["why"]
    assert card["rationale"] == "near billing"
    assert card["origin"] == "tickets.csv, line 2"
    assert (found["left"], found["total"]) == (18, 18)
    assert [label["name"] for label in found["labels"]] == ["billing", "login", "shipping"]


def test_a_labelers_approval_waits_for_a_reviewer(suggested: Desk) -> None:
    labeler = Embedded(Settings(home=suggested.workbench.settings.home, user="lea", role="labeler"))
    review = Review(labeler)
    assert review.open_queue(Ask())["can_reject"] is False
    review.decide(Ask(databit="support", item=1, verb="approve", label="billing"))
    assert suggested("get_item", item=1).state == "labeled"
    assert (
        "reviewer"
        in _answering(review.decide)({"databit": "support", "item": 2, "verb": "reject"})["error"]
    )
    labeler.database.close()


def test_nothing_to_review_says_what_to_do(workbench: Embedded) -> None:
    assert Review(workbench).open_queue(Ask()) == {
        "databits": [],
        "next": "Import a file or a folder.",
    }


@pytest.mark.parametrize(
    "sent",
    [None, [], {"item": "x"}, {"verb": "dance", "databit": "support", "item": 1}, {"item": 1}],
)
def test_whatever_a_browser_sends_is_answered_with_a_sentence(suggested: Desk, sent: Any) -> None:
    answer = _answering(Review(suggested.workbench).decide)(sent)
    assert answer["error"]
    assert "Traceback" not in answer["error"]
