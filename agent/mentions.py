"""What a request names: things that exist, ids, files, quoted texts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.known import NAMED, Known

WORDS = {
    "databit": "databit|template|task",
    "source": "source|file",
    "endpoint": "endpoint",
    "model": "model",
    "dataset": "dataset|data set|training set",
    "item": "items?",
    "record": "records?",
    "run": "runs?|jobs?",
    "change": "changes?",
    "plan": "plans?|approvals?",
    "request": "requests?|answer",
}
COUNTS = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8},
    **{"nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "a dozen": 12, "twenty": 20, "fifty": 50},
}

_NUMBERS = r"#?\d+(?:\s*(?:,|;|and|&|or|-|–|to)\s*#?\d+)*"
_EXTENSIONS = "csv|tsv|jsonl|json|txt|md|pdf|parquet|docx|xlsx|zip|png|jpe?g|tiff?|wav|mp3|mp4"
_PATH = re.compile(
    rf"""(?P<q>["'])(?P<quoted>[^"'\n]*(?:[/\\]|\.(?:{_EXTENSIONS}))[^"'\n]*)(?P=q)"""
    r"""|(?<![\w"'])(?P<bare>(?:~|\.{1,2}|[A-Za-z]:)?[/\\][^\s,;"']+|[\w*?.\[\]-]+/[^\s,;"']*"""
    rf"""|[\w*?\[\]][\w.*?\[\]-]*\.(?:{_EXTENSIONS})\b)""",
    re.IGNORECASE,
)
_ASSET_KINDS = "source|record|item|databit|dataset|model|endpoint|request|feedback"
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|(?<!\w)'([^'\n]+)'(?!\w)")


@dataclass(frozen=True)
class Mention:
    """A place in a request that names something."""

    start: int
    end: int
    kinds: tuple[str, ...]
    """What it can be, likeliest first."""
    value: Any
    sure: bool = False
    """The kind is said beside the name: `the endpoint support`."""


def find_mentions(text: str, known: Known) -> list[Mention]:
    """Every mention, in order of appearance; of overlapping ones the first kind found stands."""
    found: list[Mention] = []

    def add(mention: Mention) -> None:
        if all(mention.end <= m.start or mention.start >= m.end for m in found):
            found.append(mention)

    for mention in [*_paths(text), *_quoted(text, known), *_ids(text), *_names(text, known)]:
        add(mention)
    for mention in _labels(text, known):
        add(mention)
    return sorted(found, key=lambda mention: mention.start)


def find_ids(text: str) -> list[int]:
    """The numbers of `3, 4 and 7-9`, ranges written out."""
    ids: list[int] = []
    for low, high in re.findall(r"(\d+)(?:\s*(?:-|–|to)\s*#?(\d+))?", text):
        last = int(high or low)
        # A range of thousands is a typing error or a filter's job, not a list of ids.
        ids += range(int(low), last + 1) if int(low) <= last <= int(low) + 500 else [int(low)]
    return list(dict.fromkeys(ids))


def _paths(text: str) -> list[Mention]:
    return [
        Mention(m.start(), m.end(), ("path",), (m["quoted"] or m["bare"]).rstrip(".,;:!?"), True)
        for m in _PATH.finditer(text)
    ]


def _quoted(text: str, known: Known) -> list[Mention]:
    found = [(m, next(g for g in m.groups() if g)) for m in _QUOTED.finditer(text)]
    return [
        Mention(m.start(), m.end(), ("text",), said, True)
        for m, said in found
        if said.casefold() not in known.by_name
    ]


def _names(text: str, known: Known) -> list[Mention]:
    found: list[Mention] = []
    for match in known.name_pattern.finditer(text):
        name, kinds = known.by_name[match[0].casefold()]
        said = _kind_beside(text, match, kinds)
        found.append(Mention(match.start(), match.end(), said or kinds, name, bool(said)))
    return found


def _kind_beside(text: str, match: re.Match[str], kinds: Sequence[str]) -> tuple[str, ...]:
    """The kind that the word before or after a name says: `model X`, `the X queue`."""
    before, after = text[: match.start()], text[match.end() :]
    for kind in kinds:
        if re.search(rf"\b(?:{WORDS[kind]})\s+(?:called\s+|named\s+)?$", before, re.IGNORECASE):
            return (kind,)
    for kind in kinds:
        if re.match(rf"\s+(?:{WORDS[kind]})\b", after, re.IGNORECASE):
            return (kind,)
    return ()


def _ids(text: str) -> list[Mention]:
    numbered = [
        Mention(m.start(), m.end(), (kind,), find_ids(m[1]), True)
        for kind in ("item", "record", "run", "change", "plan")
        for m in re.finditer(
            rf"\b(?:{WORDS[kind]})\s+(?:number\s+|no\.?\s*|ids?\s+)?({_NUMBERS})(?![\w%@]|\.\d)",
            text,
            re.IGNORECASE,
        )
    ]
    requests = [
        Mention(m.start(), m.end(), ("request",), m[1], True)
        for m in re.finditer(r"\brequest\s+([\w-]*\d[\w-]*)", text, re.IGNORECASE)
    ]
    assets = [
        Mention(m.start(), m.end(), ("asset",), m[0], True)
        for m in re.finditer(rf"\b(?:{_ASSET_KINDS}):[\w@.-]*\w", text)
    ]
    return numbered + requests + assets


def _labels(text: str, known: Known) -> list[Mention]:
    return [
        Mention(m.start(), m.end(), ("label",), known.label_of(m[0]))
        for m in known.label_pattern.finditer(text)
    ]


def mask(text: str, mentions: Sequence[Mention]) -> str:
    """The request with X for names, so that it is compared by what it asks and not by whom about."""
    parts: list[str] = []
    at = 0
    for mention in mentions:
        if set(mention.kinds) & {*NAMED, "path", "text", "asset"}:
            parts += [text[at : mention.start], "X"]
            at = mention.end
    return "".join([*parts, text[at:]])
