"""What a change did can be taken back, exactly, in any order that makes sense, and in no other."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databits.errors import Conflict, DatabitsError, NotFound
from databits.store.tables import CHANGED, counters, items, records

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases

NAMES = ("alpha", "beta")
LABELS = ("red", "green", "blue")
PEOPLE = (("ana", "admin"), ("rita", "reviewer"), ("lena", "labeler"))
TEXTS = [f"text number {n}" for n in range(8)]

number = st.integers(0, 7)
few = st.lists(st.integers(1, 16), min_size=1, max_size=4)
step = st.one_of(
    st.tuples(st.just("import"), number, few),
    st.tuples(st.just("create"), number, few),
    st.tuples(st.just("queue"), number, few),
    st.tuples(st.just("suggest"), number, few),
    st.tuples(st.just("correct"), number, few),
    st.tuples(st.just("approve"), number, few),
    st.tuples(st.just("reject"), number, few),
    st.tuples(st.just("skip"), number, few),
    st.tuples(st.just("claim"), number, few),
    st.tuples(st.just("release"), number, few),
    st.tuples(st.just("bulk"), number, few),
    st.tuples(st.just("undo"), number, few),
    st.tuples(st.just("undo"), number, few),
)
# A queue with something in it, so that most of the steps that follow mean something.
OPENING = [("import", 0, [1]), ("create", 0, [1]), ("queue", 0, [1]), ("suggest", 0, [1, 2, 5, 9])]


def ids_of(desk: "Desk", databit: str, few: list[int]) -> list[int]:
    """Some item ids, of this Databit where it has any."""
    try:
        mine = [item.id for item in desk("list_items", databit=databit, limit=50).rows]
    except NotFound:
        mine = []
    return [mine[n % len(mine)] for n in few] if mine else list(few)


def do(desk: "Desk", folder: Path, kind: str, n: int, few: list[int]) -> int | None:
    """One step; returns its change, or None when it was refused or changed nothing."""
    databit, label = NAMES[n % 2], LABELS[n % 3]
    person, role = PEOPLE[few[0] % 3]
    who = desk.as_(person, role)
    ids = ids_of(desk, databit, few)
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "create": ("create_databit", {"name": databit, "labels": list(LABELS)}),
        "queue": ("queue_items", {"databit": databit, "contains": "number"}),
        "correct": ("correct_labels", {"databit": databit, "items": ids, "label": label}),
        "approve": ("approve_labels", {"databit": databit, "items": ids}),
        "reject": ("reject_items", {"databit": databit, "items": ids, "reason": "why not"}),
        "skip": ("skip_items", {"databit": databit, "items": ids}),
        "claim": ("claim_items", {"databit": databit, "count": few[0]}),
        "release": ("release_items", {"databit": databit, "items": ids}),
        "bulk": ("bulk_label", {"databit": databit, "verdict": ("approve", "reject")[n % 2]}),
        "undo": ("undo_change", {"change": few[0]}),
    }
    try:
        if kind == "suggest":
            return suggest(desk, ids, label, n)
        if kind == "import":
            path = folder / f"part{n}.csv"
            path.write_text("\n".join(["text", *TEXTS[n:], "one more"]), encoding="utf-8")
            return desk("import_files", path=str(path)).change_id or None
        name, arguments = calls[kind]
        at = desk if kind in ("create", "queue", "undo") else who
        return at(name, **arguments).change_id or None
    except DatabitsError:
        return None


def suggest(desk: "Desk", ids: list[int], label: str, n: int) -> int | None:
    def write(store: Any) -> int | None:
        there = store.items.raw(list(dict.fromkeys(ids)))
        store.tx.begin_change("prelabel_items", "engine", "test")
        store.items.suggest([(i, label, n / 8, "because") for i in there], "test", None)
        return store.tx.end_change()

    return desk.workbench.database.write(write)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(step, min_size=1, max_size=14))
def test_undoing_everything_in_reverse_restores_every_state_on_the_way(
    open_desk: "MakeDesk", steps: list[tuple[str, int, list[int]]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = open_desk(folder / "home")
        done: list[tuple[int, str]] = []
        for kind, n, few in [*OPENING, *steps]:
            before = desk.state()
            change = do(desk, folder, kind, n, few)
            if change is None:
                assert desk.state() == before, f"{kind} was refused and changed something"
            else:
                done.append((change, before))
        desk.check_images()
        for change, before in reversed(done):
            desk("undo_change", change=change)
            assert desk.state() == before
        assert all(not desk.rows(t) for t in CHANGED)
        assert desk("verify_audit").intact
        desk.workbench.database.close()


def test_an_id_is_never_given_twice(desk: "Desk", tickets_csv: Path) -> None:
    used: list[int] = []
    for _ in range(3):
        made = desk("import_files", path=str(tickets_csv))
        used += [row["id"] for row in desk.rows(records)]
        desk("undo_change", change=made.change_id)
    assert len(set(used)) == len(used) == 54


def test_an_id_is_never_given_twice_after_a_restart(
    open_desk: "MakeDesk", tmp_path: Path, tickets_csv: Path
) -> None:
    used: list[int] = []
    for _ in range(2):
        desk = open_desk(tmp_path / "again")
        made = desk("import_files", path=str(tickets_csv))
        used += [row["id"] for row in desk.rows(records)]
        desk("undo_change", change=made.change_id)
        desk.workbench.database.close()
    assert len(set(used)) == len(used) == 36


def test_a_failed_write_leaves_no_counter_behind_its_rows(desk: "Desk", tickets_csv: Path) -> None:
    def fail(store: Any) -> None:
        store.tx.begin_change("import_files", "ana", "test")
        store.records.add_source("lost", "nowhere")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        desk.workbench.database.write(fail)
    desk("import_files", path=str(tickets_csv))
    last = {row["name"]: row["last"] for row in desk_rows(desk)}
    assert last["records"] >= max(row["id"] for row in desk.rows(records))


def desk_rows(desk: "Desk") -> list[dict[str, Any]]:
    found = desk.workbench.database.read(lambda store: store.tx.rows(counters.select()))
    return [dict(row._mapping) for row in found]


def test_bringing_an_older_change_back_over_a_newer_undo_is_refused(queued: "Desk") -> None:
    first = queued("correct_labels", databit="support", items=[1], label="billing")
    second = queued("correct_labels", databit="support", items=[1], label="login")
    undo_second = queued("undo_change", change=second.change_id)
    undo_first = queued("undo_change", change=first.change_id)
    before = queued.state()
    with pytest.raises(Conflict, match=f"change {undo_first.change_id} "):
        queued("undo_change", change=undo_second.change_id)
    assert queued.state() == before
    queued("undo_change", change=undo_first.change_id)
    queued("undo_change", change=undo_second.change_id)
    assert queued.rows(items)[0]["label"] == "login"
    queued.check_images()


def test_bringing_back_what_rested_on_something_that_is_gone_is_refused(queued: "Desk") -> None:
    undo_queue = queued("undo_change", change=3)
    queued("undo_change", change=2)
    before = queued.state()
    with pytest.raises(Conflict, match="list_changes"):
        queued("undo_change", change=undo_queue.change_id)
    assert queued.state() == before


def test_bringing_back_a_name_that_is_taken_by_now_is_refused(desk: "Desk") -> None:
    made = desk("create_databit", name="support", labels=["a", "b"])
    undone = desk("undo_change", change=made.change_id)
    desk("create_databit", name="support", labels=["c", "d"])
    before = desk.state()
    with pytest.raises(Conflict, match="name"):
        desk("undo_change", change=undone.change_id)
    assert desk.state() == before


def test_a_row_made_and_changed_in_one_change_is_not_taken_from_under_later_work(
    queued: "Desk",
) -> None:
    def write(store: Any) -> int:
        store.tx.begin_change("queue_items", "ana", "test")
        made = store.tx.add(items, databit_id=1, record_id=999_999, state="open", priority=0.0)
        store.tx.update(items, {made: {"priority": 1.0}})
        return int(store.tx.end_change())

    def edit(store: Any) -> int:
        store.tx.begin_change("skip_items", "ana", "test")
        newest = max(row.id for row in store.tx.rows(items.select()))
        store.tx.update(items, {newest: {"why": "later work"}})
        return int(store.tx.end_change())

    database = queued.workbench.database

    def record(store: Any) -> None:
        store.tx.begin_change("import_files", "ana", "test")
        row = {"id": 999_999, "source_id": 1, "position": 1, "sha256": "x", "text": "x"}
        store.records.add([{**row, "fields": {}, "origin": {}}])
        store.tx.end_change()

    database.write(record)
    made, later = database.write(write), database.write(edit)
    with pytest.raises(Conflict, match=f"change {later} "):
        queued("undo_change", change=made)
    queued("undo_change", change=later)
    queued("undo_change", change=made)
