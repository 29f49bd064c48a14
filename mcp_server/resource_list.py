"""The short list of resources: what runs or waits to, the Databits, the endpoints, and what extensions offer."""

from collections.abc import Callable, Collection
from typing import Any

from mcp.types import Annotations, Resource
from pydantic import BaseModel

from databits.errors import DatabitsError
from databits.model import Databit, Endpoint, Page, Run
from mcp_server.paging import cursor, position
from mcp_server.reading import Ctx, Reader, protocol_error
from mcp_server.resources import JSON

LISTED = 50
"""Resources a page."""
LISTS = ("list_runs", "list_databits", "list_endpoints")
_READS: dict[str, tuple[str, dict[str, Any]]] = {
    "running": ("list_runs", {"state": "running"}),
    "queued": ("list_runs", {"state": "queued"}),
    "databits": ("list_databits", {}),
    "endpoints": ("list_endpoints", {}),
}
_SECTIONS = (*_READS, "others")


async def page(
    reader: Reader, ctx: Ctx, given: str | None, others: list[Resource]
) -> tuple[list[Resource], str | None]:
    """A page of the short list: what runs, the Databits, the endpoints, then what others offer.

    Returns:
        The resources, and the cursor of the next page.

    Raises:
        MCPError: for a wrong cursor.
    """
    section, after = position(given, _SECTIONS) if given is not None else (_SECTIONS[0], 0)
    rows: list[Resource] = []
    for name in _SECTIONS[_SECTIONS.index(section) :]:
        room = LISTED - len(rows)
        if not room:
            return rows, cursor(name, 0)
        found, on = await _section(reader, ctx, name, after, room, others)
        rows += found
        if on is not None:
            return rows, cursor(name, on)
        after = 0
    return rows, None


async def _section(
    reader: Reader, ctx: Ctx, name: str, after: int, room: int, others: list[Resource]
) -> tuple[list[Resource], int | None]:
    if name == "others":
        rest = others[after:]
        return rest[:room], after + room if len(rest) > room else None
    operation, more = _READS[name]
    if not reader.offers(ctx, operation):
        return [], None
    try:
        found = await reader.read(ctx, operation, {"after": after, "limit": room, **more})
    except DatabitsError as error:
        raise protocol_error(error) from None
    assert isinstance(found, Page)
    return [_listed(row) for row in found.rows], found.next


def _listed(row: Databit | Endpoint | Run) -> Resource:
    if isinstance(row, Run):
        uri, title = f"run://{row.id}", f"Run {row.id}: {row.operation}"
        said, weight = f"{row.state}, {row.progress:.0%}", 0.8
    elif isinstance(row, Databit):
        uri, title = f"databit://{row.name}", f"Databit {row.name} {row.version}"
        said, weight = f"{row.status}; {row.approved:,} of {row.items:,} items approved", 0.5
    else:
        uri, title = f"endpoint://{row.name}", f"Endpoint {row.name}"
        said, weight = f"{row.status}, serves {row.model or 'nothing'}", 0.5
    return Resource(
        uri=uri,
        name=uri.replace("://", "_"),
        title=title,
        description=said,
        mime_type=JSON,
        annotations=Annotations(priority=weight),
    )


def listing(run: Callable[[str, dict[str, Any]], BaseModel], offered: Collection[str]) -> str:
    """A text that is another one once the list is: what runs, and which Databits and endpoints there are."""
    found: list[Any] = []
    for name, more in _READS.values():
        if name in offered:
            page = run(name, {"limit": LISTED, **more})
            assert isinstance(page, Page)
            found += [page.total, *(_listed(row).uri for row in page.rows)]
    return repr(found)
