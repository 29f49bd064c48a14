"""`search_tools` and `run_tool`: the way to the tools that are not listed."""

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from databits.actor import Role
from databits.errors import DatabitsError, Invalid, NotAllowed, NotFound
from databits.operation import CATALOGUE, Effect, Operation, schema_of
from mcp_server.arguments import AsTheyCame, model_schema
from mcp_server.reply import refusal, reply
from mcp_server.search import Index
from mcp_server.surface import LONG_TAIL, RUN_TOOL, SEARCH_TOOLS, Surface, View

ToolFunction = Callable[..., Awaitable[CallToolResult]]


class Searched(BaseModel):
    """What `search_tools` takes."""

    model_config = ConfigDict(extra="forbid")
    query: Annotated[str, Field(description="What you want to do", min_length=1, max_length=400)]
    limit: Annotated[int, Field(description="At most so many", ge=1, le=20)] = 5


class Asked(BaseModel):
    """What `run_tool` takes."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(description="As search_tools gives it")]
    arguments: Annotated[dict[str, Any], Field(description="By its input_schema")] = {}


class FoundTool(BaseModel):
    name: str
    description: str
    effect: Effect = Field(description="read, write (can be undone), or consequential (a plan)")
    role: Role = Field(description="The least role that may run it")
    input_schema: dict[str, Any]


class FoundTools(BaseModel):
    tools: list[FoundTool] = Field(description="Best first")
    next: str = Field("", description="How to go on")


def long_tail(surface: Surface) -> list[Tool]:
    """Both tools, for callers as `surface` sees them."""
    read = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    # It is as dangerous as the most dangerous tool behind it.
    anything = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
    )
    return [
        _tool(SEARCH_TOOLS, _SEARCH, Searched, read, _search(surface), schema_of(FoundTools)),
        _tool(RUN_TOOL, _RUN, Asked, anything, _refuse(surface), None),
    ]


_SEARCH = "Find tools that are not listed, by what they do; run_tool runs them."
_RUN = "Run any tool by name, as if it were listed. A consequential one asks a person, or makes a plan."


def _search(surface: Surface) -> ToolFunction:
    async def search(arguments: Mapping[str, Any], ctx: Context[Any, Any]) -> CallToolResult:
        try:
            asked = _parse(SEARCH_TOOLS, Searched, arguments)
            view = await surface.view(ctx.request_context)
        except DatabitsError as error:
            return refusal(error)
        found = [_found(op) for op in _best(view, asked.query, asked.limit)]
        hint = "Run one with run_tool." if found else f"Nothing fits. {_names(view)}"
        return reply(FoundTools(tools=found, next=hint))

    return search


def _refuse(surface: Surface) -> ToolFunction:
    """What is left for `run_tool` itself: calls that are no call of a tool. See `surface`."""

    async def refuse(arguments: Mapping[str, Any], ctx: Context[Any, Any]) -> CallToolResult:
        try:
            asked = _parse(RUN_TOOL, Asked, arguments)
            view = surface.limits(ctx.request_context)
            raise _wrong_with(asked.name, view)
        except DatabitsError as error:
            return refusal(error)

    return refuse


def _wrong_with(name: str, view: View) -> DatabitsError:
    """Why a name is none that `run_tool` runs."""
    op = CATALOGUE.get(name)
    if name in LONG_TAIL:
        return Invalid(f"{RUN_TOOL} runs operations; {name} is none. Call it directly.")
    if op is None:
        near = [found.name for found in _best(view, name.replace("_", " "), 3)]
        said = f" Near: {', '.join(near)}." if near else ""
        where = "" if view.free else " in the toolsets that you may use"
        return NotFound(f"There is no tool of that name{where}.{said} search_tools finds tools.")
    if op.people_only:
        return NotAllowed(f"{name} is for people: with the command `databits {name}`, or the page.")
    return view.refusal(op) or Invalid(f"{name} was not run. Call it by name.")


def _best(view: View, query: str, limit: int) -> list[Operation]:
    return [op for op in _index(len(CATALOGUE)).search(query, len(CATALOGUE)) if view.may_run(op)][
        :limit
    ]


@lru_cache(maxsize=1)
def _index(size: int) -> Index:
    """The index of the catalogue; another size is another catalogue."""
    return Index(op for op in CATALOGUE.values() if not op.people_only)


def _names(view: View) -> str:
    return f"There are {', '.join(sorted(n for n, op in CATALOGUE.items() if view.may_run(op)))}."


def _found(op: Operation) -> FoundTool:
    about = op.description.split("\n\n")[0].replace("\n", " ")
    return FoundTool(
        name=op.name,
        description=about,
        effect=op.effect,
        role=op.role,
        input_schema=model_schema(op),
    )


def _parse(name: str, model: type[Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        takes = ", ".join(model.model_fields)
        raise Invalid(
            f"{name} was not run. {where}: {problem['msg'].lower()}. It takes: {takes}."
        ) from None


def _tool(
    name: str,
    description: str,
    takes: type[BaseModel],
    hints: ToolAnnotations,
    fn: ToolFunction,
    gives: dict[str, Any] | None,
) -> Tool:
    schema = schema_of(takes, "validation")
    schema.pop("description", None)
    return Tool(
        fn=fn,
        name=name,
        title=name.replace("_", " ").capitalize(),
        description=description,
        parameters=schema,
        fn_metadata=AsTheyCame.of(schema, gives),
        is_async=True,
        context_kwarg="ctx",
        annotations=hints,
    )
