"""A law over every operation and role: below the declared role nothing succeeds and nothing changes.

The arguments are ones that the operation would take, about things that exist, so that nothing but
the role stands in the way. The role that counts is worked out here a second time, plainly.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from starlette.testclient import TestClient

import mcp_server.tools
from agent.client import ToolClient, acting_as
from databits.actor import ROLES, Actor, Role
from databits.change import actor_row
from databits.errors import DatabitsError, NotAllowed
from databits.operation import CATALOGUE, Operation
from databits.platforms.embedded.jobs import work
from databits.store.shapes import now
from databits.store.tables import passwords, plans, runs, tokens
from mcp_server.server import build_server
from tests.accounts import PASSWORD, set_password
from tests.conftest import Desk
from ui.app import build_app
from ui.cli import main
from ui.door import PERSON
from ui.people_commands import has_secrets
from ui.person import Person

mcp_server.tools.load()
pytestmark = pytest.mark.both_databases
OPERATIONS = sorted(CATALOGUE.values(), key=lambda op: op.name)
NOBODY = Actor("nobody", "viewer", "test")
# One thing of each kind, on the Databit `support`, on `urgency`, and on none.
SUPPORT: Mapping[str, Any] = {
    "databit": "support",
    "item": 1,
    "items": [1, 2],
    "dataset": "support@1",
    "asset": "item:1",
    "plan": 1,
    "run": 1,
}
URGENCY: Mapping[str, Any] = {
    "databit": "urgency",
    "item": 19,
    "items": [19, 20],
    "dataset": "urgency",
    "asset": "item:19",
    "plan": 2,
    "run": 2,
}
NOWHERE: Mapping[str, Any] = {
    "person": "lena",
    "token": 1,
    "change": 1,
    "label": "billing",
    "source": "tickets",
    "new-name": "fresh",
    "model": "none",
    "endpoint": "none",
    "endpoint-or-new": "none",
    "request": "none",
    "texts": ["hello"],
    "count": 1,
}
SAID: Mapping[str, Any] = {
    "labels": ["a", "b"],
    "approve": True,
    "role": "viewer",
    "password": "long enough",
    "kind": "four_eyes",
    "name": "fresh",
    "subject": "*",
    "tools": [{"name": "fetch"}],
    "wait_s": 0,
    "wait_seconds": 0,
}


@dataclass(frozen=True)
class Case:
    """A call by eve, and what eve was given."""

    op: Operation
    arguments: dict[str, Any]
    surface: Role
    limit: Role
    workspace: Role | None
    support: Role | None
    urgency: Role | None

    @property
    def suffices(self) -> bool:
        """Whether the role that counts is the declared one or higher."""
        here = self.workspace or self.surface
        databits = ((SUPPORT, self.support), (URGENCY, self.urgency))
        on = [role or here for things, role in databits if self.names_one_of(things)]
        counts = min([*(on or [here]), self.limit], key=ROLES.index)
        return ROLES.index(counts) >= ROLES.index(self.op.role)

    def names_one_of(self, things: Mapping[str, Any]) -> bool:
        kinds = {name: entity(self.op, name) for name in self.arguments}
        return any(k in things and self.arguments[n] == things[k] for n, k in kinds.items())


def entity(op: Operation, name: str) -> str:
    schema = op.input_schema["properties"][name]
    return str(schema.get("x-entity") or schema.get("items", {}).get("x-entity") or "")


def about(op: Operation) -> int:
    """How many of its arguments say which Databit a call is about."""
    return sum(entity(op, name) in SUPPORT for name in op.input_schema["properties"])


def value_of(op: Operation, name: str, things: Mapping[str, Any], path: str) -> Any:
    """Something that the operation takes there; None when nothing is needed."""
    kind, schema = entity(op, name), op.input_schema["properties"][name]
    if kind == "path":
        return path
    if kind in things or kind in NOWHERE:
        return things.get(kind, NOWHERE.get(kind))
    if name in SAID:
        return SAID[name]
    if name not in op.input_schema.get("required", []):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    return {"integer": 1, "number": 0.5, "boolean": True, "array": []}.get(schema["type"], "x")


def arguments_of(op: Operation, things: Mapping[str, Any], path: str) -> dict[str, Any]:
    required = set(op.input_schema.get("required", []))
    optional = {n for n in op.input_schema["properties"] if entity(op, n) in things} | {"wait_s"}
    found = {
        name: value_of(op, name, things, path)
        for name in op.input_schema["properties"]
        if name in required | optional
    }
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture
def eves(labelled: Desk) -> Desk:
    """`support` and `urgency` with items, a dataset, a plan and a run each; eve is a person."""
    desk, propose = labelled, labelled.workbench.propose
    desk("assemble_dataset", databit="support")
    desk("create_databit", name="urgency", labels=["billing", "later"])
    desk("queue_items", databit="urgency", source="tickets")
    desk("correct_labels", databit="urgency", items=[19, 20, 21, 22], label="later")
    propose("launch_fine_tune", {"dataset": "support@1"}, desk.actor)
    propose("bulk_label", {"databit": "urgency", "verdict": "reject"}, desk.actor)
    desk.workbench.run("assemble_dataset", {"databit": "urgency"}, desk.actor)
    for person in ("eve", "lena"):
        desk("add_person", person=person)
    desk("create_token", name="lenas", person="lena")
    read = desk.workbench.database.read
    for things, name in ((SUPPORT, "support"), (URGENCY, "urgency")):
        here = read(lambda store, name=name: store.databits.get(name).databit_id)
        call = {"plan": things["plan"]}
        scope = read(lambda store, call=call: store.scope.of(CATALOGUE["decide_approval"], call))
        assert scope == {here}, "the plans are what the cases take them for"
    return desk


def grant(desk: Desk, case: Case) -> None:
    """Give eve the case's roles, and no others."""

    def write(store: Any) -> None:
        store.tx.begin_change("grant_role", "ana", "test")
        given = {None: case.workspace}
        for name, role in (("support", case.support), ("urgency", case.urgency)):
            given[store.databits.get(name).databit_id] = role
        for databit_id, role in given.items():
            if role is not None:
                store.people.grant("eve", role, databit_id)
            elif store.people._grant("eve", databit_id) is not None:
                store.people.revoke("eve", databit_id)
        store.tx.end_change()

    desk.workbench.database.write(write)
    desk.workbench.directory.drop()


def eve(case: Case, **how: Any) -> Actor:
    return Actor("eve", case.surface, "test", limit=case.limit, **how)


def everything(desk: Desk) -> str:
    """All that a call could change; the log apart, where refusals are on record."""
    logs = {t.name: desk.rows(t) for t in (plans, runs, tokens, passwords)}
    return desk.state() + json.dumps(logs, sort_keys=True, default=str)


def refusal(call: Callable[[], Any]) -> str | None:
    """Why the role did not suffice; None when it did, whatever else there was to say."""
    try:
        call()
    except NotAllowed as refused:
        return str(refused)
    except DatabitsError:
        return None
    return None


roles = st.sampled_from(ROLES)
maybe = st.none() | roles


@st.composite
def cases(draw: st.DrawFn, operations: list[Operation]) -> Case:
    of_two = [op for op in operations if about(op) > 1] * 3
    op = draw(st.sampled_from(operations + of_two))
    # Some calls are about both Databits: then the lower role counts.
    things = {kind: draw(st.sampled_from((SUPPORT[kind], URGENCY[kind]))) for kind in SUPPORT}
    arguments = arguments_of(op, things, "tickets.csv")
    limit = draw(st.just("admin") | roles)
    return Case(op, arguments, draw(roles), limit, draw(maybe), draw(maybe), draw(maybe))


on_one_workspace = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(on_one_workspace, max_examples=150)
@given(case=cases(OPERATIONS))
def test_straight_to_the_workbench(eves: Desk, case: Case) -> None:
    grant(eves, case)
    before = None if case.suffices else everything(eves)
    calls = [lambda: eves.workbench.run(case.op.name, case.arguments, eve(case, person=True))]
    if case.op.effect == "consequential":
        calls.append(
            lambda: eves.workbench.propose(case.op.name, case.arguments, eve(case, person=True))
        )
    for call in calls:
        told = refusal(call)
        assert (told or "").startswith(f"{case.op.name} needs the role") != case.suffices, told
    assert before is None or everything(eves) == before


@settings(on_one_workspace, max_examples=30)
@given(case=cases([op for op in OPERATIONS if not op.people_only]))
def test_through_an_mcp_client_and_the_agents(eves: Desk, case: Case) -> None:
    grant(eves, case)
    before = None if case.suffices else everything(eves)

    async def by_client() -> tuple[bool, str]:
        server = build_server(eves.workbench, lambda _: eve(case))
        async with Client(server) as client:
            found = await client.call_tool(case.op.name, case.arguments)
        return bool(found.is_error), str(found.content)

    async def by_agent() -> tuple[bool, str]:
        acting_as.set(eve(case))
        server = build_server(eves.workbench, lambda _: acting_as.get() or NOBODY, relay=True)
        async with ToolClient(server) as client:
            found = await client.call(case.op.name, case.arguments)
        return found["error"], found["text"]

    for call in (by_client, by_agent):
        refused, text = asyncio.run(call())
        told = refused and f"{case.op.name} needs the role" in text
        assert told != case.suffices, (call, text)
    assert before is None or everything(eves) == before


BELOW = [(op, role) for op in OPERATIONS for role in ROLES[: ROLES.index(op.role)]]


def test_by_the_command(
    eves: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for module in ("ui.commands", "ui.people_commands"):
        monkeypatch.setattr(f"{module}.opened", lambda _: nullcontext(eves.workbench))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABITS_USER", "eve")
    before = everything(eves)
    for op, role in BELOW:
        if has_secrets(op):
            continue
        arguments = arguments_of(op, SUPPORT, "tickets.csv")
        words = [f"--{name.replace('_', '-')}={_word(value)}" for name, value in arguments.items()]
        monkeypatch.setenv("DATABITS_ROLE", role)
        assert main([op.name, *words]) == 1, (op.name, role)
        assert f"Not allowed: {op.name} needs the role" in capsys.readouterr().err
    monkeypatch.setattr("ui.people_commands.read_password", lambda: "long enough")
    monkeypatch.setenv("DATABITS_ROLE", "engineer")
    for words in (
        ["person", "add", "zoe", "--role", "admin", "--password"],
        ["person", "list"],
        ["person", "grant", "eve", "admin"],
        ["person", "revoke", "lena"],
        ["person", "password", "lena"],
        ["person", "disable", "lena"],
        ["person", "enable", "lena"],
        ["token", "create", "stolen", "--person", "lena", "--role", "admin"],
        ["token", "create", "more", "--role", "admin"],
    ):
        assert main(words) == 1, words
        assert "Not allowed" in capsys.readouterr().err, words
    assert everything(eves) == before


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def test_on_the_page(eves: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a button or key names: the page has one way to the workbench."""
    signed_in: dict[str, Any] = {}
    monkeypatch.setattr("ui.person._scope", lambda: signed_in)
    before = everything(eves)
    for surface in ("chat", "review"):
        person = Person(eves.workbench, surface)
        for op, role in BELOW:
            signed_in[PERSON] = Actor("eve", role, "test")
            told = refusal(partial(person.run, op.fn, **arguments_of(op, SUPPORT, "tickets.csv")))
            assert (told or "").startswith(f"{op.name} needs the role"), (op.name, role, told)
    assert everything(eves) == before


def test_with_the_keys_of_the_review_page_over_http(eves: Desk) -> None:
    set_password(eves.workbench, "eve", PASSWORD)
    app = build_app(eves.workbench.settings, eves.workbench)
    client = TestClient(app, base_url="http://localhost:8765", follow_redirects=False)
    entered = client.post("/sign-in", data={"name": "eve", "password": PASSWORD})
    assert entered.status_code == 303
    page = next(
        part["id"]
        for part in client.get("/ui/config").json()["components"]
        if part["props"].get("elem_id") == "review"
    )
    on_it = {"databit": "support", "item": 1, "label": "billing"}
    for needs, name, asked in (
        ("labeler", "next_cards", {}),
        ("labeler", "decide", {"verb": "approve"}),
        ("labeler", "decide", {"verb": "correct"}),
        ("labeler", "decide", {"verb": "skip"}),
        ("reviewer", "decide", {"verb": "reject"}),
        ("labeler", "take_back", {"change": 4}),
        ("labeler", "history", {}),
    ):
        for role in ROLES[: ROLES.index(needs)]:
            eves("grant_role", person="eve", role=role)
            kept = everything(eves)
            body = {"data": {**on_it, **asked}, "component_id": page, "fn_name": name}
            answer = client.post(
                "/ui/gradio_api/component_server", json={**body, "session_hash": "x"}
            )
            assert "needs the role" in answer.text, (name, asked, role, answer.text)
            assert everything(eves) == kept


def test_by_a_run_whose_person_lost_the_role(eves: Desk) -> None:
    work(eves.workbench, idle_seconds=0)  # what the fixture left in the queue
    before = eves.state()
    made: dict[int, tuple[Operation, Role]] = {}
    for op, role in BELOW:
        if not op.job:
            continue
        was = Actor("eve", "admin", "test", given=role)

        def queue(store: Any, op: Operation = op, was: Actor = was) -> int:
            asked = op.input.model_validate(arguments_of(op, SUPPORT, "tickets.csv"))
            return int(
                store.tx.add(
                    runs,
                    operation=op.name,
                    arguments=asked.model_dump(mode="json"),
                    actor=actor_row(was),
                    state="queued",
                    progress=0.0,
                    message="",
                    attempts=0,
                    cancel=0,
                    created_at=now(),
                )
            )

        made[eves.workbench.database.write(queue)] = (op, role)
    work(eves.workbench, idle_seconds=0)
    ended = {row["id"]: row for row in eves.rows(runs) if row["id"] in made}
    assert len(ended) == len(made) > 10
    for run_id, (op, role) in made.items():
        assert ended[run_id]["state"] == "failed", (op.name, role)
        assert f"{op.name} needs the role" in ended[run_id]["error"]
    assert eves.state() == before
