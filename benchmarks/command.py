"""The command of a benchmark whose sizes are whole numbers: an option each, and a table at the end."""

from collections.abc import Callable
from typing import Any, TypeVar

from benchmarks.databases import Databases, arguments, opened
from benchmarks.measure import Line, machine, table

S = TypeVar("S")


def run(doc: str | None, measure: Callable[[Databases, S], list[Line]], usual: S, small: S) -> None:
    """Measure on the databases that were asked for.

    Args:
        usual, small: A named tuple: the sizes of a real measurement, and of `--small`.
    """
    sizes: Any = usual
    parser = arguments(doc)
    for name in sizes._fields:
        parser.add_argument(f"--{name}", type=int, default=getattr(sizes, name))
    asked = parser.parse_args()
    given = sizes._replace(**{name: getattr(asked, name) for name in sizes._fields})
    with opened(asked.databases) as databases:
        print(machine(databases[0].folder))
        print(
            table([line for d in databases for line in measure(d, small if asked.small else given)])
        )
