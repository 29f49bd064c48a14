import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from databits.assemble import SplitRow, split
from databits.readers import comparison_key, read_file
from ui.demo import tickets as demo

Make = Callable[..., list[demo.Ticket]]

CSV = Path(demo.__file__).with_name("tickets.csv")


def test_the_committed_file_is_what_the_generator_writes(tmp_path: Path) -> None:
    out = tmp_path / "tickets.csv"
    subprocess.run([sys.executable, "-m", "ui.demo.tickets", out], check=True)
    assert CSV.read_bytes() == out.read_bytes()
    assert CSV.stat().st_size <= 150_000


def test_the_committed_file_is_read_without_a_problem() -> None:
    read = read_file(CSV)
    assert (len(read.records), read.problems, read.text_column) == (480, [], "text")
    assert [record.text for record in read.records] == [row["text"] for row in demo.tickets()]


@pytest.mark.parametrize("make", [demo.tickets, demo.live_traffic])
def test_equal_arguments_give_equal_tickets(make: Make) -> None:
    assert make(60, 3) == make(60, 3) != make(60, 4)
    assert len(make(60)) == 60
    assert make(0) == []


def test_tickets_are_numbered_dated_in_order_and_never_empty() -> None:
    for rows in (demo.tickets(), demo.live_traffic()):
        assert len({row["id"] for row in rows}) == len(rows)
        received = [row["received_at"] for row in rows]
        assert received == sorted(received)
        assert all(tuple(row) == demo.COLUMNS and all(row.values()) for row in rows)
        assert not any(set("{}[]|") & set(row["text"]) for row in rows)


def test_every_topic_is_there_and_none_is_rare() -> None:
    counts = Counter(row["topic"] for row in demo.tickets())
    assert set(counts) == set(demo.TOPICS)
    assert len(counts) == 8
    assert min(counts.values()) >= 25


def test_the_sample_has_duplicates_and_made_up_personal_data() -> None:
    texts = [row["text"] for row in demo.tickets()]
    repeated = len(texts) - len(set(map(comparison_key, texts)))
    assert 4 <= repeated <= 20
    signed = [text for text in texts if "@" in text]
    assert 3 <= len(signed) <= 20
    assert all("@example.com" in text.lower() for text in signed)


def accuracy_on_test_and_live_halves() -> tuple[float, float, float]:
    rows = demo.tickets()
    texts, topics = [row["text"] for row in rows], [row["topic"] for row in rows]
    items = [SplitRow(i, None, *pair) for i, pair in enumerate(zip(texts, topics, strict=True))]
    splits = split(items, seed=1)
    train = [i for i in splits if splits[i] == "train"]
    held_out = [i for i in splits if splits[i] == "test"]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=500),
    )
    model.fit([texts[i] for i in train], [topics[i] for i in train])
    live = demo.live_traffic()
    half = len(live) // 2
    tested = model.score([texts[i] for i in held_out], [topics[i] for i in held_out])
    calm, stormy = (
        model.score([row["text"] for row in part], [row["topic"] for row in part])
        for part in (live[:half], live[half:])
    )
    return float(tested), float(calm), float(stormy)


def test_topics_can_be_learnt_but_not_perfectly_and_the_drift_costs_accuracy() -> None:
    tested, calm, stormy = accuracy_on_test_and_live_halves()
    assert 0.82 <= tested <= 0.97
    assert stormy < calm - 0.05


def test_the_second_half_of_the_traffic_is_about_the_app_and_shorter() -> None:
    live = demo.live_traffic()
    calm, stormy = live[:80], live[80:]
    assert sum("app" in row["text"].split() for row in stormy) > 20
    assert not any("app" in row["text"].lower().split() and "5.2" in row["text"] for row in calm)
    lengths = [sum(len(row["text"]) for row in part) / len(part) for part in (calm, stormy)]
    assert lengths[1] < 0.6 * lengths[0]
