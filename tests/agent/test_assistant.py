"""Whole conversations over the real server, the real store and the built-in planner."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agent import runtime
from agent.client import acting_as
from agent.events import ToolStarted
from agent.supervisor import FELL_BACK
from databits.platforms.embedded import Embedded
from tests.agent.talk import ANN, AtOnce, Chat, chatting

pytestmark = pytest.mark.anyio


@pytest.fixture
def at_once(workbench: Embedded) -> Embedded:
    workbench.jobs = AtOnce(workbench)  # type: ignore[assignment]
    return workbench


async def ready(chat: Chat, tickets: Path) -> None:
    """Records queued and pre-labelled, in one message of four requests."""
    await chat.say(
        f"import {tickets}; create a databit called support with the labels billing, login and shipping "
        "then queue them for support and then pre-label it"
    )
    assert [event.ok for event in chat.finished] == [True] * 4


async def test_four_requests_in_one_message_are_done_in_order(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        assert [tool for tool, _ in chat.calls] == [
            "import_files",
            "create_databit",
            "queue_items",
            "prelabel_items",
        ]
        assert chat.calls[2][1] == {"databit": "support", "source": "tickets"}
        started = [e.specialist for e in chat.events if isinstance(e, ToolStarted)]
        assert started == ["data", "template", "curate", "curate"]
        assert chat.finished[3].data["state"] == "succeeded"  # the turn stayed with the run
        status = await chat.say("how far is support")
        assert "suggested: 18" in status


async def test_what_is_taken_from_the_conversation_is_said_and_can_be_undone(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        told = await chat.say("approve items 3 to 5")
        assert told.startswith("I take it you mean the Databit support (mentioned last).")
        assert chat.calls == [("approve_labels", {"databit": "support", "items": [3, 4, 5]})]
        await chat.say("undo that")
        assert chat.calls[0][0] == "undo_change"
        assert chat.finished[0].ok
        assert "approved: 0" in await chat.say("how far is support")


async def test_a_plan_waits_for_a_person_and_nothing_else_is_done_meanwhile(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        await chat.say("approve everything above 1% in support")
        asked = chat.asked[0]
        assert asked.tool == "bulk_label"
        assert asked.plan["count"] == 18
        assert "decide this first" in await chat.say("list models")
        assert chat.asked == [asked]
        told = await chat.decide(True)
        assert "18 decided" in told
        assert await chat.assistant.pending("t") == []
        assert "no longer open" in await chat._listen(chat.assistant.answer("t", asked.id, True))


async def test_a_declined_plan_is_not_asked_again(at_once: Embedded, tickets_csv: Path) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        await chat.say("approve everything above 1% in support; list models")
        told = await chat.decide(False)
        assert told.startswith("A person declined")
        assert "Not done: “list models”" in told
        assert chat.asked == []
        waiting = at_once.run("list_approvals", {}, ANN)
        assert waiting.model_dump()["total"] == 0


async def test_the_assistant_can_not_approve_by_itself(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        await chat.say("approve everything above 1% in support")
        told = await chat.decide(True, record=False)
        assert not chat.finished[0].ok
        assert "has not been approved" in told


async def test_a_conversation_and_its_approval_outlive_the_process(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        await chat.say("approve everything above 1% in support")
    async with chatting(at_once) as chat:
        assert [said.by for said in await chat.assistant.history("t")] == [
            "person",
            "assistant",
            "person",
        ]
        assert "18 decided" in await chat.decide(True)
        assert "change" in await chat.say("undo that")
        assert chat.finished[0].ok


async def test_of_a_conversation_the_newest_state_alone_is_kept(
    at_once: Embedded, tickets_csv: Path
) -> None:
    """Every step holds all that was said: kept for good, they would grow with its square."""

    def kept(thread: str) -> tuple[int, int]:
        with closing(sqlite3.connect(at_once.settings.home / "chat.db")) as db:
            return tuple(  # type: ignore[return-value]
                db.execute(
                    f"SELECT count(*) FROM {table} WHERE thread_id = ?", (thread,)
                ).fetchone()[0]
                for table in ("checkpoints", "writes")
            )

    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        assert kept("t") == (1, 0)
        await chat.say("approve everything above 1% in support")
        assert kept("t")[0] <= 2, "what waits for the person, and nothing that came before"
        assert "18 decided" in await chat.decide(True)
        assert kept("t") == (1, 0)
        chat.thread = "other"
        await chat.say("list databits")
        await chat.say("list sources")
        assert (kept("t"), kept("other")) == ((1, 0), (1, 0))
        assert len(await chat.assistant.history("t")) == 4
        await chat.assistant.forget("t")
        assert (kept("t"), kept("other")) == ((0, 0), (1, 0))
        assert await chat.assistant.history("t") == []


async def test_a_question_back_is_answered_and_the_rest_follows(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        assert (
            await chat.say("create a databit with the labels spam and ham; list databits")
            == "What should it be called?"
        )
        assert chat.calls == []
        await chat.say("mail triage")
        assert [tool for tool, _ in chat.calls] == ["create_databit", "list_databits"]
        assert chat.calls[0][1]["name"] == "mail-triage"


async def test_what_is_not_understood_calls_nothing_and_offers_requests(at_once: Embedded) -> None:
    async with chatting(at_once) as chat:
        assert "did not understand" in await chat.say("what is the weather in Paris")
        assert chat.calls == []
        assert chat.suggestions


async def test_small_talk_calls_nothing(at_once: Embedded) -> None:
    async with chatting(at_once) as chat:
        for message in ("hello", "thanks!", "what can you do?"):
            assert await chat.say(message)
            assert chat.calls == []
        assert "import files" in await chat.say("help")


async def test_pages_are_turned(at_once: Embedded, tickets_csv: Path) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
        assert "18 items, 10 of them here" in await chat.say("list the items of support")
        await chat.say("show more")
        assert chat.calls == [("list_items", {"databit": "support", "after": 10})]
        assert len(chat.finished[0].data["rows"]) == 8


async def test_turns_act_as_whoever_asked(at_once: Embedded, tickets_csv: Path) -> None:
    async with chatting(at_once) as chat:
        acting_as.set(ANN)
        events = chat.assistant.turn("ann", f"import {tickets_csv}")
        first = await anext(events)
        acting_as.set(None)  # as when a page's framework goes on in another context
        rest = [event async for event in events]
        assert [first, *rest]
        changes = at_once.run("list_changes", {}, ANN).model_dump()["rows"]
        assert changes[0]["actor"] == "ann"
        told = await chat.say(f"import {tickets_csv}")  # nobody, a viewer
        assert "needs the role engineer" in told


async def test_threads_run_side_by_side_and_turns_of_one_wait(
    at_once: Embedded, tickets_csv: Path
) -> None:
    async with chatting(at_once) as chat:
        others = [Chat(chat.assistant, at_once, thread=str(n)) for n in range(3)]
        same = [Chat(chat.assistant, at_once, thread="0") for _ in range(2)]
        told = await asyncio.gather(*(one.say("list databits") for one in [*others, *same]))
        assert told == ["No databits."] * 5
        assert len(await chat.assistant.history("0")) == 6


async def test_a_call_that_a_crash_left_open_is_closed_in_the_next_turn(at_once: Embedded) -> None:
    async with chatting(at_once) as chat:
        events = chat.assistant.turn("t", "list databits")
        async for event in events:
            if isinstance(event, ToolStarted):
                break
        await events.aclose()  # type: ignore[attr-defined]
        await chat.say("list sources")
        state = await chat.assistant._state("t")
        messages = state.values["messages"]
        calls = {c["id"] for m in messages if isinstance(m, AIMessage) for c in m.tool_calls}
        assert calls == {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}


class Scripted(BaseChatModel):
    """A language model that says what the test wrote, for the supervisor and specialists alike."""

    lines: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        if not self.lines:
            raise ConnectionError("the endpoint is down")
        return ChatResult(generations=[ChatGeneration(message=self.lines.pop(0))])


def calling(tool: str, **args: Any) -> AIMessage:
    call = {"name": tool, "args": args, "id": f"call_{tool}", "type": "tool_call"}
    return AIMessage("", tool_calls=[call])


async def test_a_language_model_works_through_the_specialists(
    at_once: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        calling("template", request="list the databits"),
        calling("list_databits"),
        AIMessage("There are none."),
        AIMessage("You have no Databits yet."),
    ]
    monkeypatch.setattr(runtime, "chat_model", lambda _: Scripted(lines=lines))
    async with chatting(at_once) as chat:
        assert await chat.say("what do we have?") == "You have no Databits yet."
        assert chat.calls == [("list_databits", {})]


async def test_when_the_model_is_down_the_planner_takes_over_and_says_so(
    at_once: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "chat_model", lambda _: Scripted(lines=[]))
    async with chatting(at_once) as chat:
        told = await chat.say("list databits; list sources")
        assert told.startswith(FELL_BACK)
        assert told.count(FELL_BACK) == 1
        assert [tool for tool, _ in chat.calls] == ["list_databits", "list_sources"]


async def test_of_two_plans_each_is_decided_by_itself(
    at_once: Embedded, tickets_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chatting(at_once) as chat:
        await ready(chat, tickets_csv)
    both = AIMessage(
        "",
        tool_calls=[
            {"name": "bulk_label", "id": f"call_{label}", "type": "tool_call"}
            | {"args": {"databit": "support", "label": label, "verdict": "reject"}}
            for label in ("billing", "login")
        ],
    )
    lines = [calling("curate", request="…"), both, AIMessage("Both asked."), AIMessage("Done.")]
    monkeypatch.setattr(runtime, "chat_model", lambda _: Scripted(lines=lines))
    async with chatting(at_once) as chat:
        await chat.say("reject what is suggested billing or login")
        assert len(chat.asked) == 2
        assert await chat.decide(True) == ""
        assert len(chat.asked) == 1  # the other one still waits
        assert await chat.decide(False) == "Done."
        assert {event.ok for event in chat.finished} == {True, False} or len(chat.finished) == 1
