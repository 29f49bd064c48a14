"""Runs: one a call however often it is made, tried again where that helps, limited, logged, cancelled."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from databits.change import Work
from databits.errors import Conflict, DatabitsError, Invalid, Unavailable
from databits.heartbeat import BEAT_S, LEASE_US, is_dead, worker_name
from databits.model import Changed, Planned, Run
from databits.operation import CATALOGUE, Operation
from databits.platforms.embedded.jobs import work
from databits.running import backoff_us, limits_of
from databits.settings import Settings
from databits.store.runs import FIRST_LINES, LAST_LINES, RunLimit
from databits.store.shapes import ENDED
from databits.store.tables import run_log, runs, sources
from tests.databits.slow_work import HOLD

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


class Flaky:
    """An operation that fails with the errors it was given, one an attempt, then succeeds."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def operation(self) -> Operation:
        def flaky(work: Work) -> Changed:
            """Fail so often."""
            if self.errors:
                raise self.errors.pop(0)
            return work.commit(lambda _: Changed())

        flaky.__module__ = "test_running.data.flaky"
        return Operation(flaky, "viewer", "write", job=True)


@pytest.fixture(autouse=True)
def flaky(monkeypatch: pytest.MonkeyPatch) -> Flaky:
    made = Flaky()
    monkeypatch.setitem(CATALOGUE, "flaky", made.operation())
    monkeypatch.setitem(CATALOGUE, "hold", HOLD)
    return made


@pytest.fixture
def quick(desk: "Desk") -> "Desk":
    """What failed is tried again at once."""
    desk.workbench.settings = desk.workbench.settings.model_copy(update={"retry_seconds": 0.0})
    return desk


def call(desk: "Desk", operation: str, key: str | None = None, /, **arguments: Any) -> Run:
    run = desk.workbench.run(operation, arguments, desk.actor, key=key)
    assert isinstance(run, Run)
    return run


def take(desk: "Desk", worker: str, *limits: RunLimit) -> int | None:
    row = desk.workbench.database.write(lambda store: store.runs.take(worker, LEASE_US, limits))
    return None if row is None else row.id


def saw(desk: "Desk", run: int) -> Run:
    found = desk.workbench.run("get_run", {"run": run}, desk.actor)
    assert isinstance(found, Run)
    return found


def until(check: Any, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


# --- one run a call -------------------------------------------------------------------------------


def test_the_same_key_is_the_same_run_also_after_it_ended(desk: "Desk") -> None:
    first = call(desk, "hold", "monday", name="a")
    assert call(desk, "hold", "monday", name="a").id == first.id
    work(desk.workbench, idle_seconds=0)
    again = call(desk, "hold", "monday", name="a")
    assert (again.id, again.state) == (first.id, "succeeded")
    assert len(desk.rows(sources)) == 1
    assert desk.outcomes("hold") == ["queued", "ok"]


def test_a_key_that_stands_for_another_call_is_refused_with_what_to_do(desk: "Desk") -> None:
    call(desk, "hold", "monday", name="a")
    for name, arguments in (("hold", {"name": "b"}), ("flaky", {})):
        with pytest.raises(Conflict, match=r"run 1, .*Use a new key"):
            call(desk, name, "monday", **arguments)
    assert len(desk.rows(runs)) == 1


def test_everybody_has_their_own_keys(desk: "Desk") -> None:
    first = call(desk, "hold", "monday", name="a")
    other = call(desk.as_("rita", "engineer"), "hold", "monday", name="b")
    assert other.id != first.id


def test_only_what_becomes_a_run_takes_a_key(desk: "Desk") -> None:
    with pytest.raises(Invalid, match="ends at once"):
        desk.workbench.run(
            "create_databit", {"name": "x", "labels": ["a", "b"]}, desk.actor, key="k"
        )
    for key in ("", "k" * 201):
        with pytest.raises(Invalid, match="1 to 200"):
            call(desk, "hold", key, name="a")
    assert desk.rows(runs) == []
    assert desk.workbench.run("list_databits", {}, desk.actor, key="k")


def test_clicking_twice_is_one_run_and_asking_again_later_another(desk: "Desk") -> None:
    first = call(desk, "hold", name="a")
    assert call(desk, "hold", name="a").id == first.id
    take(desk, "a worker")
    assert call(desk, "hold", name="a").id == first.id
    assert call(desk, "hold", name="b").id != first.id
    assert call(desk.as_("rita", "engineer"), "hold", name="a").id != first.id
    desk("cancel_run", run=first.id)
    assert call(desk, "hold", name="a").id != first.id, "the first one will do nothing any more"


def test_a_key_can_be_given_to_a_run_that_goes_on_and_two_keys_are_two_runs(desk: "Desk") -> None:
    first = call(desk, "hold", name="a")
    assert call(desk, "hold", "monday", name="a").id == first.id
    assert call(desk, "hold", "tuesday", name="a").id != first.id
    assert call(desk, "hold", "monday", name="a").id == first.id


def test_of_many_calls_at_once_one_starts_a_run(desk: "Desk") -> None:
    start = threading.Barrier(8)

    def click(n: int) -> int:
        start.wait()
        return call(desk, "hold", "k" if n % 2 else None, name="a").id

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(click, range(8))) == {1}
    assert desk.outcomes("hold") == ["queued"]


def test_the_key_of_an_approved_call_makes_one_run_of_one_plan(labelled: "Desk") -> None:
    labelled("assemble_dataset", databit="support")
    asked = {"dataset": "support@1"}

    def train() -> Any:
        return labelled.workbench.run("launch_fine_tune", asked, labelled.actor, key="k")

    planned = train()
    assert isinstance(planned, Planned)
    labelled("decide_approval", plan=planned.plan.id, approve=True)
    run = train()
    assert isinstance(run, Run)
    assert train().id == run.id, "and no new plan"
    labelled("cancel_run", run=run.id)
    assert train().state == "cancelled"


KEYS = st.sampled_from(["k1", "k2", "k3"])
NAMES = st.sampled_from(["a", "b"])
STEPS = st.one_of(
    st.tuples(st.just("call"), KEYS | st.none(), NAMES),
    st.tuples(st.just("work"), st.none(), st.none()),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, max_size=10), who=st.integers(0, 10**9))
def test_whatever_the_order_a_key_is_one_run_and_a_run_takes_effect_once(
    desk: "Desk", steps: list[tuple[str, Any, Any]], who: int
) -> None:
    mine = desk.as_(f"ana-{who}-{time.monotonic_ns()}", "admin")
    of_key: dict[str, tuple[str, int]] = {}
    for kind, key, name in steps:
        if kind == "work":
            work(desk.workbench, idle_seconds=0)
            continue
        name = f"{mine.actor.name}-{name}"
        try:
            run = call(mine, "hold", key, name=name)
        except Conflict:
            assert of_key[key][0] != name
            continue
        if key:
            assert of_key.setdefault(key, (name, run.id)) == (name, run.id)
    work(desk.workbench, idle_seconds=0)
    own = [row for row in desk.rows(runs) if row["actor"]["name"] == mine.actor.name]
    made = [row["name"] for row in desk.rows(sources) if row["name"].startswith(mine.actor.name)]
    succeeded = [row for row in own if row["state"] == "succeeded"]
    assert sorted(made) == sorted(row["arguments"]["name"] for row in succeeded)
    assert {row["state"] for row in own} <= set(ENDED)


# --- trying again ---------------------------------------------------------------------------------

PASSING = [
    Unavailable("The server is not there. Call once more."),
    OperationalError("", {}, Exception("locked")),
    TimeoutError(),
    OSError(28, "No space left on device"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_may_pass_is_tried_again(quick: "Desk", flaky: Flaky, error: Exception) -> None:
    flaky.errors = [error, error]
    run = call(quick, "flaky")
    assert work(quick.workbench, idle_seconds=0) == 3
    done = saw(quick, run.id)
    assert (done.state, done.attempts, done.error) == ("succeeded", 3, None)
    assert quick.outcomes("flaky") == ["queued", "ok"]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_the_third_failure_is_the_end_and_says_so(
    quick: "Desk", flaky: Flaky, error: Exception
) -> None:
    flaky.errors = [error] * 5
    run = call(quick, "flaky")
    assert work(quick.workbench, idle_seconds=0) == 3
    done = saw(quick, run.id)
    assert (done.state, done.attempts) == ("failed", 3)
    assert done.error is not None
    assert done.error.endswith("It was tried 3 times.")
    assert quick.outcomes("flaky") == ["queued", "failed"]


@pytest.mark.parametrize(
    "error", [Invalid("No."), ValueError(), FileNotFoundError(), PermissionError()], ids=repr
)
def test_what_will_not_pass_ends_at_once(quick: "Desk", flaky: Flaky, error: Exception) -> None:
    flaky.errors = [error]
    run = call(quick, "flaky")
    assert work(quick.workbench, idle_seconds=0) == 1
    assert (saw(quick, run.id).state, saw(quick, run.id).attempts) == ("failed", 1)


def test_it_waits_before_it_is_tried_again(desk: "Desk", flaky: Flaky) -> None:
    desk.workbench.settings = desk.workbench.settings.model_copy(update={"retry_seconds": 600.0})
    flaky.errors = [Unavailable("Not now.")]
    call(desk, "flaky")
    take(desk, "a worker")
    begun = time.time()
    waits = desk.workbench.execute(1, "a worker")
    assert (waits.state, waits.error) == ("queued", "Unavailable: Not now.")
    assert waits.not_before is not None
    assert begun + 599 < waits.not_before.timestamp() < time.time() + 751
    assert take(desk, "a worker") is None
    other = call(desk, "hold", name="a")
    assert take(desk, "a worker") == other.id, "meanwhile the next one has its turn"


def test_the_wait_grows_four_times_and_a_little_by_chance() -> None:
    waits = [[backoff_us(Settings(retry_seconds=2), n) / 1e6 for _ in range(50)] for n in (1, 2)]
    assert 2 <= min(waits[0]) < max(waits[0]) <= 2.5
    assert 8 <= min(waits[1]) < max(waits[1]) <= 10


def test_the_run_of_a_dead_worker_waits_too_and_a_living_ones_stays(desk: "Desk") -> None:
    call(desk, "hold", name="a")
    call(desk, "hold", name="b")
    place, _ = worker_name().rsplit(":", 1)
    dead = f"{place}:1"  # this process id, but another process: started at another time
    assert is_dead(dead)
    assert not is_dead(worker_name())
    assert not is_dead("another-machine:17:5")
    take(desk, dead)
    take(desk, worker_name())

    def free(store: Any) -> int:
        return int(store.runs.free([dead], lambda begun: begun * 600_000_000))

    assert desk.workbench.database.write(free) == 1
    assert [row["state"] for row in desk.rows(runs)] == ["queued", "running"]
    freed = desk.rows(runs)[0]
    assert freed["not_before"] > time.time() * 1e6
    assert "died" in freed["message"]


# --- limits ---------------------------------------------------------------------------------------


def test_no_more_runs_of_a_kind_are_taken_than_its_limit(desk: "Desk") -> None:
    for name in "abc":
        call(desk, "hold", name=name)
    call(desk, "flaky")
    two = RunLimit(frozenset({"hold"}), 2)
    assert [take(desk, f"worker {n}", two) for n in range(5)] == [1, 2, 4, None, None]
    desk.workbench.database.write(lambda store: store.runs.leave(1, 1, state="succeeded"))
    assert take(desk, "worker 5", two) == 3


def test_a_limit_on_a_stage_counts_all_its_operations(desk: "Desk") -> None:
    call(desk, "hold", name="a")
    call(desk, "flaky")
    one = RunLimit(frozenset({"hold", "flaky"}), 1)
    assert [take(desk, f"worker {n}", one) for n in range(2)] == [1, None]


def test_a_worker_that_is_gone_does_not_count(desk: "Desk") -> None:
    for name in "ab":
        call(desk, "hold", name=name)
    one = RunLimit(frozenset({"hold"}), 1)
    assert take(desk, "the first", one) == 1
    desk.workbench.database.write(lambda store: store.runs.set(1, lease_until=1))
    assert take(desk, "the second", one) == 1
    assert take(desk, "the third", one) is None


def test_of_many_workers_at_once_a_limit_lets_in_as_many_as_it_says(desk: "Desk") -> None:
    for n in range(8):
        call(desk, "hold", name=f"s{n}")
    two = RunLimit(frozenset({"hold"}), 2)
    start = threading.Barrier(8)

    def claim(n: int) -> int | None:
        start.wait()
        return take(desk, f"worker {n}", two)

    with ThreadPoolExecutor(8) as pool:
        taken = [found for found in pool.map(claim, range(8)) if found is not None]
    assert sorted(taken) == [1, 2]


def test_limits_name_operations_or_stages() -> None:
    found = dict(limits_of(Settings(run_limits={"train": 2, "launch_fine_tune": 1})))
    assert found[frozenset({"launch_fine_tune"})] == 1
    stage = next(names for names in found if len(names) > 1)
    assert {"launch_fine_tune", "assemble_dataset", "evaluate_model"} <= stage
    assert found[stage] == 2
    with pytest.raises(Invalid, match="launch_fine_tune"):
        limits_of(Settings(run_limits={"fine_tune": 1}))


# --- log and cost ---------------------------------------------------------------------------------


def test_the_log_tells_what_happened(quick: "Desk", flaky: Flaky) -> None:
    flaky.errors = [Unavailable("Not now.")]
    run = call(quick, "flaky")
    work(quick.workbench, idle_seconds=0)
    told = [line.partition(" ")[2] for line in saw(quick, run.id).log]
    assert told == [
        "started, attempt 1",
        "Unavailable: Not now.",
        "will be tried again in 0 s",
        "started, attempt 2",
    ]


def test_what_an_operation_says_is_in_the_log_and_its_cost_is_known(desk: "Desk") -> None:
    run = call(desk, "hold", name="a", seconds=0.3)
    work(desk.workbench, idle_seconds=0)
    done = saw(desk, run.id)
    assert any(line.endswith("s to go") for line in done.log)
    assert done.wall_s is not None
    assert 0.3 <= done.wall_s < 120
    assert done.cpu_s is not None
    assert 0 <= done.cpu_s < 120
    listed: Any = desk("list_runs")
    assert listed.rows[0].log == []


def test_a_long_log_keeps_its_beginning_and_its_end(desk: "Desk") -> None:
    run = call(desk, "hold", name="a").id
    total = FIRST_LINES + LAST_LINES + 250

    def note(start: int, end: int) -> Any:
        lines = [(n, f"line {n}") for n in range(start, end)]
        return lambda store: store.runs.note(run, lines)

    for start in range(0, total, 50):
        desk.workbench.database.write(note(start, start + 50))
    kept = [int(row["message"].split()[1]) for row in desk.rows(run_log)]
    assert kept == [*range(FIRST_LINES), *range(total - LAST_LINES, total)]
    assert [line.split()[-1] for line in saw(desk, run).log] == [
        str(n) for n in range(total - 20, total)
    ]


# --- cancelling and waiting -----------------------------------------------------------------------


def test_a_run_that_is_silent_is_cancelled_within_a_second_and_changes_nothing(
    desk: "Desk", tmp_path: Path
) -> None:
    gate = tmp_path / "go on"
    run = call(desk, "hold", name="a", seconds=280, silent=True, gate=str(gate))
    worker = threading.Thread(target=work, args=[desk.workbench], kwargs={"idle_seconds": 0})
    worker.start()
    try:
        until(lambda: saw(desk, run.id).state == "running")
        desk("cancel_run", run=run.id)
        until(lambda: saw(desk, run.id).state == "cancelled")  # it computes on, and says nothing
        assert BEAT_S < 1, "how often its worker looks"
    finally:
        gate.touch()
        worker.join()
    assert saw(desk, run.id).state == "cancelled"
    assert desk.rows(sources) == []
    assert desk.outcomes("hold") == ["queued", "cancelled"]


def test_waiting_can_end_with_any_change(desk: "Desk") -> None:
    run = call(desk, "hold", name="a")
    waits = threading.Event()

    def change() -> None:
        waits.wait(240)
        take(desk, "a worker")

    worker = threading.Thread(target=change)
    worker.start()
    begun = time.monotonic()
    found: Any = desk.workbench.run(
        "get_run",
        {"run": run.id, "wait_s": 30, "wait_for": "change"},
        desk.actor,
        progress=lambda *_: waits.set(),
    )
    worker.join()
    assert found.state == "running"
    assert time.monotonic() - begun < 25


def test_who_waits_is_told_the_progress_as_it_grows(desk: "Desk", tmp_path: Path) -> None:
    gate = tmp_path / "go on"
    run = call(desk, "hold", name="a", seconds=240, gate=str(gate))
    worker = threading.Thread(target=work, args=[desk.workbench], kwargs={"idle_seconds": 0})
    worker.start()
    told: list[float] = []

    def hear(done: float, _: str) -> None:
        told.append(done)
        if len(set(told)) > 2:
            gate.touch()

    desk.workbench.run("get_run", {"run": run.id, "wait_s": 30}, desk.actor, progress=hear)
    gate.touch()
    worker.join()
    assert len(set(told)) > 1
    assert told == sorted(told)  # the server tells what has grown


# --- stopping -------------------------------------------------------------------------------------


def test_a_worker_that_is_told_to_stop_gives_a_long_run_back(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("databits.heartbeat.GRACE_S", 0.2)
    run = call(desk, "hold", name="a", seconds=280)
    stop = threading.Event()
    worker = threading.Thread(target=work, args=[desk.workbench], kwargs={"stop": stop})
    worker.start()
    until(lambda: saw(desk, run.id).state == "running")
    stop.set()
    worker.join(timeout=120)
    assert not worker.is_alive()
    back = saw(desk, run.id)
    assert (back.state, back.attempts, back.error) == ("queued", 0, None)
    assert desk.outcomes("hold") == ["queued"]
    assert take(desk, "the next") == run.id


def test_a_run_that_is_given_back_often_is_not_given_up(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    run = call(desk, "hold", name="a")

    def give_back(store: Any) -> None:
        cost = {"given_back": store.runs.raw(run.id).attempts}
        store.runs.leave(run.id, store.runs.raw(run.id).attempts, state="queued", cost=cost)

    for _ in range(5):
        take(desk, "a worker")
        desk.workbench.database.write(give_back)
    assert work(desk.workbench, idle_seconds=0) == 1
    assert saw(desk, run.id).state == "succeeded"


def test_a_database_that_is_out_of_reach_for_a_moment_stops_no_worker(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    call(desk, "hold", name="a")
    database, failures = desk.workbench.database, [1]
    read = database.read

    def sometimes(fn: Any) -> Any:
        if failures[0]:
            failures[0] -= 1
            raise OperationalError("", {}, Exception("gone"))
        return read(fn)

    monkeypatch.setattr(database, "read", sometimes)
    assert work(desk.workbench, idle_seconds=0) == 1


def test_execute_leaves_the_run_of_another_worker_alone(desk: "Desk") -> None:
    run = call(desk, "hold", name="a")
    take(desk, "the second")
    assert desk.workbench.execute(run.id, "the first").state == "running"
    assert desk.rows(sources) == []


def test_refusals_are_errors_of_ours(desk: "Desk") -> None:
    with pytest.raises(DatabitsError, match="list_runs"):
        desk.workbench.run("get_run", {"run": 7}, desk.actor)
