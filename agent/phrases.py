"""Turns of phrase by which people introduce new things: names, labels, texts."""

import re

POINTING = re.compile(r"\b(?:these|those|them|they|it|this|that|all of them|both)\b", re.IGNORECASE)
_FILLERS = re.compile(
    r"(?:an?|the|it|it's|this|that|them|with|for|from|to|of|in|on|as|and|or|by|is|are|be|new|my|our|using|which"
    r"|where|please|now|then|production|prod|live|called|named|labels?|categor(?:y|ies)|classes|databit|template"
    r"|task|source|endpoint|model|dataset)$",
    re.IGNORECASE,
)
_NAME = r"([A-Za-z0-9][\w-]*)"
_LABELS = r"\b(?:labels?|categor(?:y|ies)|classes|tags)\b\s*(?:are|is|of|being)?\s*[:=]?\s*"
_LIST_END = r"\s+(?:for|from|in|on|to|called|named|using|based|so)\b|[.!?](?:\s|$)"


def normal(phrase: str) -> str:
    """A phrase with one spelling for names, numbers and lists, which tell requests apart by accident."""
    phrase = re.sub(r"\b[XY]\b", "X", phrase)
    phrase = re.sub(
        r"\b(called|named|call it|name it)\s+(?:\"[^\"]+\"|[\w-]+)", r"\1 X", phrase, flags=re.I
    )
    listed = rf"({_LABELS}|\binto\s+)(?:[^:]*?[,;][^.]*|[\w-]+ (?:and|or) [\w-]+)"
    phrase = re.sub(listed, r"\1a, b and c", phrase, flags=re.I)
    return re.sub(r"\d+(?:\.\d+)?", "#", phrase)


def slug(name: str) -> str:
    """A name in the form the workbench takes: lower-case letters, digits, - and _."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.strip().lower()).strip("-_")[:63]


def new_name(text: str) -> str | None:
    """The name a request gives to something new: `called X`, `a databit X`, `as X`."""
    quoted = re.search(
        r"\b(?:called|named?|as|databit|template|model|source)\s+[\"'“]([^\"'”\n]+)[\"'”]", text
    )
    if quoted:
        return slug(quoted[1])
    return _first_name(
        text,
        rf"\b(?:called|named|call it|name it|name)\s+(?:is\s+)?{_NAME}",
        rf"\b(?:databit|template|task|model|alert)\s+{_NAME}",
        rf"\bas\s+(?:the\s+|a\s+)?(?:source\s+|databit\s+|model\s+)?{_NAME}",
    )


def new_target(text: str) -> str | None:
    """The endpoint a request sends something to, which may not exist yet."""
    article = r"(?:(?:the|a|an|new|endpoint|called|named)\s+)*"
    return _first_name(
        text, rf"\b(?:to|as|behind|on|at|endpoint|called|named)\s+{article}[\"'“]?{_NAME}"
    )


def _first_name(text: str, *patterns: str) -> str | None:
    for pattern in patterns:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if not _FILLERS.match(match[1]):
                return slug(match[1])
    return None


def new_labels(text: str) -> list[str] | None:
    """The labels a request lists: `with the labels a, b and c`, `labels: a; b`, `into a, b, c`."""
    found = re.search(rf"{_LABELS}(.+)", text, re.IGNORECASE | re.DOTALL) or re.search(
        r"\b(?:into|as either|between|either)\s+(.+)", text, re.IGNORECASE | re.DOTALL
    )
    if not found:
        return None
    labels = split_list(re.split(_LIST_END, found[1], maxsplit=1)[0])
    return labels if len(labels) > 1 else None


def split_list(text: str) -> list[str]:
    """The members of a list in words, in order, each once."""
    parts = re.split(r"\s*(?:,\s*(?:and|or)\s+|[,;/|\n]|\s+(?:and|or|vs\.?|versus|&)\s+)\s*", text)
    cleaned = (part.strip(" .:\"'“”‘’`-*") for part in parts)
    return list(dict.fromkeys(part for part in cleaned if part))


def clause(text: str, cue: str) -> str | None:
    """What follows a cue, to the end of its clause; a quoted text as it is."""
    quoted = r"\"([^\"\n]+)\"|“([^”\n]+)”|'([^'\n]+)'"
    found = re.search(rf"(?:{cue})\s*(?:{quoted}|(.+))", text, re.IGNORECASE | re.DOTALL)
    if not found:
        return None
    said = found[1] or found[2] or found[3]
    if said is None:
        end = r"\s+(?:with|into|and label|as|in)\s|[;.!?:](?:\s|$)"
        said = re.split(end, found[4], maxsplit=1)[0]
    return said.strip() or None


def split_requests(text: str) -> list[str]:
    """The parts of a message that may be requests of their own, in order.

    Quoted texts stay whole. Whether a part is a request is for the planner to say: a list of labels
    is written with semicolons, too.
    """
    quotes = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)")
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\x00{len(held) - 1}\x00"

    joints = r"\s*(?:;|\n+|[,.]?\s+(?:and\s+)?(?:then|after that|afterwards)\b,?)\s*"
    parts = re.split(joints, quotes.sub(hold, text))
    restored = (re.sub(r"\x00(\d+)\x00", lambda m: held[int(m[1])], part) for part in parts)
    return [part.strip() for part in restored if part and part.strip(" ,.")]
