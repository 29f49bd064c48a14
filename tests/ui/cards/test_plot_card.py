"""The plot card in the official bridge, with the demo's drifting traffic: what it draws is what was measured."""

import shutil
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Desk, MakeDesk
from tests.ui.cards.conftest import Card
from ui.demo import tickets

pytestmark = [pytest.mark.slow, pytest.mark.browser]
Show = Callable[[Desk], Card]
HOUR = 3_600_000_000
ENDPOINT = {"endpoint": "support"}


@pytest.fixture(scope="module")
def _deployed(tmp_path_factory: pytest.TempPathFactory, open_desk: MakeDesk) -> Path:
    """A workspace whose model was trained on the demo's tickets and asked its later traffic."""
    folder = tmp_path_factory.mktemp("watched")
    sample = tickets.tickets(240)
    tickets.write_csv(folder / "tickets.csv", sample)
    desk = open_desk(folder / "home")
    desk("import_files", path=str(folder / "tickets.csv"), source="tickets")
    desk("create_databit", name="support", labels=list(tickets.TOPICS))
    desk("queue_items", databit="support", source="tickets")
    topic = {t["text"]: t["topic"] for t in sample}
    items = desk("list_items", databit="support", limit=200).rows
    items += desk("list_items", databit="support", limit=200, after=items[-1].id).rows
    for label, some in groupby(sorted(items, key=lambda i: topic[i.text]), lambda i: topic[i.text]):
        desk("correct_labels", databit="support", items=[i.id for i in some], label=label)
    desk("assemble_dataset", databit="support")
    desk("launch_fine_tune", dataset="support@1")
    desk("deploy_model", model="support@1")
    traffic = [t["text"] for t in tickets.live_traffic()]
    for texts in (traffic[:80], traffic[80:]):
        desk("query_endpoint", endpoint="support", texts=texts)
    desk.workbench.database.close()
    return folder / "home"


@pytest.fixture
def watched(_deployed: Path, tmp_path: Path, open_desk: MakeDesk) -> Iterator[Desk]:
    """A copy of it; the requests came in evenly over the last day."""
    shutil.copytree(_deployed, tmp_path / "watched")
    desk = open_desk(tmp_path / "watched")
    desk.tamper(
        "UPDATE requests SET created_at = (SELECT MAX(created_at) FROM requests) "
        f"- {23 * HOUR} * ((SELECT MAX(id) FROM requests) - id) / (SELECT COUNT(*) FROM requests)"
    )
    yield desk
    desk.workbench.database.close()


def drawings(card: Card) -> list[str]:
    """What a screen reader says of each drawing."""
    card.frame.locator("#plots section").first.wait_for()
    found = card.frame.locator("#plots svg[role=img]")
    return [str(found.nth(n).get_attribute("aria-label")) for n in range(found.count())]


def table(card: Card, n: int) -> list[list[str]]:
    card.frame.locator("summary").nth(n).click()
    script = "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))"
    found: list[list[str]] = card.frame.locator("#plots table").nth(n).evaluate(script)
    return found


def marks(card: Card, n: int, kind: str) -> list[dict[str, float]]:
    """Position and size of the marks of a kind in a drawing."""
    script = "all => all.map(mark => mark.getBBox()).map(({x, y, width, height}) => ({x, y, width, height}))"
    drawing = card.frame.locator("#plots svg[role=img]").nth(n)
    found: list[dict[str, float]] = drawing.locator(f".{kind}").evaluate_all(script)
    return found


def test_drift_is_drawn_beside_the_training_data(watched: Desk, show: Show) -> None:
    card = show(watched).open("query_drift", ENDPOINT)
    found = card.opened["result"]["structuredContent"]
    assert found["verdict"] == "drift", "the demo's traffic does"
    card.shows("verdict", "Drift: what comes in differs from what the model was trained on.")
    card.shows("reason", found["reason"])
    labels, words = drawings(card)
    moved = found["moved_labels"][0]
    assert f"{moved['name']} " in labels
    assert "in the training data" in labels
    assert found["moved_words"][0]["name"] in words
    before, now = marks(card, 0, "before"), marks(card, 0, "now")
    assert len(before) == len(now) == len(found["moved_labels"])
    longest = max(found["moved_labels"], key=lambda share: share["now"])
    scale = now[found["moved_labels"].index(longest)]["width"] / longest["now"]
    for share, bar in zip(found["moved_labels"], now, strict=True):
        assert bar["width"] == pytest.approx(max(scale * share["now"], 1), abs=0.5)
    for share, bar in zip(found["moved_labels"], before, strict=True):
        assert bar["width"] == pytest.approx(max(scale * share["before"], 1), abs=0.5)
    head, *rows = table(card, 0)
    assert head == ["", "in the training data", "now"]
    assert [row[0] for row in rows] == [share["name"] for share in found["moved_labels"]]
    assert float(rows[0][2].split()[0]) == pytest.approx(100 * moved["now"], rel=0.01)


def test_metrics_are_drawn_over_time(watched: Desk, show: Show) -> None:
    watched.tamper("UPDATE requests SET status_code = 500, answer = NULL WHERE id % 20 = 0")
    card = show(watched).open("query_metrics", ENDPOINT)
    found = card.opened["result"]["structuredContent"]
    requests, latency, answers = drawings(card)
    assert requests.startswith("Requests, every 2 h, over 24 h: between ")
    assert latency.startswith("Latency in ms, 95 % are faster, over 24 h: between ")
    assert answers.startswith("Answers of support@1, share: ")
    bars, errors = marks(card, 0, "all"), marks(card, 0, "errors")
    answered = [span["requests"] - span["errors"] for span in found["over_time"]]
    scale = max(bar["height"] for bar in bars) / max(answered)
    assert [round(bar["height"] / scale) for bar in bars] == [n for n in answered if n]
    assert sum(round(bar["height"] / scale) for bar in errors) == found["errors"] > 0
    assert [bar["x"] for bar in bars] == sorted(bar["x"] for bar in bars)
    (usual,) = marks(card, 1, "usual")
    dots = marks(card, 1, "all")
    slow = [span["p95_ms"] > found["latency_ms"]["p95"] for span in found["over_time"]]
    above = [dot["y"] + dot["height"] / 2 < usual["y"] - 0.5 for dot in dots]
    assert above == slow, "the line of the whole stands where it belongs"
    texts = card.frame.locator("#plots svg[role=img]").first.locator("text").all_text_contents()
    assert texts[0] == "0"
    assert texts[-3:] == ["24 h ago", "12 h ago", "now"]
    head, *rows = table(card, 0)
    assert head == ["Begins", "answered", "errors"]
    assert [int(row[1]) for row in rows] == answered
    card.shows("figures", "160")
    card.shows("figures", f"{found['errors']} (5 %)")


def test_looking_again_asks_the_same_anew(watched: Desk, show: Show) -> None:
    card = show(watched).open("query_metrics", ENDPOINT | {"hours": 48})
    card.shows("figures", "160")
    watched("query_endpoint", endpoint="support", texts=["Where is my invoice?"])
    card.frame.get_by_role("button", name="Look again").click()
    card.shows("figures", "161")
    assert drawings(card)[0].startswith("Requests, every 4 h, over 2 d")
    card.page.evaluate("refuseCalls('the person said no')")
    card.frame.get_by_role("button", name="Look again").click()
    card.shows("warn", "the person said no")
    card.open("query_metrics", {"endpoint": "nothing"})
    card.shows("warn", "Not found: ")


def test_nothing_asked_and_too_little_are_said(watched: Desk, show: Show) -> None:
    card = show(watched).open("query_metrics", ENDPOINT | {"hours": 1e-9})
    card.shows("reason", "Nothing was asked in this time.")
    watched.tamper("DELETE FROM feedback")
    watched.tamper("DELETE FROM requests WHERE id > 5")
    card.open("query_drift", ENDPOINT)
    card.shows("verdict", "Too few requests to say")


def test_names_from_data_stay_text_and_it_fits_a_narrow_host(watched: Desk, show: Show) -> None:
    card = show(watched).open("query_drift", ENDPOINT)
    nasty = "<img src=x onerror=window.pwned=1><b>word</b> " + "long" * 40
    stored: dict[str, Any] = card.opened["result"]
    stored["structuredContent"]["moved_words"][0]["name"] = nasty
    card.page.set_viewport_size({"width": 360, "height": 900})
    card.open("query_drift", ENDPOINT, stored=stored, context={"theme": "dark"})
    assert nasty in drawings(card)[1]
    inside = card.page.frames[1]
    assert inside.evaluate("window.pwned") is None
    assert card.get("plots").locator("img, b").count() == 0
    assert table(card, 1)[1][0] == nasty
    assert inside.evaluate("document.documentElement.scrollWidth") <= 360
    ground = inside.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    card.page.evaluate("changeTheme('light')")
    inside.wait_for_function(
        f"getComputedStyle(document.documentElement).backgroundColor !== '{ground}'"
    )
