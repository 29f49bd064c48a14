"""From a request to a call, a question back, or neither; nothing is called on a guess.

A call that changes something takes more certainty than a reading one, and what was not said is
taken from the conversation only where there is no doubt; the person is always told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.conversation import Asked, Memory
from agent.known import NAMED, Known
from agent.mentions import find_ids, find_mentions
from agent.phrases import POINTING, slug, split_list
from agent.ranking import Candidate, Ranker, ToolSpec
from agent.slots import Filling
from agent.wording import escape

FLOOR = 0.32  # below, a request is about nothing the tools do; see evals/cases/planner.jsonl
SURE = 0.40  # from here on a tool that changes something is taken without asking
CLEAR = 0.60  # from here on a text is a request, even where a name or a path was asked for
MARGIN = 0.02  # closer than this to the next tool, the person is asked which is meant
WRITE_MARGIN = 0.05

IMPLIED = ("run", "item", "request", "plan")  # ids that a conversation is about

_LEAVE = re.compile(
    r"\W*(?:no|nope|cancel|never ?mind|forget it|stop|leave it|none)\b", re.IGNORECASE
)
_YES = re.compile(
    r"\W*(?:yes|yeah|yep|sure|ok|okay|please do|do it|go ahead|right)\b", re.IGNORECASE
)
_ORDINALS = ("first", "second", "third")
_ASK = {
    "databit": "Which Databit?",
    "new-name": "What should it be called?",
    "new-labels": "Which labels? Name at least two, as in: billing, refund, login.",
    "path": "Which file or folder?",
    "item": "Which item? Say its number.",
    "items": "Which items? Say their numbers, as in: 3, 4 and 5.",
    "label": "Which label?",
    "text": "What text?",
    "texts": "What text should it be asked about?",
    "run": "Which run? Say its number.",
    "change": "Which change? Say its number.",
    "plan": "Which plan? Say its number.",
    "request": "Which request? Say the id that came with the answer.",
}


@dataclass(frozen=True)
class Call:
    """A tool to call; `note` says what was taken from the conversation."""

    spec: ToolSpec
    arguments: dict[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Say:
    """An answer without a call: a question back, or that the request was not understood."""

    text: str
    asked: Asked | None = None
    suggestions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Interpreter:
    """Reads requests against the tools there are, what exists and what was said before."""

    ranker: Ranker
    known: Known
    memory: Memory

    def read(self, request: str) -> Call | Say:
        """What a request of its own means."""
        ranked = self.ranker.rank(request, self.known)
        if not ranked or ranked[0].sense < FLOOR:
            return self._lost(ranked)
        best = ranked[0]
        changes = best.spec.effect != "read"
        margin = WRITE_MARGIN if changes else MARGIN
        rivals = [c for c in ranked[1:3] if best.score - c.score < margin and c.sense >= FLOOR]
        said = max(ranked, key=lambda candidate: candidate.meaning)
        if said.meaning - best.meaning > WRITE_MARGIN and said not in rivals:
            # The words are another tool's, which only lacks something: `skip some items`.
            rivals.append(said)
        if rivals or (changes and best.sense < SURE):
            return self._which(request, [best, *rivals])
        return self.complete(request, best.spec, best.arguments)

    def reply(self, asked: Asked, said: str) -> Call | Say | None:
        """What a reply to the planner's question means; None when it is a request of its own."""
        if not asked["tool"]:
            return self._chosen(asked, said)
        spec = self.ranker.specs.get(asked["tool"])
        if spec is None:
            return None
        value = self._value(spec, asked, said)
        if value is None:
            return Say("All right, I leave it.") if _LEAVE.match(said) else None
        return self.complete(asked["request"], spec, {**asked["arguments"], asked["slot"]: value})

    def complete(self, request: str, spec: ToolSpec, arguments: dict[str, Any]) -> Call | Say:
        """Fill what was not said from the conversation, or ask for it."""
        said, arguments = arguments, dict(arguments)
        notes: list[str] = []
        pointed = bool(POINTING.search(request))  # `it` stands for one thing, so for one slot
        for name in sorted(spec.kinds, key=lambda name: name not in spec.required):
            if name in arguments or not (name in spec.required or (pointed and not notes)):
                continue
            kind = spec.kinds[name]
            value, why = self._remembered(request, spec, kind)
            if value is not None and (name in spec.required or kind in NAMED):
                arguments[name] = value
                notes.append(f"{_shown(kind, value)} ({why})")
        missing = [name for name in spec.required if name not in arguments]
        if missing:
            # What was remembered is left out of the question, and told with the call it leads to.
            return self._ask(
                request, spec, said, missing[0], self._options(spec, missing[0], arguments)
            )
        note = f"I take it you mean {' and '.join(notes)}." if notes else ""
        return Call(spec, arguments, note)

    # what was not said --------------------------------------------------------------------

    def _remembered(self, request: str, spec: ToolSpec, kind: str) -> tuple[Any, str]:
        if kind == "change":
            return (self.memory.changes[-1], "your last one") if self.memory.changes else (None, "")
        if kind == "items":
            last = self.memory.last("item")
            return (last, "those shown last") if last and POINTING.search(request) else (None, "")
        if kind == "asset" and POINTING.search(request):
            return self._last_asset()
        last = self._last(kind)
        if len(last) == 1:
            return last[0], "mentioned last"
        if kind in NAMED and len(self.known.of(kind)) == 1:
            return self.known.of(kind)[0], f"the only {kind} there is"
        if kind == "run" and spec.effect == "read" and self.known.of("run"):
            return int(self.known.of("run")[-1]), "the newest"
        return None, ""

    def _last(self, kind: str) -> list[Any]:
        """What was mentioned last of a kind and still exists; labels are a person's to say anew."""
        if kind in NAMED:
            found = self.memory.last(kind)
            return [v for v in dict.fromkeys(found) if str(v).casefold() in self.known.by_name]
        return list(dict.fromkeys(self.memory.last(kind))) if kind in IMPLIED else []

    def _last_asset(self) -> tuple[Any, str]:
        for kind in ("item", "endpoint", "model", "dataset", "databit", "source"):
            if kind in self.memory.newest_kinds() and len(self.memory.last(kind)) == 1:
                return f"{kind}:{self.memory.last(kind)[0]}", "mentioned last"
        return None, ""

    def _ask(
        self, request: str, spec: ToolSpec, said: dict[str, Any], name: str, options: list[str]
    ) -> Say:
        kind = spec.kinds[name]
        if kind in NAMED and not options:
            return Say(f"There is no {kind} yet.", suggestions=["what should I do next"])
        text = _ASK.get(kind) or (
            f"Which {kind}?" if kind in NAMED else _by_description(spec, name)
        )
        if options:
            text += f" There are: {', '.join(escape(option) for option in options[:12])}."
        asked = Asked(
            request=request,
            tool=spec.name,
            arguments=said,
            slot=name,
            options={option: option for option in options},
            rest=[],
        )
        return Say(text, asked, options[:6])

    def _options(self, spec: ToolSpec, name: str, arguments: dict[str, Any]) -> list[str]:
        """What there is to choose from for a slot."""
        kind = spec.kinds[name]
        if kind == "label":
            return list(self.known.labels.get(arguments.get("databit", ""), ()))
        return self.known.of(kind) if kind in NAMED else []

    def _value(self, spec: ToolSpec, asked: Asked, said: str) -> Any:
        """The reply as the value of the slot that was asked for."""
        name, kind = asked["slot"], spec.kinds[asked["slot"]]
        option = _option(asked, said)
        if option is not None:
            return option
        filling = Filling(said, find_mentions(said, self.known), self.known)
        filling.arguments = dict(asked["arguments"])
        value = filling.read(name, spec.properties[name])
        bare = said.strip().strip("\"'“”").rstrip(".!")
        if value is not None or _LEAVE.match(said):
            return value
        if kind in ("new-name", "endpoint-or-new", "new-labels", "path") and self._is_request(said):
            return None
        if kind in ("new-name", "endpoint-or-new"):
            return slug(bare) if len(bare.split()) <= 4 else None
        if kind == "new-labels":
            return split_list(bare) if len(split_list(bare)) > 1 else None
        if kind in ("item", "items", "run", "change", "plan"):
            ids = find_ids(bare) if re.fullmatch(r"(?:[#\d\s,;&-]|and|to)+", bare) else []
            return (ids or None) if kind == "items" else next(iter(ids), None)
        if kind == "flag":
            return True if _YES.match(said) else None
        return {"text": bare, "texts": [bare], "path": bare, "words": bare}.get(kind)

    def _is_request(self, said: str) -> bool:
        """Whether a reply is rather a request of its own, as `list models` is no name."""
        ranked = self.ranker.rank(said, self.known)
        return len(said.split()) > 1 and bool(ranked) and ranked[0].sense >= CLEAR

    # which tool is meant --------------------------------------------------------------------

    def _which(self, request: str, candidates: Sequence[Candidate]) -> Say:
        options = {_short(c.spec.summary): c.spec.name for c in candidates}
        asked = Asked(request=request, tool="", arguments={}, slot="", options=options, rest=[])
        words = [f"“{escape(option)}”" for option in options]
        return Say(f"Do you mean {' or '.join(words)}?", asked, [*options])

    def _chosen(self, asked: Asked, said: str) -> Call | Say | None:
        name = _option(asked, said)
        if name is None and _YES.match(said) and len(asked["options"]) == 1:
            name = next(iter(asked["options"].values()))
        if name is None:
            return Say("All right, I leave it.") if _LEAVE.match(said) else None
        found = next(
            (c for c in self.ranker.rank(asked["request"], self.known) if c.spec.name == name), None
        )
        return self.complete(asked["request"], found.spec, found.arguments) if found else None

    def _lost(self, ranked: Sequence[Candidate]) -> Say:
        near = [r for c in ranked for r in [self._spelled(c)] if r][:3]
        text = "I did not understand that." + (" Perhaps one of these?" if near else "")
        return Say(text, suggestions=near)

    def _spelled(self, candidate: Candidate) -> str | None:
        """The nearest example of a tool as a request that can be made as it is."""
        example = candidate.example
        if example not in candidate.spec.examples:
            return None
        kinds = [candidate.spec.kinds[name] for name in candidate.spec.required]
        if not re.search(r"\b[XY]\b", example):
            return example
        named = [kind for kind in kinds if kind in NAMED]
        if len(named) != 1 or re.search(r"\bY\b", example) or not self.known.of(named[0]):
            return None
        last = self.memory.last(named[0])
        return re.sub(r"\bX\b", lambda _: str((last or self.known.of(named[0]))[-1]), example)


def _option(asked: Asked, said: str) -> str | None:
    """The option that a reply picks: by its words, or by its place."""
    bare = said.strip().strip("\"'“”.!?").casefold()
    for option, value in asked["options"].items():
        if bare == option.casefold():
            return value
    for n, ordinal in enumerate(_ORDINALS[: len(asked["options"])]):
        if re.fullmatch(rf"(?:the\s+)?(?:{ordinal}|{n + 1})(?:\s+one)?", bare):
            return list(asked["options"].values())[n]
    return None


def _shown(kind: str, value: Any) -> str:
    """A value with its kind: `the Databit support`, `change 5`, `items 3, 4`."""
    said = escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    if kind in NAMED or kind == "request":
        return f"the {'Databit' if kind == 'databit' else kind} {said}"
    return said if kind == "asset" else f"{kind} {said}"


def _short(summary: str) -> str:
    """The gist of a tool's summary, to stand inside a sentence."""
    gist = re.split(r"[;:,]", summary, maxsplit=1)[0]
    return gist[:1].lower() + gist[1:]


def _by_description(spec: ToolSpec, name: str) -> str:
    said = spec.properties[name].get("description")
    return f"What is the {name.replace('_', ' ')}?" + (f" ({said})" if said else "")
