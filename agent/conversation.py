"""What a conversation has been about, read from its messages: results, things named, the open question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.known import NAMED, Known
from agent.mentions import find_mentions

RECALLED = 60  # messages: what was said before them is not meant by `it`


class Result(TypedDict):
    """One finished tool call."""

    tool: str
    arguments: dict[str, Any]
    ok: bool
    text: str
    data: dict[str, Any]


class Asked(TypedDict):
    """A question of the planner that waits for a reply."""

    request: str
    tool: str
    """Empty while the question is which tool is meant."""
    arguments: dict[str, Any]
    slot: str
    options: dict[str, str]
    """What can be answered → the tool or the value it stands for."""
    rest: list[str]
    """Requests of the same message that come after this one."""


@dataclass
class Memory:
    """The things of a conversation, newest last."""

    heard: list[dict[str, list[Any]]] = field(default_factory=list)
    """Kind → values, one entry a message or result that named any."""
    changes: list[int] = field(default_factory=list)
    """Changes made in this conversation that stand."""
    page: Result | None = None
    """The last page shown that has a next one."""

    def last(self, kind: str) -> list[Any]:
        """What the newest message that named this kind named; one value means no doubt."""
        return next((entry[kind] for entry in reversed(self.heard) if kind in entry), [])

    def newest_kinds(self) -> set[str]:
        """The kinds of what was named or made last."""
        return set(self.heard[-1]) if self.heard else set()


def recall(messages: Sequence[BaseMessage], known: Known) -> Memory:
    """Read a conversation; what a later message names outdoes what an earlier one did."""
    memory = Memory()
    for n, message in enumerate(messages[-RECALLED:], max(0, len(messages) - RECALLED)):
        if isinstance(message, HumanMessage):
            _hear(memory, _named_in(message.text, known))
        elif isinstance(message, ToolMessage):
            for result in results_of(message, messages[:n]):
                _take_in(memory, result)
    return memory


def results_of(message: ToolMessage, before: Sequence[BaseMessage]) -> list[Result]:
    """The tool calls behind a tool message: a specialist's are listed in its artifact."""
    artifact = message.artifact if isinstance(message.artifact, dict) else {}
    if "results" in artifact:
        return list(artifact["results"])
    return [
        Result(
            tool=message.name or "",
            arguments=_arguments(message.tool_call_id, before),
            ok=message.status != "error" and not artifact.get("declined"),
            text=message.text,
            data=artifact,
        )
    ]


def open_question(messages: Sequence[BaseMessage]) -> Asked | None:
    """The planner's question that the newest message replies to."""
    previous = next((m for m in reversed(messages[:-1]) if isinstance(m, AIMessage)), None)
    return previous.additional_kwargs.get("asked") if previous else None


def outcome(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result inside a consequential call's envelope or a finished run."""
    if data.keys() >= {"plan", "result", "run"}:
        return outcome(data["result"] or data["run"] or data["plan"] or {})
    if is_run(data) and data.get("result"):
        return outcome(data["result"])
    return data


def is_run(data: Mapping[str, Any]) -> bool:
    return data.keys() >= {"id", "operation", "state", "progress"}


def _arguments(call_id: str, before: Sequence[BaseMessage]) -> dict[str, Any]:
    calls = (call for m in before if isinstance(m, AIMessage) for call in m.tool_calls)
    return next((call["args"] for call in calls if call["id"] == call_id), {})


def _hear(memory: Memory, named: dict[str, list[Any]]) -> None:
    if named:
        memory.heard.append(named)


def _named_in(text: str, known: Known) -> dict[str, list[Any]]:
    named: dict[str, list[Any]] = {}
    for mention in find_mentions(text, known):
        for kind in mention.kinds:
            values = mention.value if isinstance(mention.value, list) else [mention.value]
            named.setdefault(kind, []).extend(values)
    return named


def _take_in(memory: Memory, result: Result) -> None:
    if not result["ok"]:
        return
    # The result knows better than what was asked for.
    named = dict(_things(result["tool"], result["arguments"]))
    named.update(_things(result["tool"], result["data"]))
    _hear(memory, named)
    final = outcome(result["data"])
    undone = final.get("undone")
    if undone:
        memory.changes = [change for change in memory.changes if change != undone]
    elif final.get("change_id"):
        memory.changes.append(final["change_id"])
    memory.page = result if "rows" in final and final.get("next") else None


def _things(tool: str, data: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """What a result or the arguments of a call name, by the names of the fields."""
    if data.keys() >= {"plan", "result", "run"}:
        yield from _things(tool, outcome(data))
        return
    if is_run(data):
        yield "run", [data["id"]]
        yield from _things(data["operation"], data.get("result") or {})
        return
    noun = tool.partition("_")[2].rstrip("s")
    rows = data.get("rows", data.get("items", data.get("decided")))
    for kind in (*NAMED, "run", "plan"):
        if isinstance(data.get(kind), str | int) and data[kind]:
            yield kind, [data[kind]]
    if noun in NAMED and data.get("name"):
        yield noun, [data["name"]]
    if isinstance(rows, list):
        ids = [row.get("id") if isinstance(row, dict) else row for row in rows]
        if ids and all(isinstance(i, int) for i in ids) and noun in ("item", "label"):
            yield "item", ids
    elif isinstance(data.get("item"), int):
        yield "item", [data["item"]]
    answers = [a["request_id"] for a in data.get("answers", ()) if "request_id" in a]
    if answers:
        yield "request", answers
