"""Prompts: what people can start with a slash in their editor.

Each is a request in a person's words (`prompts/for_clients/`), followed by what the workbench knows
about it, read as the caller and marked as data. A prompt is offered where what it reads is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptResult,
    PromptArgument,
    PromptMessage,
    TextContent,
)
from mcp.types import Prompt as Listed

from databits.errors import DatabitsError
from databits.model import NameKind
from databits.operation import CATALOGUE
from mcp_server import prompt_data
from mcp_server.marked import IT_IS_DATA, marked
from mcp_server.reading import Ctx, Reader, protocol_error
from mcp_server.surface import View
from prompts import load

_PLACEHOLDER = re.compile(r"\{\{ ([a-z]+) \}\}")
WORDS = 2_000
"""Characters of an argument at most."""


@dataclass(frozen=True)
class Argument:
    name: str
    description: str
    kind: NameKind | None = None
    """What it names, so that it can be completed."""
    required: bool = True


@dataclass(frozen=True)
class Prompt:
    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    data: prompt_data.Gather
    reads: tuple[str, ...]
    """Operations that the data comes from."""

    def listed(self) -> Listed:
        told = [
            PromptArgument(name=a.name, description=a.description, required=a.required)
            for a in self.arguments
        ]
        return Listed(
            name=self.name, title=self.title, description=self.description, arguments=told
        )


_DATABIT = Argument("databit", "Databit, by name", "databit")
PROMPTS = (
    Prompt(
        "labelling_guide",
        "Labelling guide",
        "Write a guide for labelers from a Databit's labels, guidelines and approved items.",
        (_DATABIT,),
        prompt_data.labelling_guide,
        ("get_databit", "list_items"),
    ),
    Prompt(
        "review_session",
        "Review items together",
        "Go through a Databit's queue: items are shown one by one, you decide.",
        (_DATABIT,),
        prompt_data.review_session,
        ("get_databit", "queue_status"),
    ),
    Prompt(
        "design_databit",
        "Design a Databit",
        "Find labels and guidelines for the records of a source.",
        (
            Argument("source", "Source, by name", "source"),
            Argument("purpose", "What the labels are for, in a sentence", required=False),
        ),
        prompt_data.design_databit,
        ("get_records",),
    ),
    Prompt(
        "release_check",
        "Release check",
        "Check whether a model should go into production.",
        (Argument("model", "Model as name@version; a bare name: its newest", "model_ref"),),
        prompt_data.release_check,
        ("get_model", "trace_lineage"),
    ),
    Prompt(
        "incident_triage",
        "Incident triage",
        "Find out what is wrong with an endpoint.",
        (Argument("endpoint", "Endpoint, by name", "endpoint"),),
        prompt_data.incident_triage,
        ("get_endpoint", "query_metrics", "list_changes"),
    ),
    Prompt(
        "weekly_review",
        "Weekly review",
        "What moved this week, what is stuck, what needs a person.",
        (Argument("databit", "Databit, by name; default: the newest", "databit", required=False),),
        prompt_data.weekly_review,
        (
            "get_pipeline",
            "queue_status",
            "list_changes",
            "list_runs",
            "list_approvals",
            "list_endpoints",
            "query_metrics",
        ),
    ),
)


def offered(view: View) -> list[Prompt]:
    """The prompts whose data a caller may read."""
    return [p for p in PROMPTS if all(view.may_run(CATALOGUE[name]) for name in p.reads)]


def find(reader: Reader, ctx: Ctx, name: str) -> Prompt:
    """Raises:
    MCPError: when there is none of that name for this caller.
    """
    # A role that does not cover what it reads is the workbench's to refuse, in its own words.
    known = {p.name: p for p in offered(reader.limits(ctx))}
    if name not in known:
        raise MCPError(
            INVALID_PARAMS,
            f"Not found: there is no prompt of that name. Prompts: {', '.join(known) or 'none'}.",
            {"kind": "Not found"},
        )
    return known[name]


async def get(
    reader: Reader, ctx: Ctx, name: str, arguments: Mapping[str, str] | None
) -> GetPromptResult:
    """A prompt's request and its data, as two messages.

    Raises:
        MCPError: for an unknown prompt, wrong arguments, or what the caller may not read.
    """
    prompt = find(reader, ctx, name)
    said = _checked(prompt, arguments or {})
    try:
        blocks = await prompt.data(prompt_data.Look(reader, ctx), said)
    except DatabitsError as error:
        raise protocol_error(error) from None
    # The data has named what the arguments name, so they exist and are no texts of somebody else's.
    shown = {a.name: said.get(a.name) or "the newest" for a in prompt.arguments}
    request = _PLACEHOLDER.sub(lambda found: shown[found[1]], load(f"for_clients/{name}"))
    texts = (f"{request}\n\n{IT_IS_DATA}", "\n".join(marked(*block) for block in blocks))
    return GetPromptResult(
        description=prompt.description,
        messages=[
            PromptMessage(role="user", content=TextContent(type="text", text=text))
            for text in texts
        ],
    )


def _checked(prompt: Prompt, given: Mapping[str, str]) -> dict[str, str]:
    """The arguments, without those left empty."""
    said = {name: value.strip() for name, value in given.items() if value.strip()}
    takes = [a.name if a.required else f"{a.name} (optional)" for a in prompt.arguments]
    wrong = sorted(said.keys() - {a.name for a in prompt.arguments})
    missing = [a.name for a in prompt.arguments if a.required and a.name not in said]
    long = [name for name, value in said.items() if len(value) > WORDS]
    for problem, names in (("unknown", wrong), ("missing", missing), ("too long", long)):
        if names:
            raise MCPError(
                INVALID_PARAMS,
                # Unknown names are not repeated: they are the caller's own words.
                f"Invalid: {problem} argument{'' if problem == 'unknown' else ' ' + ', '.join(names)}. "
                f"{prompt.name} takes: {', '.join(takes)}.",
                {"kind": "Invalid"},
            )
    return said
