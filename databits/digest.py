"""One sha256 for equal data."""

import contextlib
import hashlib
import json
from types import NoneType
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
).encode

_ALIKE = frozenset({str, int, bool, NoneType})


def digest(value: Any) -> str:
    """sha256 of the canonical JSON (sorted keys, no spaces, UTF-8)."""
    if type(value) is dict and all(map(_is_plain, value.values())):
        with contextlib.suppress(PydanticSerializationError):  # half a character
            # The same bytes, in a third of the time.
            return hashlib.sha256(to_json(dict(sorted(value.items())))).hexdigest()
    # surrogatepass: a refused argument may hold half a character, and is on record all the same.
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def _is_plain(value: Any) -> bool:
    """Whether both writers of JSON write it alike: not so a float, nor what has keys to sort."""
    if type(value) is list:
        return all(type(part) in _ALIKE for part in value)
    return type(value) in _ALIKE
