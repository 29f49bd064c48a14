"""The adapter over a small server: metadata, errors, questions as interrupts, who is acting."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import pytest
import uvicorn
from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from mcp.server import MCPServer
from mcp.server.mcpserver import Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field, create_model

from agent import approval
from agent.client import DECLINED, Target, ToolClient, acting_as
from databits.actor import Actor

pytestmark = pytest.mark.anyio
THREAD: Any = {"configurable": {"thread_id": "t"}}


class Scripted(BaseChatModel):
    """Makes one call and then repeats what came of it."""

    call: dict[str, Any]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        answer = (
            AIMessage(f"[{last.status}] {last.text}")
            if isinstance(last, ToolMessage)
            else AIMessage("", tool_calls=[{"id": "1", "type": "tool_call", **self.call}])
        )
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Shop:
    """What the server keeps, apart from the server, which may be restarted."""

    def __init__(self) -> None:
        self.count = 100
        self.asked = 0
        self.removed: list[int] = []
        self.seen: list[tuple[Actor | None, str]] = []


class Answer(BaseModel):
    approve: bool
    plan: str


def serve(shop: Shop) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("shop", log_level="ERROR")

    @server.tool(
        meta={"stage": "data", "examples": ["who am I"]},
        annotations=ToolAnnotations(read_only_hint=True),
    )
    def who(greeting: str | None = None) -> dict[str, str]:
        """Say who is acting."""
        actor = acting_as.get()
        shop.seen.append((actor, threading.current_thread().name))
        return {"name": actor.name if actor else "nobody", "greeting": greeting or "none"}

    @server.tool()
    def fail() -> dict[str, str]:
        """Fail."""
        raise ToolError("Not found: there is no such thing. who says who is acting.")

    def ask() -> Elicit[Answer]:
        shop.asked += 1
        field = Field(default=f"plan-{shop.count}")
        return Elicit(
            f"Remove {shop.count}?", create_model("A", __base__=Answer, plan=(str, field))
        )

    @server.tool()
    def remove(answer: Annotated[Answer, Resolve(ask)]) -> dict[str, int]:
        """Remove everything."""
        if answer.plan != f"plan-{shop.count}":
            raise ToolError("Conflict: the plan has moved on.")
        shop.removed.append(shop.count)
        return {"removed": shop.count}

    return server


@asynccontextmanager
async def agent(
    target: Target, name: str, saver: BaseCheckpointSaver[Any] | None = None, **args: Any
) -> AsyncIterator[Any]:
    async with ToolClient(target) as client:
        model = Scripted(call={"name": name, "args": args})
        yield create_agent(model, await client.tools(), checkpointer=saver or InMemorySaver())


async def begin(graph: Any) -> Any:
    await graph.ainvoke({"messages": [HumanMessage("go")]}, THREAD)
    return await graph.aget_state(THREAD)


async def decide(graph: Any, approve: bool) -> str:
    state = await graph.aget_state(THREAD)
    asked = state.interrupts[0]
    done = await graph.ainvoke(
        Command(resume={asked.id: approval.answer(asked.value, approve)}), THREAD
    )
    return str(done["messages"][-1].text)


async def test_tools_carry_what_the_server_says_of_them() -> None:
    async with ToolClient(serve(Shop())) as client:
        who = next(tool for tool in await client.tools() if tool.name == "who")
    assert who.metadata is not None
    assert who.metadata["meta"]["examples"] == ["who am I"]
    assert who.metadata["annotations"]["read_only_hint"] is True
    assert "greeting" in who.metadata["input_schema"]["properties"]


async def test_a_result_is_text_for_the_model_and_data_for_programs() -> None:
    async with agent(serve(Shop()), "who", greeting=None) as graph:
        state = await begin(graph)
    message = state.values["messages"][-2]
    assert message.artifact == {"name": "nobody", "greeting": "none"}


async def test_the_actor_reaches_an_in_memory_server_through_tasks_and_threads() -> None:
    shop = Shop()
    acting_as.set(Actor("ann", "labeler", "chat"))
    async with agent(serve(shop), "who") as graph:
        await begin(graph)
    actor, thread = shop.seen[0]
    assert actor is not None
    assert actor.name == "ann"
    assert thread != threading.main_thread().name


async def test_a_refusal_is_an_error_the_model_can_read() -> None:
    async with agent(serve(Shop()), "fail") as graph:
        state = await begin(graph)
    message = state.values["messages"][-2]
    assert message.status == "error"
    assert "who says who is acting" in message.text


async def test_a_question_stops_the_graph_and_a_yes_goes_on() -> None:
    shop = Shop()
    async with agent(serve(shop), "remove") as graph:
        state = await begin(graph)
        question = state.interrupts[0].value
        assert question["tool"] == "remove"
        assert question["message"] == "Remove 100?"
        assert shop.removed == []
        assert "100" in await decide(graph, True)
    assert shop.removed == [100]


async def test_a_no_does_nothing() -> None:
    shop = Shop()
    async with agent(serve(shop), "remove") as graph:
        await begin(graph)
        assert DECLINED in await decide(graph, False)
        assert (await graph.aget_state(THREAD)).interrupts == ()
    assert shop.removed == []


async def test_a_yes_to_100_is_no_yes_to_5000() -> None:
    shop = Shop()
    async with agent(serve(shop), "remove") as graph:
        await begin(graph)
        shop.count = 5000
        await decide(graph, True)
        asked_again = (await graph.aget_state(THREAD)).interrupts[0].value
        assert asked_again["message"] == "Remove 5000?"
        assert shop.removed == []
        await decide(graph, True)
    assert shop.removed == [5000]


async def test_a_server_restarted_while_a_person_thinks_still_takes_the_answer() -> None:
    shop, saver = Shop(), InMemorySaver()
    async with agent(serve(shop), "remove", saver) as graph:
        await begin(graph)
    async with agent(serve(shop), "remove", saver) as graph:  # it signs its notes with a new key
        await decide(graph, True)
    assert shop.removed == [100]


@contextmanager
def listening(server: MCPServer[Any], port: int) -> Iterator[str]:
    app = server.streamable_http_app(stateless_http=True, json_response=True)
    web = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=web.run)
    thread.start()
    while not web.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/mcp"
    web.should_exit = True
    thread.join()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def test_the_same_over_http_across_a_restart(free_port: int) -> None:
    shop = Shop()
    with listening(serve(shop), free_port) as url:
        async with agent(url, "remove") as graph:
            await begin(graph)
            saved = graph
    with listening(serve(shop), free_port):
        assert "100" in await decide(saved, True)
    assert shop.removed == [100]


async def test_a_server_that_is_down_is_told_as_such(free_port: int) -> None:
    shop = Shop()
    with listening(serve(shop), free_port) as url:
        async with agent(url, "who") as graph:
            saved: Callable[..., Any] = graph.ainvoke
    done = await saved({"messages": [HumanMessage("go")]}, THREAD)
    assert "can not be reached" in done["messages"][-1].text
