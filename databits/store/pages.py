"""A page of rows by the id that the page before ended with: no page costs more than the first."""

from typing import Any

from sqlalchemy import Column, Select


def oldest_first(query: Select[Any], ids: Column[Any], after: int, limit: int) -> Select[Any]:
    """The first rows whose id comes after `after`, 0 for the first page."""
    return query.where(ids > after).order_by(ids).limit(limit)


def newest_first(query: Select[Any], ids: Column[Any], after: int, limit: int) -> Select[Any]:
    """The newest rows that are older than `after`, 0 for the first page."""
    newest = query.order_by(ids.desc()).limit(limit)
    return newest.where(ids < after) if after else newest
