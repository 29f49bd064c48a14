"""Tools of MCP servers by version: what a tool was at a time, pinned by the hash of its definition.

Rows are never overwritten: a tool that changed gets a new version, one that went away is marked, and
one that comes back gets a new version again, whatever its definition.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from databits.store.shapes import Definition, Registered, now
from databits.store.tables import tool_versions
from databits.store.transaction import Transaction

_REF = re.compile(r"(?P<server>[^/@]+)/(?P<name>[^@]+)(?:@(?P<version>[0-9]{1,9}))?")


class Tools:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def register(
        self, server: str, definitions: Sequence[Definition], *, whole: bool
    ) -> Registered:
        """Write versions of the tools that are new or not what they were.

        Args:
            whole: These are all tools of the server; those that it had beside them are gone.
        """
        known = {row.name: row for row in self._tx.rows(newest().where(_of(server)))}
        done = Registered([], [], [], [])
        fresh = []
        for one in definitions:
            before = known.get(one.name)
            if before is not None and before.gone_at is None and before.sha256 == one.sha256:
                done.same.append(one.name)
                continue
            (done.new if before is None else done.changed).append(one.name)
            fresh.append(
                {
                    "server": server,
                    "name": one.name,
                    "version": 1 if before is None else before.version + 1,
                    "sha256": one.sha256,
                    "definition": dict(one.body),
                    "created_at": now(),
                    "gone_at": None,
                }
            )
        self._tx.insert(tool_versions, fresh)
        here = {one.name for one in definitions}
        left = [row for row in known.values() if row.gone_at is None and row.name not in here]
        if whole and left:
            self._tx.update(tool_versions, {row.id: {"gone_at": now()} for row in left})
            done.gone.extend(row.name for row in left)
        return done

    def id_of(self, ref: str) -> int | None:
        """`server/name@2`, or `server/name` for the newest → its row."""
        found = _REF.fullmatch(ref)
        if found is None:
            return None
        query = select(func.max(tool_versions.c.id)).where(
            _of(found["server"]), tool_versions.c.name == found["name"]
        )
        if found["version"]:
            query = query.where(tool_versions.c.version == int(found["version"]))
        result: int | None = self._tx.value(query)
        return result

    def ref(self, tool_id: int) -> str:
        row = self.raw(tool_id)
        return f"{row.server}/{row.name}@{row.version}" if row is not None else str(tool_id)

    def raw(self, tool_id: int) -> Row[Any] | None:
        return self._tx.get(tool_versions, tool_id)

    def versions(self, tool_id: int, limit: int) -> Sequence[Row[Any]]:
        """All versions of the tool that this is one of, newest first."""
        row = self.raw(tool_id)
        if row is None:
            return []
        query = select(tool_versions).where(_of(row.server), tool_versions.c.name == row.name)
        return self._tx.rows(query.order_by(tool_versions.c.version.desc()).limit(limit))


def newest() -> Select[Any]:
    """The newest version of each tool, those that are gone included."""
    ids = select(func.max(tool_versions.c.id)).group_by(
        tool_versions.c.server, tool_versions.c.name
    )
    return select(tool_versions).where(tool_versions.c.id.in_(ids))


def _of(server: str) -> Any:
    return tool_versions.c.server == server
