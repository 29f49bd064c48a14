import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databits.assemble import Leak, Split, SplitRow, content_hash, leaks, split
from databits.errors import Invalid
from databits.readers import comparison_key

LABELS = ("bug", "login", "refund", "rare")


@st.composite
def data_sets(draw: st.DrawFn, smallest: int = 1, largest: int = 60) -> list[SplitRow]:
    """Rows with repeated texts, groups that mix labels, and labels of very unequal size."""
    size = draw(st.integers(smallest, largest))
    chance = random.Random(draw(st.integers(0, 2**32)))
    rows = []
    for number in range(size):
        text = f"Ticket {chance.randrange(size)}" if chance.random() < 0.1 else f"ticket {number} x"
        group = f"customer {chance.randrange(size)}" if chance.random() < 0.3 else None
        rows.append(SplitRow(number, group, text, chance.choices(LABELS, (50, 30, 18, 2))[0]))
    return rows


def shares_of(found: dict[int, Split]) -> dict[str, float]:
    return {name: count / len(found) for name, count in Counter(found.values()).items()}


def inbox(n: int, seed: int = 0) -> list[SplitRow]:
    chance = random.Random(seed)
    return [SplitRow(i, None, f"ticket {i}", chance.choice(LABELS)) for i in range(n)]


@given(data_sets(), st.integers())
def test_every_row_is_in_one_split_whatever_the_order_of_rows(
    rows: list[SplitRow], seed: int
) -> None:
    found = split(rows, seed=seed)
    assert found.keys() == {row.item_id for row in rows}
    assert found == split(rows[::-1], seed=seed)
    assert found == split(random.Random(seed).sample(rows, len(rows)), seed=seed)


@given(data_sets(), st.integers())
def test_no_text_and_no_group_is_in_two_splits(rows: list[SplitRow], seed: int) -> None:
    found = split(rows, shares={"train": 0.6, "validation": 0.2, "test": 0.2}, seed=seed)
    assert leaks(rows, found) == []
    places: dict[str, set[str]] = {}
    for row in rows:
        places.setdefault(comparison_key(row.text), set()).add(found[row.item_id])
    assert all(len(splits) == 1 for splits in places.values())


@given(data_sets(), st.integers())
def test_every_label_is_in_train(rows: list[SplitRow], seed: int) -> None:
    found = split(rows, seed=seed)
    learnt = {row.label for row in rows if found[row.item_id] == "train"}
    assert learnt == {row.label for row in rows}


@settings(max_examples=25)
@given(data_sets(200, 300), st.integers())
def test_shares_are_met_within_five_points_from_two_hundred_rows_on(
    rows: list[SplitRow], seed: int
) -> None:
    asked = {"train": 0.7, "validation": 0.1, "test": 0.2}
    found = shares_of(split(rows, shares=asked, seed=seed))
    assert all(abs(found.get(name, 0) - share) < 0.05 for name, share in asked.items())


def test_single_rows_are_split_by_label_to_within_a_row() -> None:
    rows = inbox(500)
    found = split(rows, seed=1)
    for label in LABELS:
        own = [row.item_id for row in rows if row.label == label]
        held_out = sum(found[item] == "test" for item in own)
        assert abs(held_out - 0.2 * len(own)) <= 1


def test_many_small_labels_still_give_a_test_split() -> None:
    rows = [SplitRow(i, None, f"ticket {i}", f"label {i // 2}") for i in range(200)]
    assert shares_of(split(rows, seed=3)) == {"train": 0.8, "test": 0.2}


def test_a_label_of_one_group_is_learnt_from_and_never_tested_on() -> None:
    rows = [
        SplitRow(i, "one customer" if i < 50 else None, f"t {i}", str(i < 50)) for i in range(100)
    ]
    found = split(rows, seed=5)
    assert {found[i] for i in range(50)} == {"train"}


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(200, 500))
def test_growing_by_a_tenth_moves_few_rows(seed: int, n: int) -> None:
    rows = inbox(n + n // 10, seed)
    before, after = split(rows[:n], seed=seed), split(rows, seed=seed)
    moved = sum(before[item] != after[item] for item in before)
    assert moved <= 0.05 * n


def test_another_seed_gives_another_split_and_a_split_left_out_gets_none() -> None:
    rows = inbox(100)
    assert split(rows, seed=1) != split(rows, seed=2)
    assert set(split(rows, seed=1).values()) == {"train", "test"}
    assert set(split(rows, shares={"train": 1.0}, seed=1).values()) == {"train"}


@pytest.mark.parametrize(
    ("rows", "shares", "says"),
    [
        ([], {"train": 0.8, "test": 0.2}, "no rows"),
        (inbox(3) + inbox(2), {"train": 0.8, "test": 0.2}, "2 rows repeat"),
        (inbox(3), {"train": 0.8, "dev": 0.2}, "train, validation and test"),
        (inbox(3), {"train": 0.8, "test": 0.3}, "together 1"),
        (inbox(3), {"train": 1.2, "test": -0.2}, "0 or more"),
        (inbox(3), {"train": float("nan"), "test": 0.2}, "together 1"),
        (inbox(3), {}, "together 1"),
        (inbox(3), {"test": 1.0}, "train is 0"),
    ],
)
def test_what_cannot_be_split_is_refused(
    rows: list[SplitRow], shares: dict[str, float], says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        split(rows, shares=shares, seed=0)


def test_leaks_name_the_rows_and_the_splits() -> None:
    rows = [
        SplitRow(1, "anna", "Same  TEXT", "a"),
        SplitRow(2, None, "same text", "b"),
        SplitRow(3, "anna", "other", "a"),
        SplitRow(4, None, "same text", "a"),
    ]
    splits: dict[int, Split] = {1: "train", 2: "test", 3: "validation"}
    assert leaks(rows, splits) == [
        Leak("duplicate", (1, 2), ("test", "train")),
        Leak("group", (1, 3), ("train", "validation")),
    ]


@given(data_sets())
def test_the_hash_is_of_the_content_and_not_of_its_order(rows: list[SplitRow]) -> None:
    found = split(rows, seed=1)
    digest = content_hash(rows, found, {"seed": 1, "query": "a"})
    assert digest == content_hash(rows[::-1], found, {"query": "a", "seed": 1})
    assert digest != content_hash(rows, found, {"seed": 2, "query": "a"})
    assert digest != content_hash([rows[0]._replace(text="!"), *rows[1:]], found, {"seed": 1})
    other: dict[int, Split] = {**found, rows[0].item_id: "validation"}
    assert digest != content_hash(rows, other, {"seed": 1, "query": "a"})


def test_a_row_without_a_split_and_a_recipe_that_is_not_json_are_not_hashed() -> None:
    with pytest.raises(Invalid, match="Item 0 has no split"):
        content_hash(inbox(1), {}, {})
    with pytest.raises(Invalid, match="recipe"):
        content_hash(inbox(1), {0: "train"}, {"filter": object()})
