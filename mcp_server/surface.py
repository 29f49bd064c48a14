"""What a caller sees of the tools, and what they may call: by toolsets, read-only, and role.

The server, a token and the headers of a request each choose toolsets; none can widen what another
leaves out. Role decides what is listed and found; a call that a role does not cover goes on to the
workbench, which refuses it in its own words.

`run_tool`, and a tool's earlier name, become a call of the tool itself before anything looks at
them. So everything that happens to a direct call happens to them too: arguments, questions to a
person, progress, idempotency keys, tasks, limits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from pydantic_core import from_json

from databits.actor import ROLES, Role
from databits.errors import DatabitsError, NotAllowed
from databits.operation import CATALOGUE, Operation
from mcp_server.aliases import RENAMED
from mcp_server.apps import with_helpers
from mcp_server.threads import in_thread
from mcp_server.toolsets import Choice

RUN_TOOL = "run_tool"
SEARCH_TOOLS = "search_tools"
LONG_TAIL = frozenset({RUN_TOOL, SEARCH_TOOLS})

Request = ServerRequestContext[Any, Any]
RoleOf = Callable[[Request], Role | None]


@dataclass(frozen=True)
class Narrowing:
    """What a request is limited to beyond what the server is."""

    choices: tuple[Choice, ...] = ()
    """The last of them says what is listed."""
    read_only: bool = False


NOTHING = Narrowing()


@dataclass(frozen=True)
class View:
    """The tools of one caller."""

    choices: tuple[Choice, ...] = ()
    read_only: bool = False
    role: Role | None = None
    """The highest that they have anywhere; None leaves it to the workbench."""

    def refusal(self, op: Operation) -> DatabitsError | None:
        """Why a call goes no further, whatever the caller's role is."""
        for choice in self.choices:
            if not choice.allows(op):
                return choice.refusal(op)
        if self.read_only and op.effect != "read":
            return NotAllowed(
                f"{op.name} changes something, and this is read-only: by --read-only, DATABITS_READ_ONLY or the "
                "header X-MCP-Readonly. What only reads can be called."
            )
        return None

    @property
    def free(self) -> bool:
        """Whether nothing is ruled out: only then are there tools that are no operations."""
        return not self.read_only and not any(choice.rules_out for choice in self.choices)

    def may_run(self, op: Operation) -> bool:
        covered = self.role is None or ROLES.index(self.role) >= ROLES.index(op.role)
        return covered and not op.people_only and self.refusal(op) is None

    def lists(self, op: Operation) -> bool:
        return self.may_run(op) and (not self.choices or self.choices[-1].lists(op))

    def passes(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of all tools, those whose calls reach the workbench, listed or not; it looks at the role."""
        found = [(tool, CATALOGUE.get(tool["name"])) for tool in tools]
        return [t for t, op in found if op and not op.people_only and self.refusal(op) is None]

    def listed(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of all tools, those to show. What finds and runs others is shown where there are others."""
        known = {tool["name"]: CATALOGUE.get(tool["name"]) for tool in tools}
        runnable = [op for op in known.values() if op is not None and self.may_run(op)]
        more = any(not self.lists(op) for op in runnable)

        def shown(name: str) -> bool:
            op = known[name]
            if name in LONG_TAIL:
                return more
            return self.free if op is None else self.lists(op)

        return [tool for tool in tools if shown(tool["name"])]


@dataclass(frozen=True)
class Surface:
    """A server's middleware that gives every caller their view of its tools."""

    choice: Choice | None = None
    read_only: bool = False
    narrowed: Callable[[Request], Narrowing] = lambda ctx: NOTHING
    role_of: RoleOf = lambda ctx: None
    renamed: Mapping[str, str] = field(default_factory=lambda: RENAMED)

    def limits(self, ctx: Request) -> View:
        """The caller's view, as far as it is known without looking up their role.

        Raises:
            MCPError: when the request chooses a toolset that does not exist.
        """
        try:
            further = self.narrowed(ctx)
        except DatabitsError as error:
            raise MCPError(INVALID_PARAMS, f"{error.phrase}: {error}") from None
        if further == NOTHING:
            return self._own
        return View((*self._own.choices, *further.choices), self.read_only or further.read_only)

    @cached_property
    def _own(self) -> View:
        """What a request sees that chooses nothing."""
        return View((self.choice,) if self.choice else (), self.read_only)

    async def view(self, ctx: Request) -> View:
        return replace(self.limits(ctx), role=await in_thread(self.role_of, ctx))

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call":
            return await self._call(ctx, call_next)
        found = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(found, dict):
            view = await self.view(ctx)
            tools = with_helpers(ctx, view.listed(found["tools"]), view.passes(found["tools"]))
            return {**found, "tools": tools}
        return found

    async def _call(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        params = ctx.params or {}
        meant = call_meant(params)
        name = self.renamed.get(str(meant["name"]), str(meant["name"]))
        op = CATALOGUE.get(name)
        limits = self.limits(ctx)
        if name in LONG_TAIL or (limits.free and (op is None or op.people_only)):
            return await call_next(ctx)  # the server says what is wrong with the name, if anything
        if op is None or op.people_only or limits.refusal(op) is not None:
            # run_tool's own function words the refusal, so that it is a result which a model reads.
            asked = {**params, "name": RUN_TOOL, "arguments": {"name": name}}
        elif name == params.get("name"):
            return await call_next(ctx)  # a direct call, as it came
        else:
            asked = {**params, **meant, "name": name}
        found = await call_next(replace(ctx, params=asked))
        return found if name == meant["name"] else _tell(found, str(meant["name"]), name)


def call_meant(params: Mapping[str, Any]) -> dict[str, Any]:
    """Name and arguments of the call that `run_tool` stands for; of any other call its own."""
    given = params.get("arguments")
    if params.get("name") != RUN_TOOL or not isinstance(given, dict):
        return {"name": params.get("name"), "arguments": given}
    inner = given.get("arguments")
    if isinstance(inner, str):  # as some clients send an object
        try:
            inner = from_json(inner)
        except ValueError:
            return {"name": RUN_TOOL, "arguments": given}
    if not set(given) <= {"name", "arguments"} or not isinstance(inner, dict | None):
        return {"name": RUN_TOOL, "arguments": given}
    return {"name": given.get("name"), "arguments": inner or {}}


def _tell(found: HandlerResult, old: str, new: str) -> HandlerResult:
    """The result with a line about the tool's new name; a question or a task stays as it is."""
    if not isinstance(found, dict) or not isinstance(found.get("content"), list):
        return found
    note = {"type": "text", "text": f"{old} is called {new} now; use that name."}
    return {**found, "content": [*found["content"], note]}
