"""From a request in words to the arguments of a tool, by the tool's JSON Schema.

`x-entity` says what kind of thing a property holds; without it the type, the limits and the name of
the property decide. What can not be read with confidence is left out: the planner asks for it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.known import NAMED, Known
from agent.mentions import COUNTS, Mention, find_ids
from agent.phrases import clause, new_labels, new_name, new_target

Schema = Mapping[str, Any]

ASSETS = ("endpoint", "model", "dataset", "databit", "source")
_NUMBER = r"(?<![\w.@#-])(\d+(?:\.\d+)?)\s*(%|percent\b|per cent\b)?(?![\w@])"
_ABOVE = r"above|over|at least|more than|greater than|higher than|exceed\w*|from|minimum|min|[>≥]=?"
_BELOW = r"below|under|at most|less than|lower than|up to|maximum|max|[<≤]=?"


def properties_of(schema: Schema) -> dict[str, Schema]:
    """The properties of an input schema, with optional ones (`anyOf` null) told like required ones."""
    defs = schema.get("$defs", {})

    def plain(part: Schema) -> Schema:
        if "$ref" in part:
            part = {**defs.get(str(part["$ref"]).rsplit("/", 1)[-1], {}), **part}
        for branch in part.get("anyOf", ()):
            if branch.get("type") != "null":
                return {**plain(branch), **{k: v for k, v in part.items() if k != "anyOf"}}
        return part

    return {name: plain(part) for name, part in schema.get("properties", {}).items()}


def kind_of(name: str, schema: Schema) -> str:
    """What a property holds: its `x-entity`, or what type and name imply."""
    if "x-entity" in schema:
        return str(schema["x-entity"])
    if name == "limit":
        return "count"
    if "enum" in schema:
        return "enum"
    if schema.get("type") == "number":
        return "share" if _top(schema) <= 1 else "number"
    return {"integer": "number", "boolean": "flag", "string": "words"}.get(
        str(schema.get("type")), "other"
    )


def _top(schema: Schema) -> float:
    return float(schema.get("maximum", schema.get("exclusiveMaximum", float("inf"))))


@dataclass
class Filling:
    """The slots of one tool, filled from one request."""

    text: str
    mentions: list[Mention]
    known: Known
    example: str = ""
    """The example the request is most like; it says what an unsaid choice is."""
    arguments: dict[str, Any] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    """Indices of the mentions that an argument stands for."""

    def fill(self, properties: Mapping[str, Schema], required: list[str]) -> None:
        """Read every property that the request says something about, required ones first."""
        # Choices last: their words may belong to a label, as in `labelled refund`.
        order = sorted(properties, key=lambda key: (key not in required, "enum" in properties[key]))
        for name in order:
            value = self.read(name, properties[name])
            if value is not None:
                self.arguments[name] = value

    def read(self, name: str, schema: Schema) -> Any:
        """The value of one property; None when the request does not say it."""
        kind = kind_of(name, schema)
        if kind in NAMED:
            return self._take(kind)
        readers: dict[str, Callable[[str, Schema], Any]] = {
            "endpoint-or-new": lambda *_: self._take("endpoint") or new_target(self.rest()),
            "new-name": lambda *_: new_name(self.rest()),
            "new-labels": lambda *_: new_labels(self.text),
            "path": lambda *_: self._take("path"),
            "text": lambda *_: self._take("text") or clause(self.text, ":"),
            "texts": lambda *_: self._texts(),
            "label": lambda *_: self._label(),
            "asset": lambda *_: self._asset(),
            "count": lambda *_: self._count(),
            "items": lambda *_: self._ids("item"),
            "request": lambda *_: self._take("request"),
            "enum": self._choice,
            "share": self._share,
            "number": self._number,
            "flag": self._flag,
            "words": self._words,
        }
        if kind in ("item", "run", "change", "plan"):
            ids = self._ids(kind)
            return ids[0] if ids else None
        return readers[kind](name, schema) if kind in readers else None

    def rest(self) -> str:
        """The request without what arguments stand for already."""
        text = self.text
        for n in self.used:
            start, end = self.mentions[n].start, self.mentions[n].end
            cue = re.search(r"\blabell?ed\s+(?:as\s+)?$", text[:start], re.IGNORECASE)
            start = cue.start() if cue and self.mentions[n].kinds == ("label",) else start
            text = text[:start] + " " * (end - start) + text[end:]
        return text

    def _take(self, kind: str) -> Any:
        """The likeliest mention that can be of that kind and stands for nothing yet."""
        free = [
            (n, m) for n, m in enumerate(self.mentions) if kind in m.kinds and n not in self.used
        ]
        if not free:
            return None
        n, mention = min(
            free, key=lambda pair: (not pair[1].sure, pair[1].kinds.index(kind), pair[0])
        )
        self.used.add(n)
        return mention.value

    def _ids(self, kind: str) -> list[int] | None:
        found: list[int] | None = self._take(kind)
        # "reject 42": a number right after the verb is the id.
        bare = re.match(
            r"(?:please\s+)?\w+\s+#?(\d[\d\s,;#&-]*(?:(?:and|to)\s+#?\d+)*)(?![\w.%@])", self.text
        )
        return found or (find_ids(bare[1]) if bare else None)

    def _texts(self) -> list[str] | None:
        quoted = [m.value for m in self.mentions if m.kinds == ("text",)]
        self.used |= {n for n, m in enumerate(self.mentions) if m.kinds == ("text",)}
        after = clause(self.text, ":")
        return quoted or ([after] if after else None)

    def _label(self) -> str | None:
        own = self.known.labels.get(str(self.arguments.get("databit")), self.known.all_labels())
        for n, mention in enumerate(self.mentions):
            if mention.kinds == ("label",) and mention.value in own and n not in self.used:
                self.used.add(n)
                return str(mention.value)
        return next((m for m in own if re.search(rf"\b{re.escape(m)}\b", self.rest())), None)

    def _asset(self) -> str | None:
        written = self._take("asset")
        if written:
            return str(written)
        for kind in ("item", "record", *ASSETS):
            value = self._take(kind)
            if value is not None:
                return f"{kind}:{value[0] if isinstance(value, list) else value}"
        return None

    def _count(self) -> int | None:
        words = "|".join(COUNTS)
        found = re.search(
            rf"(?:\b(?:next|first|last|top|most|to|only)\s+)({words}|\d+)\b(?!\s*%)"
            rf"|(?<![\w.@#-])({words}|\d+)\s+(?:\w+\s+)?(?:items?|records?|rows?|examples?|candidates?|more)\b",
            self.rest(),
            re.IGNORECASE,
        )
        if not found:
            return None
        said = (found[1] or found[2]).lower()
        return COUNTS[said] if said in COUNTS else int(said)

    def _choice(self, name: str, schema: Schema) -> Any:
        """The earliest choice that is said, in whatever form; one that is always made, the example's."""
        always = schema.get("default") is not None
        for text in (self.rest(), self.example if always else ""):
            words = re.findall(r"[a-z]+", text.lower())
            said = [
                (n, value)
                for n, word in enumerate(words)
                for value in schema["enum"]
                if value != "none" and _same(word, str(value))
            ]
            if said:
                return min(said)[1]
        return None

    def _share(self, name: str, schema: Schema) -> float | None:
        """A number from 0 to 1, said as such or in percent; `min_` and `max_` go by the words before."""
        for match in re.finditer(_NUMBER, self.text):
            value = float(match[1]) / (100 if match[2] or float(match[1]) > 1 else 1)
            before = self.text[max(0, match.start() - 24) : match.start()].lower()
            below = re.search(rf"(?:{_BELOW})\W*(?:a\s)?$", before)
            above = re.search(rf"(?:{_ABOVE})\W*(?:a\s)?$", before)
            bound = name.split("_")[0]
            fits = (
                bool(below)
                if bound == "max"
                else (not below if bound == "min" else name.split("_")[0] in self.text.lower())
            )
            plain = match[2] or above or below or "." in match[1]
            if fits and plain and value <= 1:
                return value
        return None

    def _number(self, name: str, schema: Schema) -> float | int | None:
        """A number beside the property's name: `seed 7`, `last 48 hours`."""
        unit = re.escape(name.replace("_", " ").rstrip("s"))
        found = re.search(
            rf"{_NUMBER}\s*{unit}s?\b|\b{unit}s?\s*(?:of|to|=|:|is)?\s*{_NUMBER}",
            self.text,
            re.IGNORECASE,
        )
        days = re.search(rf"{_NUMBER}\s*days?\b", self.text, re.IGNORECASE)
        if name == "hours" and days:
            return float(days[1]) * 24
        if not found:
            return None
        value = float(found[1] or found[3])
        return int(value) if schema.get("type") == "integer" else value

    def _flag(self, name: str, schema: Schema) -> bool | None:
        """Said by name; denied when a `not` stands right before."""
        words = r"[\s-]+(?:the[\s-]+)?".join(map(re.escape, name.split("_")))
        found = re.search(rf"(\b(?:not|no|don't|without)\s+)?\b{words}", self.text, re.IGNORECASE)
        return None if found is None else found[1] is None

    def _words(self, name: str, schema: Schema) -> str | None:
        """Free text, where the request marks it: by its name, or in the phrase the name is used in."""
        cues = {
            "contains": r"contain(?:s|ing)?|mention(?:s|ing)?|with the words?|that says?|about",
            "query": r"for|about|like|mention(?:s|ing)?",
            "reason": r"because|since|as it|reason:",
            "comment": r"comment:?|saying|because",
            "description": r"for(?! the labels)",
        }
        named = rf"{re.escape(name.replace('_', ' '))}\s*[:=]"
        return clause(
            self.rest(), f"(?:{named})" + (f"|\\b(?:{cues[name]})" if name in cues else "")
        )


def _same(word: str, choice: str) -> bool:
    """`labelled` for `labeled`, `rejecting` is not `rejected`, and `runs` are not `running`."""

    def stem(form: str) -> str:
        return re.sub(r"([b-df-hj-np-tv-z])\1$", r"\1", re.sub(r"(?:ing|ed|es|e|s)$", "", form))

    return stem(word) == stem(choice) and word.endswith("ing") == choice.endswith("ing")
