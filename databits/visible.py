"""Text from outside where somebody reads it: what does not show is spelled out, and nothing is lost.

Escape sequences would steer a terminal. Zero-width, bidi and tag characters can hide text from a
reviewer that a model reads, or show it in another order.
"""

import json
import unicodedata
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

_JOINERS = "\u200c\u200d"


def visible(text: str, keep: str = "\n\t") -> str:
    r"""Text with every character that does not show as `\uXXXX`, as JSON spells it.

    Joiners stay between characters beyond ASCII: Persian, Hindi and family emoji are written with
    them. So do spaces of any width.

    Args:
        keep: Further characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" or _joins(text, n)
        else _spelled(c)
        for n, c in enumerate(text)
    )


def visible_json(value: Any, indent: int | None = None) -> str:
    """JSON on one line, or indented, in which all strings are visible; it reads back as the value."""
    if indent is None:
        text = _on_one_line(value)
        if text.isascii() and "\x7f" not in text:  # JSON spells the other controls out by itself
            return text
        return visible(text, keep="")
    return visible(json.dumps(value, ensure_ascii=False, indent=indent), keep="\n")


def _on_one_line(value: Any) -> str:
    try:
        return to_json(value).decode()  # a fifth of the time of the standard library's
    except PydanticSerializationError:  # half a character, which has no UTF-8
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _joins(text: str, n: int) -> bool:
    around = text[n - 1 : n] + text[n + 1 : n + 2] if n else ""
    return text[n] in _JOINERS and len(around) == 2 and all(c > "\x7f" for c in around)


def _spelled(character: str) -> str:
    return json.dumps(character)[1:-1]
