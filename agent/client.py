"""The MCP server's tools as LangChain tools.

A question of the server (`InputRequiredResult`) becomes a LangGraph `interrupt`. What the server
asked is kept in the checkpoint as a task's result, so a resumed graph knows the very question that
the person saw: their answer counts for that question only, and a call that ran is not run again.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, Self, TypedDict

import httpx2
from langchain_core.tools import StructuredTool, ToolException
from langgraph.func import task
from langgraph.types import interrupt
from mcp import Client, MCPError, types
from mcp.client import Transport
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

from databits.actor import Actor
from mcp_server.arguments import with_entities

acting_as: ContextVar[Actor | None] = ContextVar("acting_as", default=None)
"""The person an in-memory call is made for; the server's `identify` reads it.

It reaches the operation because an in-memory call runs in the caller's context, worker threads
included. Over HTTP the server identifies the caller by the request itself.
"""

Target = MCPServer | str
_EVERY_TOOL = {"X-MCP-Toolsets": "all"}  # each specialist takes its own from them
DECLINED = "A person declined, so nothing was done."


class Question(TypedDict):
    """What an interrupt holds: one question of the server about one call."""

    tool: str
    arguments: dict[str, Any]
    key: str
    message: str
    schema: dict[str, Any]


class Answer(TypedDict, total=False):
    """What an interrupt is resumed with; `content` follows the question's schema."""

    action: str
    content: dict[str, Any]


class Reply(TypedDict):
    """One answer of the server, plain enough for a checkpoint."""

    text: str
    data: dict[str, Any]
    error: bool
    questions: dict[str, list[Any]]
    """Key → [message, schema]; empty when the call is over."""
    state: str | None
    """The server's own note on a call that asked."""


class ToolClient:
    """Calls one MCP server: in memory over a session that is held, over HTTP over one a call.

    A held HTTP session would stay dead after the server's restart; a fresh one costs little.
    """

    def __init__(self, target: Target, *, auth: httpx2.Auth | None = None) -> None:
        self._target = target
        self._auth = auth
        self._held: Client | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if isinstance(self._target, MCPServer):
            self._held = await self._stack.enter_async_context(_client(self._target))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._held = None
        await self._stack.aclose()

    async def tools(self) -> list[StructuredTool]:
        """Every tool the server lists, with its metadata under `metadata`."""
        found: list[types.Tool] = []
        async with self._session() as client:
            page = await client.list_tools()
            found += page.tools
            while page.next_cursor:
                page = await client.list_tools(cursor=page.next_cursor)
                found += page.tools
        return [self._adapt(tool) for tool in found]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Reply:
        """Call a tool once.

        Raises:
            ToolException: the server can not be reached or refuses the request as such.
        """
        return await self._send(name, arguments, {}, None)

    async def settle(
        self, name: str, arguments: Mapping[str, Any], asked: Reply, answers: Mapping[str, Answer]
    ) -> Reply:
        """Take a person's answers to the server; they count for the questions in `asked` only.

        A yes starts with a call afresh: the server may have been restarted while the person was
        thinking, and then knows nothing of its note. When it asks something else by now, its new
        questions are returned, unanswered.
        """
        if declined(answers):
            return await self._send(name, arguments, answers, asked["state"])
        fresh = await self._send(name, arguments, {}, None)
        if not fresh["questions"] or fresh["questions"] != asked["questions"]:
            return fresh
        return await self._send(name, arguments, answers, fresh["state"])

    async def _send(
        self,
        name: str,
        arguments: Mapping[str, Any],
        answers: Mapping[str, Answer],
        state: str | None,
    ) -> Reply:
        responses: types.InputResponses = {
            key: types.ElicitResult.model_validate(answer) for key, answer in answers.items()
        }
        try:
            async with self._session() as client:
                result = await client.session.call_tool(
                    name,
                    dict(arguments),
                    input_responses=responses or None,
                    request_state=state,
                    allow_input_required=True,
                )
        except MCPError as error:
            raise ToolException(error.error.message) from error
        except (OSError, httpx2.HTTPError, ExceptionGroup) as error:
            raise ToolException("The workbench's server can not be reached; try again.") from error
        return _reply(result)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Client]:
        if self._held is not None:
            yield self._held
        elif isinstance(self._target, MCPServer):
            raise RuntimeError("an in-memory ToolClient is used inside `async with`")
        else:
            async with httpx2.AsyncClient(
                auth=self._auth, timeout=httpx2.Timeout(30, read=300), headers=_EVERY_TOOL
            ) as http:
                transport = streamable_http_client(self._target, http_client=http)
                async with _client(transport) as client:
                    yield client

    def _adapt(self, tool: types.Tool) -> StructuredTool:
        @task
        async def begin(arguments: dict[str, Any]) -> Reply:
            return await self.call(tool.name, arguments)

        @task
        async def go_on(
            arguments: dict[str, Any], asked: Reply, answers: dict[str, Answer]
        ) -> Reply:
            return await self.settle(tool.name, arguments, asked, answers)

        async def run(**given: Any) -> tuple[str, dict[str, Any]]:
            # Models write null for "not said"; the server's own default is meant.
            arguments = {key: value for key, value in given.items() if value is not None}
            reply = await begin(arguments)
            while reply["questions"]:
                answers = _ask(tool.name, arguments, reply)
                if declined(answers):
                    with suppress(ToolException):  # it only takes note
                        await go_on(arguments, reply, answers)
                    return DECLINED, {"declined": True}
                reply = await go_on(arguments, reply, answers)
            if reply["error"]:
                raise ToolException(reply["text"])
            return reply["text"], reply["data"]

        return StructuredTool(
            name=tool.name,
            description=tool.description or tool.name,
            args_schema=tool.input_schema,
            coroutine=run,
            response_format="content_and_artifact",
            handle_tool_error=True,
            metadata=_metadata(tool),
        )


def _metadata(tool: types.Tool) -> dict[str, Any]:
    """What the server says of a tool beyond what a model reads."""
    hints = tool.annotations.model_dump(exclude_none=True) if tool.annotations else {}
    meta = dict(tool.meta or {})
    schema = with_entities(tool.input_schema, meta.get("entities", {}))
    return {"meta": meta, "annotations": hints, "input_schema": schema}


def _client(target: MCPServer | Transport) -> Client:
    return Client(
        target,
        elicitation_callback=_unasked,
        client_info=types.Implementation(name="databits-agent", version="1"),
    )


async def _unasked(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult | types.ErrorData:
    """Never reached on a 2026-07-28 server; its presence declares that questions can be asked."""
    return types.ErrorData(
        code=types.INVALID_REQUEST, message="Ask within the call's result (input_required)."
    )


def declined(answers: Mapping[str, Answer]) -> bool:
    return any(answer["action"] != "accept" for answer in answers.values())


def _ask(tool: str, arguments: dict[str, Any], reply: Reply) -> dict[str, Answer]:
    """Put the questions to a person; the graph stops here until all are answered."""
    return {
        key: interrupt(
            Question(tool=tool, arguments=arguments, key=key, message=message, schema=schema)
        )
        for key, [message, schema] in reply["questions"].items()
    }


def _reply(result: types.CallToolResult | types.InputRequiredResult) -> Reply:
    if isinstance(result, types.CallToolResult):
        text = "\n".join(b.text for b in result.content if isinstance(b, types.TextContent))
        data = result.structured_content or {}
        return Reply(text=text, data=data, error=bool(result.is_error), questions={}, state=None)
    questions: dict[str, list[Any]] = {}
    for key, request in (result.input_requests or {}).items():
        params = request.params
        if not isinstance(params, types.ElicitRequestFormParams):
            raise ToolException("The server asked for something a person can not fill in here.")
        questions[key] = [params.message, params.requested_schema]
    return Reply(text="", data={}, error=False, questions=questions, state=result.request_state)
