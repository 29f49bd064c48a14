"""Lineage as a picture: what an asset was made from on its left, what was made from it on its right."""

from typing import NamedTuple

from databits.types import KINDS
from mcp_server.tools.registry.trace_lineage import LineageEdge, LineageGraph
from ui.pages import render

COLUMN, ROW, WIDTH, HEIGHT = 174, 58, 144, 44
SHOWN = 6
"""Assets drawn in one column; what is beyond is said as a number."""


class Box(NamedTuple):
    kind: str
    name: str
    x: int
    y: int
    asset: str
    """What a click asks for; empty for a box that stands for several."""
    chosen: bool = False


class Line(NamedTuple):
    x1: int
    y1: int
    x2: int
    y2: int
    relation: str


class Picture(NamedTuple):
    boxes: list[Box]
    lines: list[Line]
    width: int
    height: int


def draw(graph: LineageGraph) -> str:
    """The graph as escaped SVG."""
    return render("lineage.html", graph=graph, picture=layout(graph), box=(WIDTH, HEIGHT))


def layout(graph: LineageGraph) -> Picture:
    """Columns by the number of steps from the asset; sources left, what came of it right."""
    columns = {name: -step for name, step in _steps(graph.asset, graph.up).items()}
    columns |= {
        name: step for name, step in _steps(graph.asset, graph.down).items() if name not in columns
    }
    # Circles leave columns empty: only those that hold something are drawn.
    order = {column: n for n, column in enumerate(sorted(set(columns.values())))}
    columns = {name: order[column] for name, column in columns.items()}
    placed: dict[int, list[str]] = {}
    for name, column in columns.items():
        placed.setdefault(column, []).append(name)
    unseen = _unseen(graph, columns)
    uncounted = {columns[edge.target] for edge in (*graph.up, *graph.down) if edge.more}
    heights = {
        column: min(len(names), SHOWN) + bool(_rest(names, unseen.get(column, 0)))
        for column, names in placed.items()
    }
    tallest = max(heights.values())
    boxes: dict[str, Box] = {}
    several: list[Box] = []
    for column, names in placed.items():
        x, top = column * COLUMN, (tallest - heights[column]) * ROW // 2
        for n, name in enumerate(names[:SHOWN]):
            kind, _, label = name.partition(":")
            boxes[name] = Box(kind, _short(label), x, top + n * ROW, name, name == graph.asset)
        rest = _rest(names, unseen.get(column, 0))
        if rest:
            least = "over " if column in uncounted else ""
            y = top + (heights[column] - 1) * ROW
            several.append(Box("and", f"{least}{rest:,} more", x, y, ""))
    return Picture(
        [*boxes.values(), *several],
        [line for edge in _flow(graph) if (line := _line(boxes, edge))],
        max(placed) * COLUMN + WIDTH,
        tallest * ROW - (ROW - HEIGHT),
    )


def _steps(start: str, edges: list[LineageEdge]) -> dict[str, int]:
    """Steps from the start to everything the edges reach, by the longest way, so that arrows point on.

    Improvement goes round in circles (a model's answer becomes an item that trains the next one):
    the number of passes is what ends those.
    """
    found = {start: 0}
    for _ in range(len(KINDS)):
        for edge in edges:
            if edge.source in found and edge.target != start:
                step = min(found[edge.source] + 1, len(KINDS))
                found[edge.target] = max(found.get(edge.target, 0), step)
    return found


def _unseen(graph: LineageGraph, columns: dict[str, int]) -> dict[int, int]:
    """How many neighbours the graph leaves out, by the column they would stand in."""
    groups: dict[tuple[str, str], list[LineageEdge]] = {}
    for edge in (*graph.up, *graph.down):
        groups.setdefault((edge.source, edge.relation), []).append(edge)
    found: dict[int, int] = {}
    for edges in groups.values():
        column = columns[edges[0].target]
        found[column] = found.get(column, 0) + edges[0].of - len(edges)
    return found


def _rest(names: list[str], unseen: int) -> int:
    """How many assets of a column are not drawn."""
    return max(0, len(names) - SHOWN) + unseen


def _flow(graph: LineageGraph) -> list[tuple[str, str, str]]:
    """(from, to, relation) in the direction in which data flowed."""
    up = [(e.target, e.source, e.relation) for e in graph.up]
    return up + [(e.source, e.target, e.relation) for e in graph.down]


def _line(boxes: dict[str, Box], edge: tuple[str, str, str]) -> Line | None:
    start, end = boxes.get(edge[0]), boxes.get(edge[1])
    if start is None or end is None:
        return None
    half = HEIGHT // 2
    return Line(start.x + WIDTH, start.y + half, end.x, end.y + half, edge[2])


def _short(name: str) -> str:
    return name if len(name) <= 15 else name[:14] + "…"
