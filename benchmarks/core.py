"""The core beside its floors, in one run and one table.

    python -m benchmarks.core [--parts queue,bulk,importing,pages,audit] [--databases sqlite,postgresql]

Each part is also a program of its own, with its sizes as arguments: python -m benchmarks.bulk --help.
Takes about half an hour; --small takes a minute and says only whether everything runs.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks import audit, bulk, importing, pages, queue
from benchmarks.databases import Databases, arguments, opened
from benchmarks.measure import Line, machine, table


class Part(NamedTuple):
    measure: Callable[[Databases, Any], list[Line]]
    full: Any
    small: Any


PARTS = {
    "queue": Part(queue.measure, queue.Sizes(), queue.SMALL),
    "bulk": Part(bulk.measure, bulk.Sizes(), bulk.SMALL),
    "importing": Part(importing.measure, importing.Sizes(), importing.SMALL),
    "pages": Part(pages.measure, pages.Sizes(), pages.SMALL),
    "audit": Part(audit.measure, audit.Sizes(), audit.SMALL),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--parts", default=",".join(PARTS))
    asked = parser.parse_args()
    wanted = asked.parts.split(",")
    if unknown := set(wanted) - set(PARTS):
        raise SystemExit(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    lines: list[Line] = []
    with opened(asked.databases) as databases:
        print(machine(databases[0].folder))
        for name in wanted:
            for database in databases:
                lines += _run(name, database, small=asked.small)
    print(table(lines))
    missed = sum(line.met is False for line in lines)
    print(f"{sum(line.met is True for line in lines)} targets met, {missed} missed")


def _run(name: str, database: Databases, *, small: bool) -> list[Line]:
    part = PARTS[name]
    begun = time.monotonic()
    lines = part.measure(database, part.small if small else part.full)
    took = time.monotonic() - begun
    print(f"{name} on {database.name}: {took:.0f} s", file=sys.stderr, flush=True)
    return lines


if __name__ == "__main__":
    main()
