"""What a change did to rows, in few words: values as JSON, rows that got the same, ranges of ids."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from databits.store.phrases import document

_FEW_KINDS = 200  # sets of new values from which on an update goes row by row


def kinds_of(
    new: Mapping[int, Mapping[str, Any]], names: tuple[str, ...]
) -> dict[tuple[Any, ...], list[int]] | None:
    """New values → the rows that get them; None when there are too many for a statement each."""
    kinds: dict[tuple[Any, ...], list[int]] = {}
    known: dict[int, list[int]] = {}  # callers share the values of rows that get the same
    for i, values in new.items():
        ids = known.get(id(values))
        if ids is None:
            ids = known[id(values)] = kinds.setdefault(tuple(values[n] for n in names), [])
            if len(kinds) > _FEW_KINDS:
                return None
        ids.append(i)
    return kinds


def image_text(
    told: dict[Any, str | None],
    names: tuple[str, ...],
    values: tuple[Any, ...],
    texts: tuple[int, ...],
) -> str | None:
    """A row's values as JSON; `texts` are the places of those that are JSON already."""
    try:
        known = told.get(values)
    except TypeError:  # a document among them
        return document(dict(zip(names, values, strict=True)))
    if known is None:
        plain: Sequence[Any] = values
        if texts:
            plain = [json.loads(v) if n in texts and v else v for n, v in enumerate(values)]
        known = told[values] = document(dict(zip(names, plain, strict=True)))
    return known


def ranges_of(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Ids as ranges (first, last) of consecutive ones, in order."""
    found: list[tuple[int, int]] = []
    first = last = ids[0]
    for i in ids[1:]:
        if i != last + 1:
            found.append((first, last))
            first = i
        last = i
    found.append((first, last))
    return found
