"""What exists in the workbench, by kind: the names a request can mean."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from langchain_core.tools import ToolException

from agent.client import ToolClient

LISTS = {
    "databit": "list_databits",
    "source": "list_sources",
    "endpoint": "list_endpoints",
    "model": "list_models",
    "dataset": "list_datasets",
    "run": "list_runs",
}
NAMED = ("databit", "source", "endpoint", "model", "dataset")
"""Kinds that people give names to; of one name for several, an earlier kind is likelier meant."""
PAGE = 200
PAGES = 5


@dataclass(frozen=True)
class Known:
    """Names by kind, oldest first; runs are their ids."""

    names: Mapping[str, list[str]] = field(default_factory=dict)
    labels: Mapping[str, list[str]] = field(default_factory=dict)
    """Databit → its labels."""

    def of(self, kind: str) -> list[str]:
        return list(self.names.get(kind, ()))

    def all_labels(self) -> list[str]:
        return list(dict.fromkeys(label for own in self.labels.values() for label in own))

    @cached_property
    def by_name(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Name in lower case → its spelling and the kinds of what is called so."""
        kinds: dict[str, list[str]] = {}
        for kind in NAMED:
            for name in self.of(kind):
                # `support` may mean the newest of support@1, support@2.
                for spelling in dict.fromkeys((name, name.split("@")[0])):
                    own = kinds.setdefault(spelling, [])
                    own.extend([kind] if kind not in own else [])
        return {name.casefold(): (name, tuple(own)) for name, own in kinds.items()}

    @cached_property
    def name_pattern(self) -> re.Pattern[str]:
        """Finds names that stand as words of their own."""
        return _any_of(map(re.escape, self.by_name), r"(?<![\w@./-])", r"(?![\w@-]|\.\w|/\w)")

    @cached_property
    def label_pattern(self) -> re.Pattern[str]:
        """Finds labels as people write them: with spaces for - and _, and in the plural."""
        spelled = (r"[\s_-]+".join(map(re.escape, _parts(label))) for label in self.all_labels())
        return _any_of(spelled, r"(?<![\w-])", r"(?:e?s)?(?![\w-])")

    def label_of(self, written: str) -> str:
        """The label that a match of `label_pattern` stands for."""
        labels = {" ".join(_parts(label)).casefold(): label for label in self.all_labels()}
        said = " ".join(_parts(written)).casefold()
        forms = (said, said.removesuffix("s"), said.removesuffix("es"))
        return next((labels[form] for form in forms if form in labels), written)


def _parts(label: str) -> list[str]:
    return [part for part in re.split(r"[\s_-]+", label) if part]


def _any_of(patterns: Iterable[str], before: str, after: str) -> re.Pattern[str]:
    """One pattern for many, longest first; of none, one that finds nothing."""
    longest = sorted(filter(None, patterns), key=len, reverse=True)
    return re.compile(f"{before}(?:{'|'.join(longest) or '(?!)'}){after}", re.IGNORECASE)


Fetch = Callable[[], Awaitable[Known]]


async def fetch_known(client: ToolClient) -> Known:
    """Ask the server what exists, as the person who is being served may see it."""
    kinds = list(LISTS)
    found = await asyncio.gather(*(_rows(client, LISTS[kind]) for kind in kinds))
    names = {
        kind: [str(row["id"] if kind == "run" else row["name"]) for row in rows]
        for kind, rows in zip(kinds, found, strict=True)
    }
    names["run"].reverse()  # listed newest first
    databits = found[kinds.index("databit")]
    return Known(names, {row["name"]: list(row.get("labels", ())) for row in databits})


async def _rows(client: ToolClient, tool: str) -> list[dict[str, Any]]:
    """Rows of a list, up to `PAGES` pages; none where the person may not read it."""
    rows: list[dict[str, Any]] = []
    after: int | None = 0
    for _ in range(1 if tool == LISTS["run"] else PAGES):
        try:
            reply = await client.call(tool, {"after": after, "limit": PAGE})
        except ToolException:
            return rows
        rows += [] if reply["error"] else reply["data"].get("rows", [])
        after = reply["data"].get("next")
        if after is None:
            return rows
    return rows
