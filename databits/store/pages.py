"""A page of rows by the id that the page before ended with: no page costs more than the first."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, Row, Select, Table, any_, func, literal_column, select

from databits.store.prepared import among
from databits.store.tables.history import BLOCK
from databits.store.transaction import Transaction

_WIDER = 32  # times as many blocks in each look as in the one before


def oldest_first(query: Select[Any], ids: Column[Any], after: int, limit: int) -> Select[Any]:
    """The first rows whose id comes after `after`, 0 for the first page."""
    return query.where(ids > after).order_by(ids).limit(limit)


def newest_first(query: Select[Any], ids: Column[Any], after: int, limit: int) -> Select[Any]:
    """The newest rows that are older than `after`, 0 for the first page."""
    newest = query.order_by(ids.desc()).limit(limit)
    return newest.where(ids < after) if after else newest


def newest_of(
    tx: Transaction, query: Select[Any], log: Table, after: int, limit: int
) -> list[Row[Any]]:
    """The same for one person's rows of a log.

    Entries of an index by person alone lie as far apart as there are people, and each write touches
    a page of it for each of them. So the index is by blocks of ids first, then by person. Blocks are
    looked at from the newest down, a few and then ever more: somebody active is found in the first,
    somebody who did one thing years ago after one step into the index a block.
    """
    found: list[Row[Any]] = []
    for blocks in _blocks(tx, log, after):
        part = newest_first(query.where(_in(tx, log, blocks)), log.c.id, after, limit - len(found))
        found += tx.rows(part)
        if len(found) >= limit:
            break
    return found


def count_of(tx: Transaction, query: Select[Any], log: Table, most: int) -> int:
    """How many rows of one person's a log has, up to `most`."""
    found = 0
    for blocks in _blocks(tx, log, 0, most // 16 + 1):  # it ends by itself at so many
        some = query.where(_in(tx, log, blocks)).limit(most - found)
        found += tx.count(some.with_only_columns(log.c.id).subquery())  # type: ignore[arg-type]
        if found >= most:
            break
    return found


def _blocks(tx: Transaction, log: Table, after: int, size: int = 1) -> Iterator[range]:
    """Args:
    size: How many blocks come first.
    """
    newest = after - 1 if after else int(tx.value(select(func.max(log.c.id))) or 0)
    last = newest // BLOCK
    while last >= 0:
        yield range(last, max(last - size, -1), -1)
        last, size = last - size, size * _WIDER


def _in(tx: Transaction, log: Table, blocks: range) -> Any:
    """As the index of the log words it."""
    block = literal_column(f"{log.name}.id / {BLOCK}", BigInteger)
    if tx.driver.sqlite:
        return among(block, True, tx.driver.ids(blocks))
    every = select(func.generate_series(blocks[-1], blocks[0]))
    return block == any_(func.array(every.scalar_subquery()))
