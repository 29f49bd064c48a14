"""Reads what the writes of a group said they will look at; see `databits.store.ahead`."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Any

from databits.store.ahead import Free
from databits.store.databits import LATEST, version_of
from databits.store.driver import Asked
from databits.store.item_queries import CLAIMED, NEXT, NEXT_OF_SEVERAL, RAW, best_first
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
        self._unknown = self._not_known()
        self._moment = moment

    def questions(self) -> list[Asked]:
        """In the order in which `learn` takes the answers."""
        asked: list[Asked] = []
        listed = self._ledger.driver.ids
        if self._unknown:
            asked.append((LATEST, {"names": listed(self._unknown)}))
        if self._ids:
            asked.append((RAW, {"ids": listed(self._ids)}))
        if self._claims:
            holders = listed({each.holder for each in self._claims})
            most = max(self._counts.values())
            said = {"holders": holders, "names": listed(self._counts), "count": most}
            asked.append((CLAIMED, {**said, "moment": self._moment}))
            asked += self._next()
        return asked

    def _next(self) -> list[Asked]:
        if not self._ledger.driver.sqlite:
            names, counts = list(self._counts), list(self._counts.values())
            return [(NEXT_OF_SEVERAL, {"names": names, "counts": counts, "moment": self._moment})]
        return [
            (NEXT, {"name": name, "count": count, "moment": self._moment})
            for name, count in self._counts.items()
        ]

    def learn(self, answers: Sequence[list[Any]]) -> None:
        """Keep the answers where the writes of the group find them."""
        given = iter(answers)
        if self._unknown:
            self._learn_versions(next(given))
        if gone := [name for name in self._not_known() if name not in self._unknown]:
            # Another process has written since, so what was known was forgotten.
            names = self._ledger.driver.ids(gone)
            self._learn_versions(self._ledger.driver.fetch(LATEST, names=names))
        if self._ids:
            self._ledger.ahead.learn_items(next(given))
        if not self._claims:
            return
        known = self._ledger.known
        ids = {name: known[key].databit_id for name in self._names if (key := _key(name)) in known}
        held: dict[tuple[str, str], list[Any]] = defaultdict(list)
        free: dict[str, list[Any]] = defaultdict(list)
        for row in next(given):
            if row.held:
                held[row.databit, row.held_by].append(row)
            else:  # the claim on it has run out
                free[row.databit].append(row)
        for each in self._claims:
            if each.databit in ids:
                mine = sorted(held[each.databit, each.holder], key=best_first)
                self._ledger.ahead.learn_held(ids[each.databit], each.holder, mine)
        for rows in given:
            for row in rows:
                free[row.databit].append(row)
        for name, count in self._counts.items():
            if name in ids:
                best = sorted(free[name], key=best_first)
                found = Free(deque(best[:count]), all=len(best) < count)
                self._ledger.ahead.learn_queue(ids[name], found)

    def _not_known(self) -> list[str]:
        return [name for name in self._names if _key(name) not in self._ledger.known]

    def _learn_versions(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self._ledger.known[_key(row.name)] = version_of(row)


def _key(name: str) -> tuple[str, str, None]:
    """Under which the newest version of a Databit is recalled."""
    return "databit", name, None
