"""Long work as tasks: the durable runs, in the words of the extension, for clients that declare it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from mcp import MCPError
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ElicitRequestFormParams,
    ElicitResult,
    Request,
)

from databits.operation import find
from databits.platforms.embedded.jobs import work
from databits.workbench import Workbench
from mcp_server.auth import local_actor
from mcp_server.server import output_schema
from tests.mcp_server.conftest import Connect
from tests.mcp_server.tasks_client import ASSEMBLE, PRELABEL, Anything, Follows, ask, begin, ended

pytestmark = pytest.mark.anyio

TRAIN = "launch_fine_tune", {"dataset": "support@1"}


@contextmanager
def at_work(workbench: Workbench) -> Iterator[None]:
    """A worker, until the block ends."""
    stop = threading.Event()
    worker = threading.Thread(target=work, args=[workbench], kwargs={"stop": stop})
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def accept(params: ElicitRequestFormParams) -> ElicitResult:
    digest = params.requested_schema["properties"]["plan"]["default"]
    return ElicitResult(action="accept", content={"approve": True, "plan": digest})


async def test_a_client_that_knows_tasks_gets_the_result_as_if_it_had_waited(
    labelled: Workbench, connect: Connect
) -> None:
    with at_work(labelled):
        async with connect(extensions=[Follows()]) as client:
            done = await client.call_tool(*ASSEMBLE)
    assert not done.is_error
    assert done.structured_content is not None
    assert done.structured_content["state"] == "succeeded"
    assert done.structured_content["result"]["dataset"] == "support@1"
    jsonschema.validate(done.structured_content, output_schema(find("assemble_dataset")))
    assert "support@1" in done.content[0].text  # type: ignore[union-attr]
    assert done.structured_content["log"] == []


@pytest.mark.slow  # it trains
async def test_an_approved_call_becomes_a_task_whose_result_is_the_operations(
    labelled: Workbench, connect: Connect
) -> None:
    with at_work(labelled):
        async with connect(answer=accept, extensions=[Follows()]) as client:
            await client.call_tool(*ASSEMBLE)
            done = await client.call_tool(*TRAIN)
    assert done.structured_content is not None, done
    assert done.structured_content["result"]["model"] == "support@1"
    assert done.structured_content["plan"] is done.structured_content["run"] is None
    jsonschema.validate(done.structured_content, output_schema(find("launch_fine_tune")))


async def test_what_waits_for_a_person_is_no_task_yet(
    labelled: Workbench, connect: Connect
) -> None:
    with at_work(labelled):
        async with connect(extensions=[Follows()]) as client:
            await client.call_tool(*ASSEMBLE)
            plan = await client.call_tool(*TRAIN)  # nobody can be asked
    assert plan.structured_content is not None
    assert plan.structured_content["plan"]["state"] == "pending"


async def test_a_task_says_how_far_it_is(labelled: Workbench, connect: Connect) -> None:
    async with connect(extensions=[Follows()]) as client:
        handle = await begin(client, *ASSEMBLE)
        waiting = await ask(client.session, "get", handle["taskId"])
        with at_work(labelled):
            done = await ended(client.session, handle["taskId"])
    assert handle["resultType"] == "task"
    assert not {"result", "error", "inputRequests", "requestState"} & handle.keys()
    assert handle["status"] == waiting["status"] == "working"
    assert waiting["statusMessage"] == "waiting for a worker"
    assert waiting["resultType"] == done["resultType"] == "complete"
    assert (done["status"], done["statusMessage"]) == ("completed", "done")
    for found in (handle, waiting, done):
        assert found["ttlMs"] is None  # runs are kept for good
        assert found["pollIntervalMs"] == 500
        assert datetime.fromisoformat(found["createdAt"]).tzinfo is not None
    assert done["createdAt"] == handle["createdAt"]
    assert done["lastUpdatedAt"] > handle["lastUpdatedAt"]


async def test_a_running_task_tells_its_progress_in_words(
    labelled: Workbench, connect: Connect
) -> None:
    async with connect(extensions=[Follows()]) as client:
        handle = await begin(client, *ASSEMBLE)
        run = int(handle["taskId"].partition("-")[0])
        values = {"state": "running", "progress": 0.42, "message": "splitting \u202e"}
        labelled.database.write(lambda store: store.runs.set(run, **values))
        found = await ask(client.session, "get", handle["taskId"])
    assert (found["status"], found["statusMessage"]) == ("working", r"42%: splitting \u202e")


async def test_a_run_that_fails_is_a_completed_task_with_an_error_for_the_model(
    workbench: Workbench, connect: Connect
) -> None:
    me = local_actor(workbench.settings, "test")
    workbench.run("create_databit", {"name": "support", "labels": ["a", "b"]}, me)
    with at_work(workbench):
        async with connect(extensions=[Follows()]) as client:
            handle = await begin(client, *PRELABEL)
            done = await ended(client.session, handle["taskId"])
    assert done["status"] == "completed"
    assert "error" not in done
    assert done["result"]["isError"] is True
    assert done["result"]["content"][0]["text"].startswith("Not ready: support has no undecided")


async def test_a_cancelled_task_ends_and_cancelling_again_changes_nothing(
    labelled: Workbench, connect: Connect
) -> None:
    async with connect(extensions=[Follows()]) as client:
        handle = await begin(client, *ASSEMBLE)
        for _ in range(2):
            assert await ask(client.session, "cancel", handle["taskId"]) == {
                "resultType": "complete"
            }
        found = await ask(client.session, "get", handle["taskId"])
    assert found["status"] == "cancelled"
    assert "result" not in found
    me = local_actor(labelled.settings, "test")
    events = labelled.run("search_audit", {"operation": "cancel_run"}, me).rows  # type: ignore[attr-defined]
    assert [(e.actor, e.outcome) for e in events] == [("ana", "ok")]


async def test_answers_nobody_asked_for_are_taken_and_ignored(
    labelled: Workbench, connect: Connect
) -> None:
    async with connect(extensions=[Follows()]) as client:
        handle = await begin(client, *ASSEMBLE)
        said = {"anything": {"action": "accept"}}
        done = await ask(client.session, "update", handle["taskId"], inputResponses=said)
        assert done == {"resultType": "complete"}
        assert (await ask(client.session, "get", handle["taskId"]))["status"] == "working"


async def test_clients_that_do_not_know_tasks_get_the_run_as_before(
    labelled: Workbench, connect: Connect, era: str
) -> None:
    async with connect(era) as client:
        done = await client.call_tool(*ASSEMBLE)
        assert done.structured_content is not None
        assert done.structured_content["state"] == "queued"
        for verb in ("get", "cancel"):
            with pytest.raises(MCPError) as refused:
                await ask(client.session, verb, "1")
            assert refused.value.code == (-32021 if era == "2026-07-28" else -32601)


@pytest.mark.parametrize("verb", ["get", "update", "cancel"])
async def test_an_id_that_is_no_tasks_is_not_told_apart_from_others(
    labelled: Workbench, connect: Connect, verb: str
) -> None:
    params = {"inputResponses": {}} if verb == "update" else {}
    async with connect(extensions=[Follows()]) as client:
        await begin(client, *ASSEMBLE)
        for task_id in ("1", "1-" + "0" * 16, "9-" + "0" * 16, "", "²-1", "9" * 5000, "x"):
            with pytest.raises(MCPError, match="Not found: you have no task of that id") as refused:
                await ask(client.session, verb, task_id, **params)
            assert refused.value.code == INVALID_PARAMS
    run = labelled.database.read(lambda store: store.runs.get(1))
    assert run.state == "queued"


async def test_the_id_begins_with_the_runs_number_and_can_not_be_guessed(
    labelled: Workbench, connect: Connect
) -> None:
    async with connect(extensions=[Follows()]) as client:
        handle = await begin(client, *ASSEMBLE)
        again = await begin(client, *ASSEMBLE)  # the same open call is the same run
    assert re.fullmatch(r"1-[0-9a-f]{16}", handle["taskId"])
    assert again["taskId"] == handle["taskId"]


async def test_long_work_that_run_tool_begins_is_a_task_too(
    labelled: Workbench, connect: Connect
) -> None:
    name, arguments = ASSEMBLE
    async with connect(extensions=[Follows()]) as client:
        handle = await begin(client, "run_tool", {"name": name, "arguments": arguments})
    assert handle["taskId"].startswith("1-")


async def test_a_server_without_jobs_offers_no_tasks(connect: Connect) -> None:
    for options, offered in (({}, True), ({"read_only": True}, False)):
        async with connect("auto", **options) as client:
            extensions = client.server_capabilities.extensions or {}
        assert ("io.modelcontextprotocol/tasks" in extensions) is offered


async def test_listening_for_tasks_takes_a_client_that_knows_them(connect: Connect) -> None:
    wanted = {"notifications": {"taskIds": ["1-0000000000000000"], "toolsListChanged": True}}
    request = Request[dict[str, Any], str](method="subscriptions/listen", params=wanted)
    async with connect() as client:
        with pytest.raises(MCPError) as refused:
            await client.session.send_request(request, Anything)
    assert refused.value.code == MISSING_REQUIRED_CLIENT_CAPABILITY
    assert "io.modelcontextprotocol/tasks" in str(refused.value.error.data)
    async with connect(extensions=[Follows()]) as client:
        with pytest.raises(MCPError, match=r"[Tt]imed out"):  # it is listening
            await client.session.send_request(request, Anything, request_read_timeout_seconds=0.2)
