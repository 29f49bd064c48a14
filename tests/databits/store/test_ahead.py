"""What is read for a whole group of writes at once changes nothing but the time they take."""

import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import IntegrityError

from databits.actor import Actor
from databits.change import append
from databits.errors import DatabitsError, Invalid
from databits.store.database import Database
from databits.store.databits import LATEST, NEWEST
from databits.store.prepared import Prepared
from databits.store.shapes import now
from databits.store.tables import items, labels
from databits.template import LabelSpec, default_body
from tests.databits.store.test_database import calls_of_one_group, fill_queue, in_one_group

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases

PEOPLE = {"ana": "admin", "lena": "labeler", "rob": "reviewer", "rita": "reviewer"}
ROWS = 14


@pytest.fixture
def twins(desk: "Desk", tmp_path: Path) -> "Desk":
    """Two Databits, `support` and `other`, with the same records in their queues."""
    fill_queue(desk, tmp_path, ROWS)
    desk("create_databit", name="other", labels=["a", "b"])
    desk("queue_items", databit="other")
    return desk


def call(desk: "Desk", person: str, operation: str, databit: str, **said: Any) -> Any:
    return desk.as_(person, PEOPLE[person])(operation, databit=databit, **said)


def run_out(desk: "Desk", ids: list[int]) -> None:
    def write(store: Any) -> None:
        store.tx.begin_change("claim_items", "ana", "test")
        store.tx.update(items, {i: {"held_until": now() - 1} for i in ids})
        store.tx.end_change()

    desk.workbench.database.write(write)


def random_calls(dice: random.Random) -> list[tuple[str, str, dict[str, Any]]]:
    made: list[tuple[str, str, dict[str, Any]]] = []
    for _ in range(dice.randint(4, 12)):
        person = dice.choice(list(PEOPLE))
        if dice.random() < 0.5:
            made.append((person, "claim_items", {"count": dice.randint(1, 3)}))
            continue
        named = {"items": dice.sample(range(1, ROWS + 1), dice.randint(1, 3))}
        operation = dice.choice(
            ["correct_labels", "skip_items", "reject_items", "approve_labels", "release_items"]
        )
        more = {"label": dice.choice("ab")} if operation == "correct_labels" else {}
        made.append((person, operation, {**named, **more}))
    return made


def told(outcome: Any, first: int) -> Any:
    """An outcome without what differs between twins: ids count from the first item."""
    if isinstance(outcome, DatabitsError):
        return type(outcome).__name__
    assert not isinstance(outcome, Exception), outcome
    said = outcome.model_dump(exclude={"change_id", "databit"})
    for key in ("decided", "released", "not_yours"):
        if key in said:
            said[key] = sorted(i - first for i in said[key])
    if "skipped" in said:
        said["skipped"] = {i - first: why for i, why in said["skipped"].items()}
    for item in said.get("items", ()):
        item["id"] -= first
        del item["databit"]
    return said


def state(desk: "Desk", databit: str) -> list[dict[str, Any]]:
    """The items of a Databit without ids and times."""
    known = {row["item_id"]: [] for row in desk.rows(labels)}  # type: ignore[var-annotated]
    for row in desk.rows(labels):
        known[row["item_id"]].append((row["kind"], row["label"], row["actor"]))
    where = {"support": 0, "other": 1}[databit]
    mine = desk.rows(items)[where * ROWS : (where + 1) * ROWS]
    columns = ("record_id", "state", "label", "held_by", "decided_by")
    return [{**{c: row[c] for c in columns}, "said": known.get(row["id"])} for row in mine]


@pytest.mark.parametrize("seed", range(12))
def test_calls_of_one_group_end_as_they_would_one_after_the_other(twins: "Desk", seed: int) -> None:
    dice = random.Random(seed)
    firsts = {"support": 1, "other": 1 + ROWS}
    for databit in firsts:  # some claims that ran out, and some that stand
        taken = call(twins, "rita", "claim_items", databit, count=4).items
        run_out(twins, [item.id for item in taken[:2]])
    for _ in range(2):
        calls = random_calls(dice)
        apart = []
        for who, what, said in calls:
            try:
                apart.append(call(twins, who, what, "support", **said))
            except DatabitsError as error:
                apart.append(error)
        moved = [
            {**said, "items": [i + ROWS for i in said["items"]]} if "items" in said else said
            for *_, said in calls
        ]
        waiting = [
            partial(call, twins, who, what, "other", **said)
            for (who, what, _), said in zip(calls, moved, strict=True)
        ]
        together = calls_of_one_group(twins.workbench.database, *waiting)
        assert [told(o, firsts["other"]) for o in together] == [
            told(o, firsts["support"]) for o in apart
        ]
        assert state(twins, "other") == state(twins, "support")
    twins.check_images()
    assert twins("verify_audit").intact


def relabel(*labels: str, fail: bool = False) -> Any:
    """Gives a write that makes a version of `support` with these labels, and leaves an event."""

    def write(store: Any) -> None:
        target = store.databits.get("support")
        body = default_body("", [LabelSpec(name=label) for label in labels])
        store.tx.begin_change("revise_databit", "ana", "test")
        store.databits.add_version(target.databit_id, f"9.0.{labels[0]}", body, "ana")
        store.tx.end_change()
        assert store.databits.get("support").labels == list(labels)
        append(store, Actor("ana", "admin", "test"), "revise_databit", "", "ok")
        if fail:
            raise ZeroDivisionError

    return write


def test_a_databit_is_read_once_for_many_groups_until_anybody_writes_elsewhere(
    twins: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    database = twins.workbench.database
    asked: list[Prepared] = []
    for query in (LATEST, NEWEST):
        run = query.on
        monkeypatch.setattr(query, "on", lambda d, q=query, run=run: asked.append(q) or run(d))

    def looks(label: str, item: int) -> int:
        """How often the Databit was read while an item of it was decided."""
        asked.clear()
        decided = call(twins, "rob", "correct_labels", "support", items=[item], label=label)
        assert decided.decided == [item]
        return len(asked)

    assert looks("a", 1) == 1
    assert looks("b", 2) == 0
    assert looks("a", 3) == 0
    other = Database(str(twins.workbench.settings.url))  # as another process has it
    other.write(relabel("c", "d"))
    assert looks("c", 4) == 1
    assert looks("d", 5) == 1, "it may write again"
    assert looks("c", 5) == 0
    with pytest.raises(ZeroDivisionError):  # what it made is taken back, and so is what it knew
        database.write(relabel("x", "y", fail=True))
    with pytest.raises(Invalid, match="Its labels: c, d"):
        looks("x", 6)
    assert looks("d", 6) == 0
    other.close()


def test_a_row_that_breaks_a_rule_when_the_group_is_written_takes_only_its_write_back(
    twins: "Desk",
) -> None:
    database = twins.workbench.database

    def label_of_nothing(store: Any) -> None:
        store.tx.begin_change("correct_labels", "ana", "test")
        row = {"kind": "correct", "label": "a", "reason": "", "actor": "ana", "surface": "test"}
        store.tx.insert(labels, [{"item_id": 10**9, **row, "created_at": now()}])
        store.tx.end_change()

    first, broken, second = calls_of_one_group(
        database,
        partial(call, twins, "rita", "claim_items", "support"),
        partial(database.write, label_of_nothing),
        partial(call, twins, "rob", "correct_labels", "support", items=[9], label="b"),
    )
    assert isinstance(broken, IntegrityError)
    assert [item.id for item in first.items] == [1]
    assert second.decided == [9]
    assert [row["item_id"] for row in twins.rows(labels)] == [9]
    twins.check_images()
    assert twins("verify_audit").intact


def test_an_argument_that_no_database_takes_spoils_nobody_elses_call(twins: "Desk") -> None:
    outcomes = calls_of_one_group(
        twins.workbench.database,
        partial(call, twins, "rita", "claim_items", "support"),
        partial(call, twins, "rob", "claim_items", "nul \x00 in it"),
        partial(call, twins, "rob", "correct_labels", "half \ud800 of it", items=[3], label="a"),
        partial(call, twins, "lena", "skip_items", "support", items=[2]),
    )
    assert [item.id for item in outcomes[0].items] == [1]
    assert all(isinstance(each, Exception) for each in outcomes[1:3])
    assert outcomes[3].decided == [2]
    assert twins("verify_audit").intact


def test_a_write_sees_the_items_that_its_group_changed(twins: "Desk") -> None:
    def count(store: Any) -> tuple[int, int]:
        status = store.items.status(store.databits.get("support").databit_id)
        return status["approved"], len(store.tx.rows(labels.select()))

    database = twins.workbench.database
    decide = partial(call, twins, "rob", "correct_labels", "support", label="a")
    found = calls_of_one_group(
        database,
        partial(decide, items=[1]),
        partial(database.write, count),
        partial(decide, items=[2, 3]),
        partial(database.write, count),
    )
    assert found[1::2] == [(1, 1), (3, 3)]


def test_what_is_owed_when_a_group_ends_is_written(twins: "Desk") -> None:
    def write(store: Any) -> None:
        store.tx.begin_change("release_items", "ana", "test")
        store.tx.update(items, {1: {"held_by": "ana", "held_until": 1}})
        store.tx.update(
            items, {1: {"held_by": "rob", "held_until": 2}, 2: {"held_by": "x", "held_until": 2}}
        )
        store.tx.update(items, {1: {"label": "a"}})
        store.tx.end_change()

    in_one_group(twins.workbench.database, write)
    first, second, *_ = twins.rows(items)
    assert (first["held_by"], first["held_until"], first["label"]) == ("rob", 2, "a")
    assert second["held_by"] == "x"
    twins.check_images()
