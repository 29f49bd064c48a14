"""Finding an operation by what somebody wants to do: BM25F over the catalogue's own words.

Words are cut to a stem, so that *labelling*, *labels* and *labelled* are one. A word that no
operation uses is taken for the one that it is spelled most like. Formula: Robertson and Zaragoza,
"The Probabilistic Relevance Framework: BM25 and Beyond", 2009, section 3.6.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from databits.operation import Operation

_WORD = re.compile(r"[a-z0-9]+")
# What a request says in passing; X stands for a name in the examples.
_PASSING = frozenset(
    """
    a an the of to in on for with by and or is are was be been it its this that these those i me my we us our you
    your please can could would should do does did have has had will there here x what which who how when where
    want need let make show give tell get just some any all at as so if
    """.split()  # noqa: SIM905 - one word a line would be sixty lines
)
# Words of the catalogue, and what people say for them.
_ALSO = {
    "label": "annotate annotation tag classify category class",
    "list": "all available existing exist every",
    "import": "upload ingest load csv jsonl pull bring read document folder",
    "record text": "raw row preview",
    "source": "upload imported",
    "databit": "template guideline taxonomy schema",
    "pipeline next": "overview status stand now stage project todo",
    "queue status": "progress left remaining done far statistics backlog",
    "claim": "reserve assign work hand",
    "release": "unclaim unlock back",
    "skip": "unsure sure leave later pass",
    "reject": "drop discard exclude delete remove spam",
    "approve": "accept confirm right correct agree",
    "correct label": "wrong fix relabel change mistake edit",
    "bulk": "everything mass batch rule filter",
    "dataset": "training set split freeze snapshot",
    "train": "teach finetune learn fit",
    "evaluate": "score accuracy measure quality confusion performance test",
    "deploy": "live ship serve production launch release",
    "endpoint": "production service serving traffic live running",
    "metric": "latency slow fast speed traffic error volume usage load p95",
    "drift": "shift distribution differ different same",
    "query endpoint": "predict prediction playground ask infer inference say answer",
    "feedback": "thumb complaint rating user",
    "candidate": "active learning complaint flagged",
    "run": "job task progress running long",
    "cancel": "abort stop kill halt",
    "undo": "rollback roll revert restore mistake back",
    "change": "history activity modified modify edit diff yesterday",
    "lineage": "provenance origin depend downstream upstream impact",
    "audit": "log who compliance trail",
    "verify": "tamper hash chain intact integrity",
    "evidence": "proof compliance auditor",
    "approval plan": "pending wait permission",
}
_SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ied", "es", "ed", "er", "ly", "s", "e")
# How much a word counts by where it stands, and how much a long text there is held against it.
_FIELDS = {"name": (4.0, 0.3), "examples": (2.0, 0.6), "about": (1.0, 0.7)}
_K1 = 1.2
# Who asks something wants to read.
_QUESTION = re.compile(
    r"\s*(?:who|what|which|where|when|why|how|is|has|have|show|list|see)\b", re.I
)
_READS = 1.5


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its ending; at least three letters stay."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def _bare(word: str) -> str:
    """A stem without what a verb is turned round with: *relabel*, *unlock*, *pre-annotate*."""
    return re.sub(r"^(?:re|un|pre)(?=.{4})", "", word)


def words(text: str) -> list[str]:
    """The stems of a text's words, without those said in passing."""
    return [stem(w) for w in _WORD.findall(text.lower()) if w not in _PASSING]


class Index:
    """Operations by the words they are described with."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations: Sequence[Operation] = list(operations)
        self._also: dict[str, set[str]] = {}
        for ours, said in _ALSO.items():
            for word in words(said):
                self._also.setdefault(word, set()).update(words(ours))
        texts = [_texts(op) for op in self.operations]
        self._counts = [{f: Counter(words(t[f])) for f in _FIELDS} for t in texts]
        self._length = {
            f: max(1.0, sum(c[f].total() for c in self._counts) / max(1, len(texts)))
            for f in _FIELDS
        }
        used = Counter(w for counts in self._counts for w in set().union(*counts.values()))
        self._rarity = {
            w: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for w, n in used.items()
        }

    def search(self, query: str, limit: int) -> list[Operation]:
        """Those that answer a request, best first; none when no word of it means anything here.

        A name finds its operation first.
        """
        name = query.strip().lower().replace(" ", "_")
        wanted, asks = self._wanted(query), _QUESTION.match(query) is not None
        scored = [
            (op.name == name, fits * (_READS if asks and op.effect == "read" else 1.0), -n)
            for n, op in enumerate(self.operations)
            if (fits := sum(sure * self._weight(n, word) for word, sure in wanted.items()))
        ]
        return [self.operations[-n] for *_, n in sorted(scored, reverse=True)[:limit]]

    def _wanted(self, query: str) -> dict[str, float]:
        """The words to look for, and how sure it is that they are meant."""
        wanted: dict[str, float] = {}
        for word in words(query):
            also = self._also.get(word) or self._also.get(_bare(word)) or set()
            sure = {word: 1.0, _bare(word): 0.8, **dict.fromkeys(also, 0.6)}
            if not sure.keys() & self._rarity.keys() and (near := self._like(word)):
                sure = {near: 0.6}
            for meant in sure.keys() & self._rarity.keys():
                wanted[meant] = max(sure[meant], wanted.get(meant, 0.0))
        return wanted

    def _weight(self, n: int, word: str) -> float:
        found = 0.0
        for name, (boost, long) in _FIELDS.items():
            counts = self._counts[n][name]
            if count := counts[word]:
                found += boost * count / (1 - long + long * counts.total() / self._length[name])
        return self._rarity[word] * found / (_K1 + found)

    def _like(self, word: str) -> str | None:
        """The word here that one is spelled most like, by shared pairs of letters (Dice)."""
        pairs = _pairs(word)
        best = max(self._rarity, key=lambda w: _alike(pairs, _pairs(w)), default="")
        return best if _alike(pairs, _pairs(best)) >= 0.6 else None


def _texts(op: Operation) -> dict[str, str]:
    properties = op.input_schema["properties"]
    told = " ".join(f"{n} {s.get('description', '')}" for n, s in properties.items())
    return {
        "name": op.name.replace("_", " "),
        "examples": " ".join(op.examples),
        "about": f"{op.stage} {op.description} {told.replace('_', ' ')}",
    }


@lru_cache(maxsize=4096)
def _pairs(word: str) -> frozenset[str]:
    padded = f" {word} "
    return frozenset(a + b for a, b in pairwise(padded))


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0
