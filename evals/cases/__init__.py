"""Requests with what they mean, and the world of names that they are said in."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from agent.known import Known

_FOLDER = Path(__file__).parent


class Case(NamedTuple):
    """A request and the call it means; no tool means that nothing should be called."""

    set: str
    request: str
    tool: str | None
    arguments: dict[str, Any]


def cases(which: str | None = None) -> list[Case]:
    """The cases of a set: `tuned` shaped the planner, `held-out` and `fresh` did not."""
    lines = (_FOLDER / "planner.jsonl").read_text(encoding="utf-8").splitlines()
    found = [
        Case(c["set"], c["request"], c["tool"], c.get("arguments") or {})
        for c in map(json.loads, lines)
    ]
    return [case for case in found if which is None or case.set == which]


def world() -> Known:
    """What exists where the cases are said."""
    return Known(**json.loads((_FOLDER / "world.json").read_text(encoding="utf-8")))
