"""Databits and their immutable versions."""

from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, bindparam, cast, func, select

from databits.errors import Conflict, NotFound
from databits.model import Databit
from databits.store.pages import oldest_first
from databits.store.prepared import Prepared, among
from databits.store.shapes import now
from databits.store.tables import databit_versions, databits, items
from databits.store.transaction import Transaction
from databits.template import TemplateBody


class DatabitVersion(NamedTuple):
    databit_id: int
    version_id: int
    name: str
    version: str
    status: str
    body: TemplateBody

    @property
    def labels(self) -> list[str]:
        return [label.name for label in self.body.labels]


class Databits:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def names(self) -> list[str]:
        return [
            row.name for row in self._tx.rows(select(databits.c.name).order_by(databits.c.name))
        ]

    def get(self, name: str, version: str | None = None) -> DatabitVersion:
        """A version of a Databit; the newest when none is named.

        Raises:
            NotFound: naming the Databits, or the versions, that exist.
        """
        return self._tx.recall(("databit", name, version), lambda: self._get(name, version))

    def _get(self, name: str, version: str | None) -> DatabitVersion:
        rows = (
            self._tx.fetch(NEWEST, name=name)
            if version is None
            else self._tx.fetch(_VERSION, name=name, version=version)
        )
        if not rows:
            raise self._not_found(name)
        return version_of(rows[0])

    def _not_found(self, name: str) -> NotFound:
        names = self.names()
        if name not in names:
            known = ", ".join(names) or "none yet; create_databit makes one"
            return NotFound(f"There is no Databit of that name. Databits: {known}.")
        query = (
            select(databit_versions.c.version)
            .join(databits, databits.c.id == databit_versions.c.databit_id)
            .where(databits.c.name == name)
        )
        known = ", ".join(
            row.version for row in self._tx.rows(query.order_by(databit_versions.c.id.desc()))
        )
        return NotFound(f"{name} has no such version. Versions: {known}.")

    def versions(self, name: str) -> list[str]:
        """Version numbers, newest first."""
        query = select(databit_versions.c.version).where(
            databit_versions.c.databit_id == self.get(name).databit_id
        )
        return [row.version for row in self._tx.rows(query.order_by(databit_versions.c.id.desc()))]

    def create(self, name: str, body: TemplateBody, by: str) -> DatabitVersion:
        if name in self.names():
            raise Conflict(
                f"There is already a Databit {name}; get_databit shows it. Choose another name."
            )
        databit_id = self._tx.add(databits, name=name, created_at=now())
        self.add_version(databit_id, "1.0.0", body, by)
        return self.get(name)

    def add_version(self, databit_id: int, version: str, body: TemplateBody, by: str) -> int:
        return self._tx.add(
            databit_versions,
            databit_id=databit_id,
            version=version,
            status="draft",
            body=body.model_dump(mode="json"),
            created_by=by,
            created_at=now(),
        )

    def page(self, after: int, limit: int) -> list[tuple[int, Databit]]:
        """(id, Databit) pairs in order of id."""
        rows = self._tx.rows(oldest_first(select(databits), databits.c.id, after, limit))
        return [(row.id, self._summary(row)) for row in rows]

    def summary(self, name: str) -> Databit:
        self.get(name)
        row = self._tx.one(select(databits).where(databits.c.name == name))
        return self._summary(row)

    def count(self) -> int:
        return self._tx.count(databits)

    def _summary(self, row: Any) -> Databit:
        newest = self.get(row.name)
        counts = self._tx.one(
            select(
                func.count().label("items"),
                func.count().filter(items.c.state == "approved").label("approved"),
            ).where(items.c.databit_id == row.id)
        )
        assert counts is not None  # an aggregate always has a row
        return Databit(
            name=row.name,
            version=newest.version,
            status=newest.status,
            labels=newest.labels,
            items=counts.items,
            approved=counts.approved,
            created_at=row.created_at,
        )


@lru_cache(maxsize=64)
def _body(text: str) -> TemplateBody:
    """A version's body; by its text, because the same few are asked for again and again."""
    return TemplateBody.model_validate_json(text)


def version_of(row: Any) -> DatabitVersion:
    """A row of the statements below as a version."""
    return DatabitVersion(
        row.databit_id, row.id, row.name, row.version, row.status, _body(row.body)
    )


def _versions() -> Select[Any]:
    return select(
        databits.c.name,
        databit_versions.c.databit_id,
        databit_versions.c.id,
        databit_versions.c.version,
        databit_versions.c.status,
        cast(databit_versions.c.body, Text).label("body"),
    ).join(databits, databits.c.id == databit_versions.c.databit_id)


def _newest() -> Select[Any]:
    mine = databits.c.name == bindparam("name")
    return _versions().where(mine).order_by(databit_versions.c.id.desc()).limit(1)


def _latest(sqlite: bool) -> Select[Any]:
    other = databit_versions.alias("other")
    newest = select(func.max(other.c.id)).where(other.c.databit_id == databits.c.id)
    return _versions().where(
        among(databits.c.name, sqlite, name="names"),
        databit_versions.c.id == newest.scalar_subquery(),
    )


NEWEST = Prepared(lambda _: _newest())
_VERSION = Prepared(lambda _: _newest().where(databit_versions.c.version == bindparam("version")))
LATEST = Prepared(_latest)
