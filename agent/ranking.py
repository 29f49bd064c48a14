"""Which tool a request means: nearest example by meaning, then what the tool's schema can take of it.

The weights were chosen on the cases `"set": "tuned"` of evals/cases/planner.jsonl, where any of them
can be moved by a third without losing more than one case in seventy.
"""

import math
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.known import NAMED, Known
from agent.mentions import Mention, find_mentions, mask
from agent.phrases import POINTING, normal
from agent.slots import Filling, Schema, kind_of, properties_of
from databits.engines.embedding import shared_embedder

SECOND = 0.3  # of the cosine with the second nearest example: examples that agree count a little
WORDS = 0.4  # for using the words of the tool, rare ones above all
UNFILLED = 0.15  # off for each required slot that the request says nothing about
IMPLIED = 0.1  # the same for a name, which people leave out when it goes without saying
UNUSED = 0.3  # off for each thing the request names and the tool has no use for
ASKED = 0.1  # off a tool that changes something when the request is put as a question
REQUESTS = 256  # whose vectors are at hand: a turn compares its request several times
INCIDENTAL = {"label", "text"}  # may be words like any other, so leaving them unused costs nothing

_QUESTION = re.compile(
    r"(?:please |can you |could you |let me |and )*(?:show|list|see|tell|display|what|which|who|how|is|are|has|have"
    r"|did|does|do|where|when|why)\b",
    re.IGNORECASE,
)
_IT = re.compile(r"\b(?:it|them)\b", re.IGNORECASE)
_DULL = re.compile(
    r"(?:the|an?|of|to|is|in|and|for|me|it|i|my|this|x|with|on|we|are|from|do|does)$"
)
_ASKING = {
    "what",
    "which",
    "who",
    "how",
    "can",
    "could",
    "please",
    "show",
}  # they tell tools apart, not topics


@dataclass(frozen=True)
class ToolSpec:
    """What the planner knows of a tool; all of it comes with the tool's MCP listing."""

    name: str
    description: str
    examples: tuple[str, ...]
    schema: Schema
    effect: str
    stage: str
    via: str = ""
    """The specialist that has the tool; empty when it is called directly."""

    @cached_property
    def properties(self) -> dict[str, Schema]:
        return properties_of(self.schema)

    @cached_property
    def required(self) -> list[str]:
        return list(self.schema.get("required", ()))

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Property → what it holds."""
        return {name: kind_of(name, schema) for name, schema in self.properties.items()}

    @cached_property
    def summary(self) -> str:
        """The first sentence of the description, without its period."""
        first = re.split(r"(?<=[.!?])\s", " ".join(self.description.split()), maxsplit=1)[0]
        return first.rstrip(".")

    @cached_property
    def phrases(self) -> list[str]:
        return [normal(phrase) for phrase in (*self.examples, self.summary)]

    @cached_property
    def stems(self) -> set[str]:
        return stems(" ".join((*self.examples, self.summary, self.name.replace("_", " "))))


@dataclass(frozen=True)
class Candidate:
    """A tool as the answer to a request."""

    spec: ToolSpec
    score: float
    """Similarity with words and schema counted in, see the weights above; it orders the tools."""
    sense: float
    """The same without the words that any question has; low when no tool is about this at all."""
    meaning: float
    """The score before the schema had a say."""
    arguments: dict[str, Any]
    example: str


class Phrasebook:
    """Vectors of phrases: those of tools are kept, those of requests for a while."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()
        self.vector = lru_cache(REQUESTS)(self._embed_one)

    def vectors(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """One unit row a phrase."""
        with self._lock:
            new = [phrase for phrase in dict.fromkeys(phrases) if phrase not in self._kept]
            if new:
                self._kept.update(zip(new, shared_embedder().embed(new), strict=True))
            return np.stack([self._kept[phrase] for phrase in phrases])

    def _embed_one(self, request: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = shared_embedder().embed([request])[0]
        return vector


@cache
def shared_phrasebook() -> Phrasebook:
    """The phrasebook of this process: tools are the same in every conversation."""
    return Phrasebook()


def _toll(kind: str, pointed: bool) -> float:
    """What a required slot costs that nothing is said for; `these` says something."""
    if pointed and kind in (*NAMED, "items"):
        return 0.0
    return IMPLIED if kind in NAMED else UNFILLED


def stems(text: str) -> set[str]:
    """Words by their first five letters: enough to tell `relabel` from `release`."""
    return {word[:5] for word in re.findall(r"[a-z]+", text.lower()) if not _DULL.match(word)}


class Ranker:
    """Orders a set of tools by how well they answer a request."""

    def __init__(self, specs: Sequence[ToolSpec], phrasebook: Phrasebook) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.phrasebook = phrasebook
        uses = Counter(stem for spec in specs for stem in spec.stems)
        self._rarity = {stem: math.log((len(specs) + 1) / (n + 0.5)) for stem, n in uses.items()}

    def warm(self) -> None:
        """Embed every example now, rather than in the first person's turn."""
        self.phrasebook.vectors([p for spec in self.specs.values() for p in spec.phrases])

    def rank(self, text: str, known: Known) -> list[Candidate]:
        """The tools, best first."""
        mentions = find_mentions(text, known)
        # `it` stands for a name, as X does in the examples.
        query = _IT.sub("X", normal(mask(text, mentions)))
        vector = self.phrasebook.vector(query)
        words = stems(query)
        found = [
            self._weigh(text, mentions, spec, known, vector, words) for spec in self.specs.values()
        ]
        return sorted(found, key=lambda candidate: -candidate.score)

    def _weigh(
        self,
        text: str,
        mentions: list[Mention],
        spec: ToolSpec,
        known: Known,
        vector: NDArray[np.float32],
        words: set[str],
    ) -> Candidate:
        cosines = self.phrasebook.vectors(spec.phrases) @ vector
        order = np.argsort(-cosines)
        example = [*spec.examples, spec.summary][int(order[0])]
        filling = Filling(text, mentions, known, example=example)
        filling.fill(spec.properties, spec.required)
        missing = [name for name in spec.required if name not in filling.arguments]
        unused = sum(
            n not in filling.used and not set(m.kinds) <= INCIDENTAL for n, m in enumerate(mentions)
        )
        question = spec.effect != "read" and bool(_QUESTION.match(text))
        pointed = bool(POINTING.search(text))
        untold = sum(_toll(spec.kinds[name], pointed) for name in missing)
        cost = untold + UNUSED * unused + ASKED * question
        second = float(cosines[order[1]]) if len(order) > 1 else 0.0
        meaning = float(cosines[order[0]]) + SECOND * second
        score, sense = (
            (meaning + WORDS * self._overlap(said, spec)) / (1 + SECOND + WORDS) - cost
            for said in (words, words - _ASKING)
        )
        return Candidate(spec, score, sense, score + cost, filling.arguments, example)

    def _overlap(self, words: set[str], spec: ToolSpec) -> float:
        """Share of the request's words, weighed by rarity among tools, that the tool uses, too."""
        total = sum(self._rarity.get(word, 0.0) for word in words)
        return sum(self._rarity[word] for word in words & spec.stems) / total if total else 0.0
