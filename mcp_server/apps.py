"""Cards: small pages that hosts with MCP Apps show beside the result of a tool.

A card is bound to tools that are there anyway, and calls nothing but tools, so it may do what its
caller may do. Hosts without support, and models, get the text and structured content as ever.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from mcp.server.apps import Apps, ResourceCsp

from databits.operation import Operation


class Card(NamedTuple):
    uri: str
    file: str
    title: str
    description: str
    tools: tuple[str, ...]


CARDS = (
    Card(
        "ui://databits/review.html",
        "review.html",
        "Review items",
        "Shows claimed items one by one; a person approves, corrects, skips and undoes.",
        ("claim_items",),
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
