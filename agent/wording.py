"""Results in words: a sentence, or a table, made from whatever a tool returned.

Texts of records and items come from outside, so everything a tool returned is escaped: it can not
become markup, a link, an image or a formula where the answer is shown.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.conversation import Result, is_run
from databits.visible import visible

CELL = 100
COLUMNS = 7
LISTED = 12
IDS = {"id", "item", "run", "change", "plan", "feedback", "undone", "first_broken"}
HIDDEN = {"change_id", "sha256", "digest", "created_at", "mlflow_run", "uri", "finished_at"}
_PAST = {"set": "set", "undo": "undid", "skip": "skipped"}


def tell(result: Result) -> str:
    """What a call came to, in Markdown, for a person."""
    if not result["ok"]:
        return escape(result["text"])
    data = result["data"]
    if data.keys() >= {"plan", "result", "run"}:
        return _tell_outcome(result["tool"], data)
    if is_run(data):
        return _tell_run(data)
    return _tell_data(result["tool"], data)


def escape(text: str) -> str:
    """Text as text: no markup, no HTML, no formulas, no control characters."""
    plain = visible(text.replace("\t", " "), keep="\n")
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    markup = r"([\\`*\[\]{}|~$!]|(?<!\w)_|_(?!\w)|^[#>+-])"
    plain = re.sub(markup, r"\\\1", plain, flags=re.MULTILINE)
    # Spelled so that no renderer takes an address for a link.
    plain = plain.replace("://", "&#58;//").replace("www.", "www&#46;")
    return re.sub(r"@(?=[\w-]+\.\w)", "&#64;", plain)


def listed(values: Sequence[Any]) -> str:
    """`a, b and c`; a long list is cut and counted."""
    shown = [_value(value) for value in values[:LISTED]]
    if len(values) > LISTED:
        return f"{', '.join(shown)} and {len(values) - LISTED} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else "none"


def _tell_outcome(tool: str, data: Mapping[str, Any]) -> str:
    if data["result"]:
        return _tell_data(tool, data["result"])
    if data["run"]:
        return _tell_run(data["run"])
    plan = data["plan"] or {}
    return " ".join(
        filter(None, [escape(str(plan.get("summary", ""))), escape(str(data.get("next", "")))])
    )


def _tell_run(run: Mapping[str, Any]) -> str:
    what = f"Run {run['id']} ({_words(run['operation'])})"
    if run["state"] == "succeeded":
        done = run.get("result")
        return f"{what} is done. " + (_tell_data(run["operation"], done) if done else "")
    if run["state"] in ("failed", "cancelled"):
        why = run.get("error") or run.get("message") or ""
        return f"{what} has {run['state']}. {escape(str(why))}".strip()
    at = f", {run['progress']:.0%}" if run.get("progress") else ""
    doing = f": {escape(run['message'])}" if run.get("message") else ""
    return f"{what} is {run['state']}{at}{doing}. Ask “how is run {run['id']}” to follow it."


def _tell_data(tool: str, data: Mapping[str, Any]) -> str:
    told = _page(tool, data) if "rows" in data and "total" in data else _record(tool, data)
    change = data.get("change_id")
    if change:
        told += f"\n\nSay “undo that” to take it back (change {change})."
    elif change == 0:
        told += "\n\nNothing was changed by it."
    return told


def _page(tool: str, data: Mapping[str, Any]) -> str:
    rows, total = data["rows"], data["total"]
    if not rows:
        return f"No {_words(tool.partition('_')[2])}."
    noun = _words(tool.partition("_")[2])
    head = f"{total} {noun if total != 1 else noun.rstrip('s')}"
    head += f", {len(rows)} of them here" if len(rows) < total else ""
    more = "\n\nSay “show more” for the next ones." if data.get("next") else ""
    return f"{head}:\n\n{table(rows)}{more}"


def _record(tool: str, data: Mapping[str, Any]) -> str:
    """One object: its short facts in a sentence or a list, its lists of objects as tables."""
    facts: list[tuple[str, Any]] = []
    tables: list[str] = []
    last: list[str] = []
    for name, value in data.items():
        if name in HIDDEN or value is None or value in ("", [], {}):
            continue
        if name == "next" and isinstance(value, str):  # what to do next is a sentence of its own
            last.append(f"Next: {escape(value)}")
        elif isinstance(value, list) and all(isinstance(row, dict) for row in value):
            tables.append(f"{_words(name).capitalize()}:\n\n{table(value)}")
        elif value is not False or "change_id" not in data:  # what a change did not do goes unsaid
            facts.append((name, value))
    if len(facts) > 6 or any(isinstance(value, dict) and len(value) > 3 for _, value in facts):
        lines = "\n".join(f"- {_words(name)}: {_value(value)}" for name, value in facts)
        body = f"{_headline(tool, data)}:\n\n{lines}"
    else:
        told = ", ".join(_fact(name, value) for name, value in facts)
        body = f"{_headline(tool, data)}{': ' if told else ''}{told.removesuffix('.')}."
    return "\n\n".join([body, *tables, *last])


def _headline(tool: str, data: Mapping[str, Any]) -> str:
    """`import_files` → `Imported files`; for what only reads, its subject."""
    verb, _, noun = tool.partition("_")
    if "change_id" not in data:
        reading = verb in ("get", "query", "list", "search", "trace")
        return _words(noun if reading else tool).capitalize()
    if verb == "bulk":
        return f"{_past(noun).capitalize()} in bulk"
    return f"{_past(verb).capitalize()} {_words(noun)}".strip()


def _past(verb: str) -> str:
    regular = verb + "d" if verb.endswith("e") else re.sub(r"(?<![aeou])y$", "i", verb) + "ed"
    return _PAST.get(verb, regular)


def _fact(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _words(name) if value else f"not {_words(name)}"
    if isinstance(value, int) and name not in IDS:
        unit = _words(name)
        return f"{value:,} {unit.removesuffix('s') if value == 1 else unit}"
    return f"{_words(name)} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return listed(value)
    if isinstance(value, dict):
        if value.keys() >= {"value", "low", "high"}:
            return f"{value['value']:.3g} (95 % interval {value['low']:.3g} to {value['high']:.3g})"
        pairs = [f"{escape(str(k))}: {_value(v)}" for k, v in value.items() if v not in (None, "")]
        return ", ".join(pairs[:LISTED]) + (" …" if len(pairs) > LISTED else "")
    text = str(value)
    text = re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[\d:.]*(?:Z|\+00:00)$", r"\1 \2 UTC", text)
    return escape(text)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table: the columns that hold something, short cells."""
    names = list(dict.fromkeys(name for row in rows for name in row if name not in HIDDEN))
    used = [n for n in names if any(row.get(n) not in (None, "", [], {}) for row in rows)][:COLUMNS]
    head = f"| {' | '.join(_words(name) for name in used)} |\n|{' --- |' * len(used)}"
    lines = (f"| {' | '.join(_cell(row.get(name)) for name in used)} |" for row in rows)
    return "\n".join([head, *lines])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and len(value) > CELL:
        value = value[:CELL].rstrip() + " …"
    return " ".join(_value(value).split())


def _words(name: str) -> str:
    return escape(name.replace("_", " "))
