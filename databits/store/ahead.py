"""Items that were read for a whole group of writes at once, before the first of them ran.

An operation may say what it is about to look at (`Foreseen`). That is a hint: what is not here is
read when it is needed, so a wrong one costs time and nothing else. What is here was read in the
group's own transaction, and is good until somebody in the group changes it.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Free(NamedTuple):
    """The next best items of a Databit that anybody may claim."""

    rows: deque[Any]
    all: bool
    """There are no others."""


class Ahead:
    """What was read ahead and still stands."""

    def __init__(self) -> None:
        self._items: dict[int, Any] = {}
        self._held: dict[tuple[int, str], Sequence[Any]] = {}
        self._free: dict[int, Free] = {}
        self._changed: set[int] = set()

    def learn_items(self, rows: Iterable[Any]) -> None:
        for row in rows:
            self._items[row.id] = row

    def learn_queue(self, databit_id: int, free: Free) -> None:
        self._free[databit_id] = free

    def learn_held(self, databit_id: int, holder: str, rows: Sequence[Any]) -> None:
        self._held[databit_id, holder] = rows

    def items(self, ids: Sequence[int]) -> dict[int, Any] | None:
        """The items by id, if all of them are here."""
        found = {}
        for i in ids:
            row = self._items.get(i)
            if row is None:
                return None
            found[i] = row
        return found

    def next(self, databit_id: int, holder: str, count: int) -> list[Any] | None:
        """The items to claim, if they are here: those held already, then the best of the others.

        Whoever asks claims them; so this answers once for each holder.
        """
        held, free = self._held.pop((databit_id, holder), None), self._free.get(databit_id)
        if held is None or free is None:
            return None
        found = [row for row in held if row.id not in self._changed][:count]
        while len(found) < count and free.rows:
            row = free.rows.popleft()
            if row.id not in self._changed:
                found.append(row)
        if len(found) < count and not free.all:
            del self._free[databit_id]
            return None
        return found

    def drop(self, ids: Iterable[int]) -> None:
        """These changed, and nothing became free by it."""
        for i in ids:
            self._changed.add(i)
            self._items.pop(i, None)

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]
