"""Text in the chat: Markdown that can be read, but not followed.

An answer may quote an item, and an item may say anything. Lists, tables, emphasis and code stay;
what would load, link or be markup is shown as the characters it is made of.
"""

import json
import re
from typing import Any

from agent.wording import escape

_FENCE = re.compile(r"^ {0,3}(`{3,})[^`\n]*$")
# Already escaped characters and entities are taken whole, so that nothing is escaped twice: a
# second backslash would set free what the first one held.
_ACTIVE = re.compile(
    r"\\[\s\S]|&(?:#\d+|#x[0-9a-f]+|\w+);|[<\[\]!$]|://|www\.|@(?=[\w-]+\.\w)", re.I
)
_SPELLED = {
    "<": "&lt;",
    "[": "\\[",
    "]": "\\]",
    "!": "\\!",
    "$": "\\$",
    "://": "&#58;//",
    "@": "&#64;",
}

__all__ = ["escape", "fenced", "harmless"]


def harmless(text: str) -> str:
    """Markdown without links, images, HTML and formulas; fenced code is left as it is."""
    shown: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            shown.append(line)
            closes = line.strip()
            if closes.startswith(fence) and not closes.strip("`"):
                fence = ""
        elif mark:
            fence = mark[1]
            shown.append(line)
        else:
            shown.append(_ACTIVE.sub(_spell, line))
    return "\n".join(shown)


def fenced(value: Any, limit: int = 4_000) -> str:
    """A value as a block of code that nothing in it can end."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    if len(text) > limit:
        text = f"{text[:limit]}\n… {len(text) - limit:,} more characters"
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}text\n{text}\n{mark}"


def _spell(found: re.Match[str]) -> str:
    whole = found[0]
    if whole[0] in "\\&":
        return whole
    return _SPELLED.get(whole) or f"{whole[:-1]}&#46;"  # www.
