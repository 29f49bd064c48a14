"""The real store, the real operations; nothing is faked but what a test says."""

import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pydantic import BaseModel
from sqlalchemy import NullPool, Table, create_engine, select, text

from databits.actor import Actor
from databits.model import Planned, Run
from databits.operation import load_catalogue
from databits.platforms.embedded import Embedded
from databits.platforms.embedded.jobs import work
from databits.settings import Settings
from databits.store.tables import CHANGED, audit, change_rows, changes

pytest_plugins = ("tests.databases",)

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Tracing is for a whole process and can not be taken back: tests of it start processes of their own.
os.environ.setdefault("DATABITS_TRACE_CALLS", "0")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# How long an example takes says how busy the machine is. Under CI the same examples come every time.
settings.register_profile(
    "unhurried", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI a skipped test is a failure: there, everything that tests need is installed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr}"
    return report


class Waiting:
    """Runs stay queued until the test works on them itself: no process is started behind it."""

    def submit(self, run_id: int) -> None:
        pass

    def close(self) -> None:
        pass


class Desk:
    """A workbench and a person at it."""

    def __init__(self, workbench: Embedded, actor: Actor) -> None:
        self.workbench = workbench
        self.actor = actor

    def __call__(self, name: str, /, **arguments: Any) -> Any:
        """Run an operation to its end: approve its plan, work on its run, give its result."""
        result: BaseModel = self.workbench.run(name, arguments, self.actor)
        if isinstance(result, Planned):
            self.workbench.run(
                "decide_approval", {"plan": result.plan.id, "approve": True}, self.actor
            )
            result = self.workbench.run(name, arguments, self.actor)
        if isinstance(result, Run):
            work(self.workbench, idle_seconds=0)
            run = self.workbench.database.read(lambda store: store.runs.get(result.id))
            assert run.state == "succeeded", run.error
            return run.result
        return result

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows of a table in order of id."""
        query = select(table).order_by(table.c.id)
        found = self.workbench.database.read(lambda store: store.tx.rows(query))
        return [dict(row._mapping) for row in found]

    def state(self) -> str:
        """Everything that changes change, as canonical JSON: equal text, equal state."""
        return json.dumps({t.name: self.rows(t) for t in CHANGED}, sort_keys=True)

    def outcomes(self, operation: str | None = None) -> list[str]:
        """How the calls ended that are on record, oldest first."""
        found = self.rows(audit)
        return [row["outcome"] for row in found if operation in (None, row["operation"])]

    def check_images(self) -> None:
        """Every row is what the newest standing change of it made of it, and no change is half there."""
        made = {row["id"]: row for row in self.rows(changes)}
        images = sorted(self.rows(change_rows), key=lambda row: (row["change_id"], row["id"]))
        counts: Counter[int] = Counter()
        for image in images:
            counts[image["change_id"]] += len(rows_of(image))
        assert counts == {i: row["rows"] for i, row in made.items()}
        standing = {i for i, r in made.items() if r["state"] == "applied" and not r["undo_of"]}
        now = {t.name: {row["id"]: row for row in self.rows(t)} for t in CHANGED}
        newest: dict[tuple[str, int, str], Any] = {}
        alive: dict[tuple[str, int], bool] = {}
        for image in images:
            for row_id in rows_of(image):
                place = (image["table_name"], row_id)
                alive.setdefault(place, False)
                if image["change_id"] in standing:
                    alive[place] = image["kind"] != "delete"
                    for column, value in (image["after"] or {}).items():
                        newest[*place, column] = value
        for (table, row_id), there in alive.items():
            assert (row_id in now[table]) == there, (table, row_id)
        for (table, row_id, column), value in newest.items():
            if row_id in now[table]:
                assert now[table][row_id][column] == value, (table, row_id, column)

    def tamper(self, statement: str, **values: Any) -> None:
        """Change the database behind the workbench's back; `:name` in the statement is a value."""
        engine = create_engine(self.workbench.database.url, poolclass=NullPool)
        with engine.begin() as db:
            db.execute(text(statement), values)

    def as_(self, name: str, role: Any, *, person: bool = True) -> "Desk":
        return Desk(self.workbench, Actor(name, role, "test", person=person))


def rows_of(image: Mapping[str, Any]) -> range:
    """The ids of the rows that an image of a change stands for."""
    return range(image["row_id"], (image["last_id"] or image["row_id"]) + 1)


@pytest.fixture(scope="session", autouse=True)
def catalogue() -> None:
    load_catalogue()


@pytest.fixture(scope="session")
def open_desk() -> Iterator["MakeDesk"]:
    """Opens the workspace in a folder, or makes one there, with ana at it."""
    opened = []

    def at(home: Path, **settings: Any) -> Desk:
        made = Embedded(Settings(home=home, user="ana", **settings))
        made.jobs = Waiting()  # type: ignore[assignment]
        opened.append(made)
        return Desk(made, Actor("ana", "admin", "test", person=True))

    yield at
    for workbench in opened:
        workbench.database.close()


@pytest.fixture
def workbench(tmp_path: Path, open_desk: "MakeDesk", database_url: str) -> Iterator[Embedded]:
    """A new, empty workspace, on the database that the test is for."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    url = {} if database_url.startswith("sqlite") else {"database_url": database_url}
    made = open_desk(home, **url).workbench
    yield made
    made.database.close()


@pytest.fixture
def desk(workbench: Embedded) -> Desk:
    return Desk(workbench, Actor("ana", "admin", "test", person=True))


TICKETS = [
    ("I was charged twice for my subscription this month", "billing"),
    ("The invoice shows the wrong amount", "billing"),
    ("Why was my card billed again after I paid", "billing"),
    ("My payment went through twice on the same invoice", "billing"),
    ("There is an extra charge on my last bill", "billing"),
    ("The price on the invoice is not what we agreed", "billing"),
    ("I can not log in, my password is rejected", "login"),
    ("The login page says my account is locked", "login"),
    ("I never get the code to sign in", "login"),
    ("Password reset mail does not arrive", "login"),
    ("Two-factor sign in keeps failing on my phone", "login"),
    ("I am locked out of my account since this morning", "login"),
    ("My parcel has not arrived for two weeks", "shipping"),
    ("The tracking number does not work", "shipping"),
    ("The package was delivered to the wrong address", "shipping"),
    ("When will my order be shipped", "shipping"),
    ("The courier lost my delivery", "shipping"),
    ("My order is stuck in customs", "shipping"),
]


@pytest.fixture
def tickets_csv(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.csv"
    lines = ["text,topic", *(f'"{text}",{topic}' for text, topic in TICKETS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def queued(desk: Desk, tickets_csv: Path) -> Desk:
    """Eighteen tickets in the queue of the Databit `support`; item n is ticket n."""
    desk("import_files", path=str(tickets_csv))
    desk("create_databit", name="support", labels=["billing", "login", "shipping"])
    desk("queue_items", databit="support", source="tickets")
    return desk


@pytest.fixture
def labelled(queued: Desk) -> Desk:
    """The same, with every item approved under its right label."""
    for label in ("billing", "login", "shipping"):
        ids = [n for n, (_, topic) in enumerate(TICKETS, 1) if topic == label]
        queued("correct_labels", databit="support", items=ids, label=label)
    return queued


MakeDesk = Callable[..., Desk]
