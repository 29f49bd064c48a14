"""Sources and their records, and the vectors computed from them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, insert, select

from databits.errors import NotFound
from databits.model import Record, Source
from databits.store.pages import oldest_first
from databits.store.shapes import now
from databits.store.tables import records, sources, vectors
from databits.store.transaction import Transaction, _parts


class Records:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def source_names(self) -> list[str]:
        return [row.name for row in self._tx.rows(select(sources.c.name).order_by(sources.c.name))]

    def source(self, name: str) -> Row[Any]:
        """The source of that name.

        Raises:
            NotFound: naming the sources that exist.
        """
        row = self._tx.one(select(sources).where(sources.c.name == name))
        if row is None:
            known = ", ".join(self.source_names()) or "none yet; import_files makes one"
            raise NotFound(f"There is no source of that name. Sources: {known}.")
        return row

    def sources(self, after: int, limit: int) -> list[Source]:
        count = select(func.count()).where(records.c.source_id == sources.c.id).scalar_subquery()
        query = oldest_first(select(sources, count.label("records")), sources.c.id, after, limit)
        return [Source.model_validate(row) for row in self._tx.rows(query)]

    def count_sources(self) -> int:
        return self._tx.count(sources)

    def add_source(self, name: str, path: str) -> int:
        return self._tx.add(sources, name=name, path=path, created_at=now())

    def find_source(self, name: str) -> int | None:
        found: int | None = self._tx.value(select(sources.c.id).where(sources.c.name == name))
        return found

    def known(self, digests: Sequence[str]) -> dict[str, int]:
        """Which of these content digests are already records, with their ids."""
        found: dict[str, int] = {}
        for part in _parts(digests):  # type: ignore[arg-type]
            rows = self._tx.rows(
                select(records.c.sha256, records.c.id).where(records.c.sha256.in_(part))
            )
            found.update((row.sha256, row.id) for row in rows)
        return found

    def add(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Insert records (source_id, position, sha256, text, fields, origin); returns their ids."""
        return self._tx.insert(records, rows)

    def count(self, source: str | None = None) -> int:
        if source is None:
            return self._tx.count(records)
        return self._tx.count(records, records.c.source_id == self.source(source).id)

    def page(
        self, source: str | None, contains: str | None, after: int, limit: int
    ) -> list[Record]:
        query = oldest_first(self._select(source, contains), records.c.id, after, limit)
        return [Record.model_validate(row) for row in self._tx.rows(query)]

    def ids(self, source: str | None, contains: str | None, sample: int | None = None) -> list[int]:
        """Ids of matching records, oldest first; `sample` draws that many at random.

        The draw goes by content digest, so it is the same each time and on every machine.
        """
        query = self._select(source, contains).with_only_columns(records.c.id)
        if sample is not None:
            query = query.order_by(records.c.sha256).limit(sample)
        return sorted(row.id for row in self._tx.rows(query))

    def by_ids(self, ids: Sequence[int]) -> list[Record]:
        found: list[Record] = []
        for part in _parts(ids):
            query = self._select().where(records.c.id.in_(part)).order_by(records.c.id)
            found.extend(Record.model_validate(row) for row in self._tx.rows(query))
        return found

    def texts(self, ids: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for part in _parts(ids):
            rows = self._tx.rows(select(records.c.id, records.c.text).where(records.c.id.in_(part)))
            found.update((row.id, row.text) for row in rows)
        return found

    def vectors(self, ids: Sequence[int], model: str) -> dict[int, bytes]:
        """Vectors that have been computed, as little-endian float32."""
        found: dict[int, bytes] = {}
        for part in _parts(ids):
            rows = self._tx.rows(
                select(vectors.c.record_id, vectors.c.vector).where(
                    vectors.c.model == model, vectors.c.record_id.in_(part)
                )
            )
            found.update((row.record_id, row.vector) for row in rows)
        return found

    def save_vectors(self, model: str, found: Iterable[tuple[int, bytes]]) -> None:
        """Keep vectors; a record that has one already, or is gone, is passed over."""
        rows = [{"record_id": i, "model": model, "vector": vector} for i, vector in found]
        ids = [row["record_id"] for row in rows]
        alive = set(self.texts(ids)) - set(self.vectors(ids, model))  # type: ignore[arg-type]
        fresh = [row for row in rows if row["record_id"] in alive]
        if fresh:
            self._tx.db.execute(insert(vectors), fresh)

    def _select(self, source: str | None = None, contains: str | None = None) -> Select[Any]:
        query = select(
            records.c.id,
            sources.c.name.label("source"),
            records.c.position,
            records.c.text,
            records.c.fields,
            records.c.origin,
        ).join(sources, sources.c.id == records.c.source_id)
        if source is not None:
            query = query.where(records.c.source_id == self.source(source).id)
        if contains:
            query = query.where(records.c.text.icontains(contains, autoescape=True))
        return query
