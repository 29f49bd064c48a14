"""Reads what the writes of a group said they will look at; see `databits.store.ahead`."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Any

from databits.store.ahead import Free
from databits.store.databits import LATEST, version_of
from databits.store.driver import Asked
from databits.store.item_queries import CLAIMED, NEXT, RAW, best_first
from databits.store.ledger import Ledger
from databits.store.shapes import Foreseen


class Foresight:
    """The questions of a group, and what becomes of their answers."""

    def __init__(self, ledger: Ledger, wanted: Sequence[Foreseen], moment: int) -> None:
        self._ledger = ledger
        self._ids = list({i for each in wanted for i in each.items})
        self._claims = [each for each in wanted if each.claims]
        self._counts: Counter[str] = Counter()
        for each in self._claims:
            self._counts[each.databit] += each.claims
        self._names = list(dict.fromkeys(each.databit for each in wanted))
        self._moment = moment

    def questions(self) -> list[Asked]:
        """In the order in which `learn` takes the answers."""
        asked: list[Asked] = []
        listed = self._ledger.driver.ids
        if self._names:
            asked.append((LATEST, {"names": listed(self._names)}))
        if self._ids:
            asked.append((RAW, {"ids": listed(self._ids)}))
        if self._claims:
            holders = listed({each.holder for each in self._claims})
            most = max(self._counts.values())
            said = {"holders": holders, "names": listed(self._counts), "count": most}
            asked.append((CLAIMED, {**said, "moment": self._moment}))
            for name, count in self._counts.items():
                asked.append((NEXT, {"name": name, "count": count, "moment": self._moment}))
        return asked

    def learn(self, answers: Sequence[list[Any]]) -> None:
        """Keep the answers where the writes of the group find them."""
        given = iter(answers)
        ids = {}
        for row in next(given) if self._names else ():
            self._ledger.known["databit", row.name, None] = version_of(row)
            ids[row.name] = row.databit_id
        if self._ids:
            self._ledger.ahead.learn_items(next(given))
        if not self._claims:
            return
        held: dict[tuple[str, str], list[Any]] = defaultdict(list)
        expired: dict[str, list[Any]] = defaultdict(list)
        for row in next(given):
            (held[row.databit, row.held_by] if row.held else expired[row.databit]).append(row)
        for each in self._claims:
            if each.databit in ids:
                mine = sorted(held[each.databit, each.holder], key=best_first)
                self._ledger.ahead.learn_held(ids[each.databit], each.holder, mine)
        for (name, count), free in zip(self._counts.items(), given, strict=True):
            if name in ids:
                best = sorted(free + expired[name], key=best_first) if expired[name] else free
                found = Free(deque(best[:count]), all=len(best) < count)
                self._ledger.ahead.learn_queue(ids[name], found)
