"""Cards: small pages that hosts with MCP Apps show beside the result of a tool.

A card is bound to tools that are there anyway, and calls nothing but tools, so it may do what its
caller may do. Hosts without support, and models, get the text and structured content as ever.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from mcp.server.apps import Apps, ResourceCsp, client_supports_apps
from mcp.server.context import ServerRequestContext

from databits.operation import Operation


class Card(NamedTuple):
    uri: str
    file: str
    title: str
    description: str
    tools: tuple[str, ...]
    """Those whose results it shows."""
    calls: tuple[str, ...] = ()
    """Others that it calls."""


CARDS = (
    Card(
        "ui://databits/review.html",
        "review.html",
        "Review items",
        "Shows claimed items one by one; a person approves, corrects, skips and undoes.",
        ("claim_items",),
        (
            "approve_labels",
            "correct_labels",
            "skip_items",
            "undo_change",
            "release_items",
            "get_item",
            "queue_status",
            "get_databit",
        ),
    ),
    Card(
        "ui://databits/plot.html",
        "plot.html",
        "Monitor",
        "Draws an endpoint's requests, latency and answers, or what moved since training.",
        ("query_metrics", "query_drift"),
    ),
)
_URI = {tool: card.uri for card in CARDS for tool in card.tools}


def cards_of(operations: Iterable[Operation]) -> Apps:
    """The extension, with the cards that belong to these operations."""
    offered = {op.name for op in operations}
    apps = Apps()
    for card in CARDS:
        if offered.intersection(card.tools):
            apps.add_html_resource(
                card.uri,
                page(card.file),
                name=card.file.removesuffix(".html"),
                title=card.title,
                description=card.description,
                csp=ResourceCsp(),  # no origin but its own: a card asks nobody else for anything
                prefers_border=True,
            )
    return apps


def ui_of(tool: str) -> dict[str, Any]:
    """What a tool's `_meta` says of its card; nothing for a tool without one."""
    return {"ui": {"resourceUri": _URI[tool]}} if tool in _URI else {}


def with_helpers(
    ctx: ServerRequestContext[Any, Any],
    listed: list[dict[str, Any]],
    callable_: Iterable[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The listed tools and, for a host with cards, those that its cards call and its model does not see.

    A host may refuse what a card calls if it is not listed; marked so, it costs the model nothing.
    A labeler's card is told by the workbench, not by the host, that approving takes a reviewer.
    """
    names = {tool["name"] for tool in listed}
    wanted = {name for card in CARDS if names.intersection(card.tools) for name in card.calls}
    if not wanted - names or not client_supports_apps(ctx):
        return listed
    return listed + [
        {**tool, "_meta": {**tool.get("_meta", {}), "ui": {"visibility": ["app"]}}}
        for tool in callable_
        if tool["name"] in wanted - names
    ]


@cache
def page(file: str) -> str:
    """A card as one document: with the style and script that cards share, without indents and comments.

    Hosts keep a copy each time a card is shown, so it is kept small.
    """
    folder = files(__package__) / "cards"
    text = (folder / file).read_text(encoding="utf-8")
    for part in ("view.css", "view.js"):
        text = text.replace(f"/* {part} */", (folder / part).read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines()]
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    head, style, rest = text.partition("</style>")
    return re.sub(r" ?([{};:,]) ", r"\1", head) + style + rest
