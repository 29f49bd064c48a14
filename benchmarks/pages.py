"""Pages of long lists: list_items at growing numbers of items, list_changes and search_audit at one.

    python -m benchmarks.pages [--items 10000,100000,1000000] [--events 1000000] [--calls 50]

Every call goes through Workbench.run. The figure is the slowest of the first, middle and last page's
medians. The floor of list_items is the bare SELECT of the same page, joined to its texts.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from benchmarks.audit import fill_events
from benchmarks.databases import Databases, arguments, bare, opened
from benchmarks.importing import DATABIT, import_bare, make_empty, queue_bare
from benchmarks.measure import Line, clocked, machine, median, share, table
from benchmarks.workspace import ADMIN, workbench, write_texts
from databits.platforms.embedded import Embedded

PAGE = 50
_BARE = f"""SELECT i.id, i.state, r.text, i.label, i.suggestion, i.confidence, i.why, i.held_by
  FROM items i JOIN records r ON r.id = i.record_id
  WHERE i.databit_id = 1 AND i.id > ? ORDER BY i.id LIMIT {PAGE + 1}"""
_EVENTS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("list_changes", "list_changes", {}),
    ("list_changes of one of 50 people", "list_changes", {"actor": "person-7"}),
    ("search_audit", "search_audit", {}),
    ("search_audit of one of 50 people", "search_audit", {"actor": "person-7"}),
    ("search_audit of the refused, of which there are 10", "search_audit", {"outcome": "refused"}),
)


class Sizes(NamedTuple):
    items: Sequence[int] = (10_000, 100_000, 1_000_000)
    events: int = 1_000_000
    calls: int = 50
    length: int = 60


SMALL = Sizes(items=(200, 400), events=500, calls=3)


class Page(NamedTuple):
    """Milliseconds of a page: the slowest place's median, its 95 % share, its processor time."""

    middle: float
    high: float
    cpu: float

    def said(self) -> str:
        return f"p95 {self.high:.1f} ms, cpu {self.cpu:.2f} ms"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--items", default="10000,100000,1000000")
    parser.add_argument("--events", type=int, default=Sizes().events)
    parser.add_argument("--calls", type=int, default=Sizes().calls)
    asked = parser.parse_args()
    sizes = Sizes(tuple(map(int, asked.items.split(","))), asked.events, asked.calls)
    with opened(asked.databases) as databases:
        print(machine(databases[0].folder))
        print(
            table([line for d in databases for line in measure(d, SMALL if asked.small else sizes)])
        )


def measure(databases: Databases, sizes: Sizes) -> list[Line]:
    """A line a number of items, how flat that is, and a line a list of events."""
    lines, pages = [], []
    for number in sizes.items:
        floor, product = _items(databases, number, sizes)
        pages.append(product)
        lines.append(
            Line(
                f"page of {PAGE} of {number:,} items",
                databases.name,
                floor,
                product.middle,
                "ms",
                cap=10,
                notes=product.said(),
            )
        )
    lines.append(
        Line(
            f"that page at {sizes.items[-1]:,} beside {sizes.items[0]:,}",
            databases.name,
            pages[0].middle,
            pages[-1].middle,
            "ms",
            most=1.5,
            notes="here the floor is the page of the fewest items",
        )
    )
    return lines + _events(databases, sizes)


def _items(databases: Databases, number: int, sizes: Sizes) -> tuple[float, Page]:
    """(milliseconds of the bare page, of list_items)."""
    url, home, path = databases.new(), databases.folder / "home", databases.folder / "rows.csv"
    make_empty(url, home)
    write_texts(path, number, sizes.length)
    import_bare(url, path)
    queue_bare(url, path)
    path.unlink()
    places = (0, number // 2, number - PAGE)
    with contextlib.closing(bare(url)) as db:
        db.execute("ANALYZE" if databases.name == "sqlite" else "VACUUM ANALYZE")
        sql = _BARE if databases.name == "sqlite" else _BARE.replace("?", "%s")
        floor = _slowest(places, sizes.calls, lambda after: db.execute(sql, (after,)).fetchall())
    with workbench(url, home) as bench:
        said = {"databit": DATABIT, "limit": PAGE}
        product = _slowest(
            places, sizes.calls, lambda after: _page(bench, "list_items", said, after)
        )
    databases.drop(url)
    return floor.middle, product


def _events(databases: Databases, sizes: Sizes) -> list[Line]:
    url, home = databases.new(), databases.folder / "home"
    with workbench(url, home) as bench:
        fill_events(bench, sizes.events)
    with contextlib.closing(bare(url)) as db:
        db.execute("ANALYZE" if databases.name == "sqlite" else "VACUUM ANALYZE")
    lines = []
    with workbench(url, home) as bench:
        for what, name, said in _EVENTS:
            took = _operation(bench, name, {**said, "limit": PAGE}, sizes)
            lines.append(
                Line(
                    f"{what}, {sizes.events:,} rows",
                    databases.name,
                    None,
                    took.middle,
                    "ms",
                    cap=10,
                    notes=took.said(),
                )
            )
    databases.drop(url)
    return lines


def _operation(bench: Embedded, name: str, said: Mapping[str, Any], sizes: Sizes) -> Page:
    # Newest first: `after` is the id that the page before ended with.
    places = (0, sizes.events // 2, PAGE)
    return _slowest(places, sizes.calls, lambda after: _page(bench, name, said, after))


def _page(bench: Embedded, name: str, said: Mapping[str, Any], after: int) -> Any:
    return bench.run(name, {**said, "after": after}, ADMIN)


def _slowest(places: Sequence[int], calls: int, page: Callable[[int], Any]) -> Page:
    found = []
    for place in places:
        page(place)
        took = [clocked(partial(page, place)) for _ in range(calls)]
        times = [t.seconds * 1e3 for t in took]
        found.append(Page(median(times), share(times, 0.95), median(t.cpu * 1e3 for t in took)))
    return max(found)


if __name__ == "__main__":
    main()
