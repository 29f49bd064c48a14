"""A support inbox to try the workbench on: made up, deterministic, and not too easy.

    python -m ui.demo.tickets OUT.csv

writes the training sample. Texts are put together from `sentences.toml` and then roughened as real
ones are: typing errors, lost capitals and punctuation, a second topic, a ticket sent twice, a name
and an address in it. `topic` is what a careful person would answer.
"""

import csv
import re
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from pydantic import BaseModel

Ticket = dict[str, str]

COLUMNS = ("id", "received_at", "channel", "customer_tier", "text", "topic")

# Shares of tickets that …
VAGUE = 0.04  # … say nothing of their topic
SHARED = 0.08  # … open with a sentence that fits two topics
MIXED = 0.12  # … mention a second topic
REPEATED = 0.02  # … were sent before, word for word
REWORDED = 0.03  # … were sent before, slightly different
PERSONAL = 0.02  # … are signed with a name and an address
TYPOS = 0.20
LOWER_CASE = 0.15
UNPUNCTUATED = 0.10
OUTAGE = 0.75  # of the second half of the live traffic

_START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
_LIVE_START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_CHANNELS = ("email", "email", "web form", "web form", "chat")
_PHONE_CHANNELS = ("chat", "mobile app")
_TIERS = ("free", "team", "team", "business", "business", "enterprise")
_WORDING = re.compile(r"\[([^\]]*)\]")
_KEPT = ("amount", "browser", "invoice", "plan", "product", "role", "tool")
_SLOT = re.compile(r"\{([a-z]+)\}")


class _Topic(BaseModel):
    weight: int
    problems: list[str]
    details: list[str] = []
    asks: list[str] = []


class _Shared(BaseModel):
    topics: list[str]
    sentence: str


class _Outage(BaseModel):
    topics: dict[str, _Topic]
    endings: list[str]


class _Sentences(BaseModel):
    topics: dict[str, _Topic]
    shared: list[_Shared]
    vague: list[str]
    greetings: list[str]
    contexts: list[str]
    sign_offs: list[str]
    people: list[str]
    outage: _Outage
    slots: dict[str, list[str]]


_SAID = _Sentences.model_validate(
    tomllib.loads(Path(__file__).with_name("sentences.toml").read_text("utf-8"))
)
TOPICS = tuple(_SAID.topics)


def tickets(n: int = 480, seed: int = 7) -> list[Ticket]:
    """`n` labelled tickets in order of arrival; equal arguments give equal tickets.

    Keys are `COLUMNS`: `id` is T-0001 …, `received_at` ISO 8601 in UTC, `topic` the truth.
    """
    random = Random(seed)
    made: list[tuple[str, str]] = []
    while len(made) < n:
        draw = random.random()
        recent = made[-20:]
        if recent and draw < REPEATED:
            made.append(random.choice(recent))
        elif recent and draw < REPEATED + REWORDED:
            text, topic = random.choice(recent)
            made.append((_reworded(random, text), topic))
        else:
            made.append(_ticket(random))
    return _rows(random, made, "T", 1, _START, _CHANNELS)


def live_traffic(n: int = 160, seed: int = 11) -> list[Ticket]:
    """`n` production requests with their truth, ids R-0001 …; the second half has drifted.

    The first half is like `tickets`. Then a release of the phone app goes wrong: three of four
    requests are about it, and all are short, as people type them on a phone.
    """
    random = Random(seed)
    half = n // 2
    calm = [_ticket(random) for _ in range(half)]
    stormy = [_phone_message(random) for _ in range(n - half)]
    rows = _rows(random, calm, "R", 1, _LIVE_START, _CHANNELS)
    at = datetime.fromisoformat(rows[-1]["received_at"]) if rows else _LIVE_START
    return rows + _rows(random, stormy, "R", half + 1, at, _PHONE_CHANNELS)


def write_csv(path: Path, rows: list[Ticket]) -> None:
    r"""Rows as UTF-8 under the header `COLUMNS`, with `\n` line ends on every system."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _rows(
    random: Random,
    made: list[tuple[str, str]],
    prefix: str,
    first: int,
    at: datetime,
    channels: tuple[str, ...],
) -> list[Ticket]:
    rows = []
    for number, (text, topic) in enumerate(made, first):
        at += timedelta(minutes=random.randint(3, 240))
        channel, tier = random.choice(channels), random.choice(_TIERS)
        values = (f"{prefix}-{number:04}", at.isoformat(), channel, tier, text, topic)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _ticket(random: Random) -> tuple[str, str]:
    """(text, topic): the topic, with what surrounds it and what went wrong in typing."""
    topic = _topic(random, _SAID.topics)
    said = [random.choice(_SAID.vague)] if random.random() < VAGUE else _core(random, topic)
    if random.random() < 0.35:
        said.insert(0, random.choice(_SAID.contexts))
    values: dict[str, str] = {}
    parts = [_fill(random, sentence, values) for sentence in said]
    if random.random() < 0.55:
        parts.insert(0, random.choice(_SAID.greetings))
    if random.random() < PERSONAL:
        parts.append(_signature(random))
    elif random.random() < 0.4:
        parts.append(random.choice(_SAID.sign_offs))
    return _roughened(random, " ".join(parts)), topic


def _core(random: Random, topic: str) -> list[str]:
    """The sentences that carry the topic, and perhaps one that carries another."""
    about = _SAID.topics[topic]
    shared = [entry.sentence for entry in _SAID.shared if topic in entry.topics]
    if random.random() < SHARED:
        core = [random.choice(shared)]
    else:
        core = [random.choice(about.problems)]
        if random.random() < 0.5:
            core.append(random.choice(about.details))
    if random.random() < 0.5:
        core.append(random.choice(about.asks))
    if random.random() < MIXED:
        other = random.choice([name for name in TOPICS if name != topic])
        aside = random.choice(_SAID.topics[other].problems)
        core.insert(random.choice((0, len(core), len(core), len(core))), aside)
    return core


def _phone_message(random: Random) -> tuple[str, str]:
    """(text, topic) during the outage: mostly about it, otherwise the usual in fewer words."""
    if random.random() < OUTAGE:
        topic = _topic(random, _SAID.outage.topics)
        problem = _fill(random, random.choice(_SAID.outage.topics[topic].problems), {})
        text = f"{problem} {random.choice(_SAID.outage.endings)}".strip()
    else:
        topic = _topic(random, _SAID.topics)
        text = _fill(random, random.choice(_SAID.topics[topic].problems), {})
    return _with_typos(random, _unpunctuated(text).lower(), share=0.04), topic


def _topic(random: Random, topics: Mapping[str, _Topic]) -> str:
    return random.choices(list(topics), [topic.weight for topic in topics.values()])[0]


def _fill(random: Random, sentence: str, values: dict[str, str]) -> str:
    """The sentence with a wording chosen in every [a|b], and every {slot} filled.

    `values` is what the ticket has named before: it stays with one amount, one tool, one invoice.
    """
    worded = _WORDING.sub(lambda found: random.choice(found[1].split("|")), sentence)
    text = _SLOT.sub(lambda found: _value(random, found[1], values), worded)
    return text[0].upper() + text[1:]


def _value(random: Random, slot: str, values: dict[str, str]) -> str:
    value = values.get(slot) or _new_value(random, slot)
    if slot in _KEPT:
        values[slot] = value
    return value


def _new_value(random: Random, slot: str) -> str:
    """A value for a slot: one of the list of that name, or an amount, a date, a number."""
    if slot in _SAID.slots:
        return random.choice(_SAID.slots[slot])
    if slot == "amount":
        amount = random.choice((9, 19, 29, 49, 99, 120, 240, 588)) * random.randint(1, 4)
        return random.choice((f"${amount}", f"{amount} EUR", f"€{amount}.00", f"{amount} dollars"))
    if slot == "date":
        day, month = random.randint(1, 28), random.choice(_SAID.slots["month"])
        return random.choice((f"{day} {month}", f"{month} {day}", f"{day} {month[:3]}"))
    if slot == "invoice":
        return f"QB-{random.randint(2024, 2026)}-{random.randint(1, 99999):05}"
    ranges = {"seats": (12, 480), "few": (2, 11), "digits": (1000, 9999), "percent": (10, 50)}
    return str(random.randint(*ranges[slot]))


def _signature(random: Random) -> str:
    """A made-up person, at a domain and a telephone range kept free for examples."""
    name = random.choice(_SAID.people)
    address = f"{name.lower().replace(' ', '.')}@example.com"
    return f"{name}, {address}, +1 202 555 01{random.randint(0, 99):02}"


def _roughened(random: Random, text: str) -> str:
    if random.random() < TYPOS:
        text = _with_typos(random, text, share=0.06)
    if random.random() < UNPUNCTUATED:
        text = _unpunctuated(text)
    return text.lower() if random.random() < LOWER_CASE else text


def _reworded(random: Random, text: str) -> str:
    """The same message, sent again: another opening, one more typing error."""
    again = random.choice(("Sending this again:", "Second try.", "Hello?", "Once more:"))
    return f"{again} {_with_typos(random, text, share=0.08)}"


def _unpunctuated(text: str) -> str:
    """Without the marks that end words; 5.2 and 9.00 stay whole."""
    words = (word.rstrip(".,!?:;") for word in text.split())
    return " ".join(word for word in words if word)


def _with_typos(random: Random, text: str, share: float) -> str:
    """About that share of the longer words with two letters swapped, or one lost."""
    words = text.split(" ")
    for index, word in enumerate(words):
        if len(word) > 4 and word.isalpha() and random.random() < share:
            at = random.randint(1, len(word) - 3)
            swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            words[index] = random.choice((swapped, word[:at] + word[at + 1 :]))
    return " ".join(words)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ui.demo.tickets OUT.csv")
    write_csv(Path(sys.argv[1]), tickets())
