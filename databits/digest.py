"""One sha256 for equal data."""

import hashlib
import json
from typing import Any

canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
).encode


def digest(value: Any) -> str:
    """sha256 of the canonical JSON (sorted keys, no spaces, UTF-8)."""
    # surrogatepass: a refused argument may hold half a character, and is on record all the same.
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()
