"""Whatever a team does in whatever order: the record holds, and all of it can be taken back.

A state machine of Hypothesis lets people of every role, and an agent, call operations on a real
workspace. After every step the audit chain is intact and every row is what its changes made of it;
at the end everything is undone, newest first, and each undo restores the very state before it.
"""

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from databits.actor import Actor
from databits.change import append
from databits.digest import digest
from databits.errors import DatabitsError, NotAllowed
from databits.model import Planned
from databits.operation import find
from databits.store.shapes import now
from databits.store.tables import items, requests

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases

LABELS = ("red", "green", "blue")
NAMES = ("alpha", "beta")
TEXTS = [f"text number {n}" for n in range(9)]
PEOPLE = {"vera": "viewer", "lena": "labeler", "lars": "labeler", "rita": "reviewer", "eva": "engineer"}  # fmt: skip

databits = st.sampled_from(NAMES)
people = st.sampled_from(sorted(PEOPLE))
label = st.sampled_from(LABELS)
few = st.lists(st.integers(0, 30), min_size=1, max_size=4)
bulk = st.fixed_dictionaries(
    {"databit": databits},
    optional={
        "verdict": st.sampled_from(("approve", "reject")),
        "label": label,
        "min_confidence": st.sampled_from((0.25, 0.5)),
        "contains": st.sampled_from(("number", "number 3")),
    },
)


def give_a_past(desk: "Desk") -> None:
    """A queue of fourteen, three undecided, and an endpoint that answered two requests; this much is never undone."""
    folder = desk.workbench.settings.home
    path = folder / "first.csv"
    path.write_text("\n".join(["text", *(f"old text {n}" for n in range(14))]), encoding="utf-8")
    desk("import_files", path=str(path))
    desk("create_databit", name="alpha", labels=list(LABELS))
    desk("queue_items", databit="alpha")
    ids = [row["id"] for row in desk.rows(items)]
    desk("correct_labels", databit="alpha", items=ids[:6], label="red")
    desk("correct_labels", databit="alpha", items=ids[6:11], label="blue")
    desk("assemble_dataset", databit="alpha")

    def serve(store: Any) -> None:
        store.tx.begin_change("deploy_model", "ana", "test")
        dataset = store.datasets.raw("alpha@1")
        model = store.models.add("alpha", 1, dataset.id, "head", list(LABELS), "none", "none", None)
        store.endpoints.route_all("door", model)
        record(store, "deploy_model")
        common = {"endpoint_id": store.endpoints.raw("door").id, "model_id": model}
        answers = [
            {"request_id": f"request-{n}", "text": TEXTS[n], "answer": "red", "confidence": 0.6}
            for n in range(2)
        ]
        rest = {"latency_us": 1, "status_code": 200, "actor": "ana", "created_at": now()}
        store.endpoints.log([{**common, **answer, **rest} for answer in answers])

    desk.workbench.database.write(serve)
    assert len(desk.rows(requests)) == 2


def record(store: Any, operation: str) -> int | None:
    """End a change with its audit event, as operations do."""
    made = store.tx.end_change()
    actor = Actor("engine", "engineer", "test")
    append(store, actor, operation, digest({}), "ok", change_id=made)
    return made


class Team(RuleBasedStateMachine):
    """What people do; `new_desk` gives a workspace with a past."""

    new_desk: Callable[[], "Desk"]

    @initialize()
    def begin(self) -> None:
        self.desk = type(self).new_desk()
        self.folder = self.desk.workbench.settings.home
        self.done: list[tuple[int, str]] = []
        self.held: dict[int, str] = {}

    # --- doing ------------------------------------------------------------------------------------

    def call(self, who: str, name: str, /, **arguments: Any) -> Any:
        """One call by a person; a refused one changes nothing, a role too low never gets through."""
        before = self.desk.state()
        role = PEOPLE.get(who, "admin")
        actor = self.desk.as_(who, role)
        may = actor.actor.covers(find(name).role)
        try:
            result = actor(name, **arguments)
        except DatabitsError as error:
            refused: DatabitsError | None = error
        else:
            refused = None
        if refused is not None:
            assert self.desk.state() == before, f"{name} was refused and changed something"
            assert may or isinstance(refused, NotAllowed)
            return None
        assert may
        self.note(result, before)
        return result

    def note(self, result: Any, before: str) -> None:
        change = result["change_id"] if isinstance(result, dict) else result.change_id
        if change:
            self.done.append((change, before))
        else:
            assert self.desk.state() == before

    def ids(self, databit: str, few: list[int]) -> list[int]:
        """Some item ids, of this Databit where it has any."""
        try:
            rows = self.desk("list_items", databit=databit, limit=50).rows
        except DatabitsError:
            rows = []
        return [rows[n % len(rows)].id for n in few] if rows else [n + 1 for n in few]

    @rule(n=st.integers(0, 7))
    def import_files(self, n: int) -> None:
        path = self.folder / f"part{n}.csv"
        path.write_text("\n".join(["text", *TEXTS[n:], "one more"]), encoding="utf-8")
        self.call("eva", "import_files", path=str(path))

    @rule(who=people, name=databits)
    def create(self, who: str, name: str) -> None:
        self.call(who, "create_databit", name=name, labels=list(LABELS))

    @rule(who=people, databit=databits)
    def queue(self, who: str, databit: str) -> None:
        self.call(who, "queue_items", databit=databit, contains="text")

    @rule(databit=databits, few=few, label=label, sure=st.sampled_from((0.0, 0.3, 0.9, 1.0)))
    def prelabel(self, databit: str, few: list[int], label: str, sure: float) -> None:
        ids = self.ids(databit, few)

        def write(store: Any) -> Any:
            there = store.items.raw(sorted(set(ids)))
            store.tx.begin_change("prelabel_items", "engine", "test")
            store.items.suggest([(i, label, sure, "because") for i in there], "test", None)
            return {"change_id": record(store, "prelabel_items")}

        before = self.desk.state()
        self.note(self.desk.workbench.database.write(write), before)

    @rule(who=people, databit=databits, count=st.integers(1, 5))
    def claim(self, who: str, databit: str, count: int) -> None:
        claimed = self.call(who, "claim_items", databit=databit, count=count)
        for item in claimed.items if claimed else []:
            assert self.held.get(item.id, who) == who, "given to a second person"
            self.held[item.id] = who

    @rule(who=people, databit=databits, few=few)
    def release(self, who: str, databit: str, few: list[int]) -> None:
        self.decide(who, "release_items", databit, few)

    @rule(
        who=people,
        databit=databits,
        few=few,
        name=st.sampled_from(("approve_labels", "reject_items", "skip_items")),
    )
    def judge(self, who: str, databit: str, few: list[int], name: str) -> None:
        self.decide(who, name, databit, few)

    @rule(who=people, databit=databits, few=few, label=label)
    def correct(self, who: str, databit: str, few: list[int], label: str) -> None:
        self.decide(who, "correct_labels", databit, few, label=label)

    def decide(self, who: str, name: str, databit: str, few: list[int], **more: Any) -> None:
        if self.call(who, name, databit=databit, items=self.ids(databit, few), **more) is not None:
            self.look()

    @rule(who=people, databit=databits, seed=st.integers(0, 1))
    def assemble(self, who: str, databit: str, seed: int) -> None:
        before = self.desk.state()
        actor = self.desk.as_(who, PEOPLE[who])
        try:
            self.note(actor("assemble_dataset", databit=databit, seed=seed), before)
        except (DatabitsError, AssertionError):  # refused, or the run had nothing to do
            assert self.desk.state() == before

    @rule(who=people, n=st.integers(0, 2), label=st.none() | label)
    def feedback(self, who: str, n: int, label: str | None) -> None:
        arguments = {"request_id": f"request-{n}", "thumbs": "down", "correction": label}
        self.call(who, "record_feedback", **arguments)

    @precondition(lambda self: self.done)
    @rule(who=people, n=st.integers(0, 30))
    def undo(self, who: str, n: int) -> None:
        change, _ = self.done[-1 - n % len(self.done)]
        if self.call(who, "undo_change", change=change) is not None:
            self.look()

    @rule(who=people, arguments=bulk)
    def bulk_label(self, who: str, arguments: dict[str, Any]) -> None:
        if self.call(who, "bulk_label", **arguments) is not None:
            self.look()

    # --- plans ------------------------------------------------------------------------------------

    @rule(
        arguments=bulk,
        other=bulk,
        altered=st.sampled_from(("arguments", "state, then approved", "approved, then state")),
    )
    def altered_plan(self, arguments: dict[str, Any], other: dict[str, Any], altered: str) -> None:
        """What was approved is the only thing that is done, and only while it is what it was."""
        agent = Actor("rita", "reviewer", "mcp", client="an agent")
        before = self.desk.state()
        try:
            planned = self.desk.workbench.run("bulk_label", arguments, agent)
        except DatabitsError:
            return
        if not isinstance(planned, Planned):  # approved by an earlier rule, and still what it was
            self.note(planned, before)
            self.look()
            return
        rita = self.desk.as_("rita", "reviewer")
        approve = {"plan": planned.plan.id, "approve": True}
        if altered == "arguments" and other != arguments:
            rita("decide_approval", **approve)
            self.refused(other, agent, planned)
        elif altered == "state, then approved" and self.alter(arguments):
            before = self.desk.state()
            with pytest.raises(DatabitsError):
                rita("decide_approval", **approve)
            assert self.desk.state() == before
            self.refused(arguments, agent, planned)
        elif altered == "approved, then state":
            rita("decide_approval", **approve)
            if self.alter(arguments):
                self.refused(arguments, agent, planned)

    def alter(self, arguments: dict[str, Any]) -> bool:
        """Decide an item that the plan was made from; False when there is none to be found."""
        asked = {"databit": arguments["databit"], "state": "open", "limit": 50}
        found = self.desk("list_items", **asked).rows
        keep = arguments.get("label")
        wanted = [i for i in found if i.held_by is None and keep in (None, i.suggestion)]
        wanted = [i for i in wanted if arguments.get("contains", "") in i.text]
        sure = arguments.get("min_confidence", 0)
        wanted = [i for i in wanted if not sure or (i.confidence or 0) >= sure]
        if arguments.get("verdict", "approve") == "approve":
            wanted = [i for i in wanted if i.suggestion]
        if not wanted:
            return False
        first = {"databit": arguments["databit"], "items": [wanted[0].id]}
        return self.call("eva", "skip_items", **first) is not None

    def refused(self, arguments: dict[str, Any], agent: Actor, planned: Planned) -> None:
        """The call does not happen: it is another plan by now, or there is nothing to do."""
        before = self.desk.state()
        try:
            now_planned = self.desk.workbench.propose("bulk_label", arguments, agent)
            assert now_planned.id != planned.plan.id
            if now_planned.state == "approved":
                return  # the same, approved before by another rule
            assert isinstance(self.desk.workbench.run("bulk_label", arguments, agent), Planned)
        except DatabitsError:
            pass
        assert self.desk.state() == before

    # --- what always holds ------------------------------------------------------------------------

    def look(self) -> None:
        """Who holds what, as the database has it."""
        self.held = {row["id"]: row["held_by"] for row in self.desk.rows(items) if row["held_by"]}

    @invariant()
    def the_record_is_whole(self) -> None:
        assert self.desk("verify_audit").intact
        self.desk.check_images()

    @invariant()
    def nobody_holds_what_is_decided(self) -> None:
        rows = self.desk.rows(items)
        assert not [row["id"] for row in rows if row["held_by"] and row["decided_by"]]

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        for change, before in reversed(self.done):
            self.desk("undo_change", change=change)
            assert json.loads(self.desk.state()) == json.loads(before)
            assert self.desk.state() == before
        self.the_record_is_whole()
        self.desk.workbench.database.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_whatever_people_do_is_recorded_and_can_be_taken_back(
    open_desk: "MakeDesk", backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    past = tmp_path / "past"
    past.mkdir()
    make = None if backend == "sqlite" else request.getfixturevalue("new_postgres")
    url = {"database_url": make()} if make else {}
    first = open_desk(past, **url)
    give_a_past(first)
    first.workbench.database.close()

    def new_desk() -> "Desk":
        home = Path(tempfile.mkdtemp(dir=tmp_path)) / "home"
        shutil.copytree(past, home)
        return open_desk(home, **({"database_url": make(url["database_url"])} if make else {}))

    new = {"new_desk": staticmethod(new_desk)}
    run_state_machine_as_test(
        type("Team", (Team,), new),
        settings=settings(
            max_examples=20
            if backend == "sqlite"
            else 6,  # there, every look at all of it costs more
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_long_random_history_can_be_taken_back(desk: "Desk") -> None:
    """The same rules, many steps of one history, by dice instead of by Hypothesis."""
    dice = random.Random(20)
    give_a_past(desk)
    team = type("Team", (Team,), {"new_desk": staticmethod(lambda: desk)})()
    team.begin()
    for _ in range(60):
        step(team, dice)
    team.the_record_is_whole()
    team.nobody_holds_what_is_decided()
    assert len(team.done) > 15
    team.teardown()


def step(team: Team, dice: random.Random) -> None:
    who, databit = dice.choice(sorted(PEOPLE)), dice.choice(NAMES)
    some = [dice.randrange(30) for _ in range(dice.randint(1, 4))]
    acts: list[Callable[[], None]] = [
        lambda: team.import_files(dice.randrange(8)),
        lambda: team.create(who, databit),
        lambda: team.queue(who, databit),
        lambda: team.prelabel(databit, some, dice.choice(LABELS), dice.random()),
        lambda: team.claim(who, databit, len(some)),
        lambda: team.release(who, databit, some),
        lambda: team.judge(who, databit, some, dice.choice(("approve_labels", "skip_items"))),
        lambda: team.correct(who, databit, some, dice.choice(LABELS)),
        lambda: team.feedback(who, dice.randrange(2), None),
        lambda: team.bulk_label(who, {"databit": databit}),
        lambda: team.altered_plan(
            {"databit": databit},
            {"databit": databit, "verdict": "reject"},
            dice.choice(("arguments", "approved, then state")),
        ),
        lambda: team.undo(who, dice.randrange(30)) if team.done else None,
    ]
    dice.choice(acts)()
