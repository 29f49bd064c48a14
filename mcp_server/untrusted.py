"""Where in a result there are texts that nobody of this workspace wrote: from files and requests."""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from databits.model import UNTRUSTED

Path = tuple[str, ...]


@cache
def untrusted_in(model: type[BaseModel]) -> frozenset[Path]:
    """Names of the fields of a model that hold such texts; of a nested model, with its field's name."""
    found: set[Path] = set()
    for name, field in model.model_fields.items():
        if UNTRUSTED in field.metadata:
            found.add((name,))
        for inner in _models(field.annotation):
            found |= {(name, *path) for path in untrusted_in(inner)}
    return frozenset(found)


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _models(part)
