"""From what the graph streams to events: one narrator, who leaves the machinery out."""

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage

from agent import approval
from agent.client import DECLINED
from agent.events import Event, Suggestions, Text, ToolFinished, ToolStarted


class Narration:
    """The events of one run of the graph.

    The supervisor's words are the answer; a specialist's words are its report to the supervisor
    and stay inside, while its tool calls are shown.
    """

    def __init__(self) -> None:
        self._speaking = ""
        """Id of the message whose text came last."""
        self._spoken: set[str] = set()

    def events(self, where: Sequence[str], mode: str, content: Any) -> Iterator[Event]:
        """Events of one streamed part.

        where: path of subgraphs; empty for the supervisor itself.
        mode: `messages` (content is a chunk and its metadata) or `updates` (node → state update).
        """
        if mode == "messages":
            message, _ = content
            if not where and isinstance(message, AIMessageChunk) and message.text:
                yield self._text(message.id or "", message.text)
            return
        for node, update in content.items():
            if node == "__interrupt__":
                if not where:
                    yield from approval.asked(update)
                continue
            messages = update.get("messages", ()) if isinstance(update, dict) else ()
            for message in messages if isinstance(messages, list) else ():
                yield from self._inside(message) if where else self._outside(message)

    def _outside(self, message: Any) -> Iterator[Event]:
        if not isinstance(message, AIMessage):
            return
        if message.text and message.id not in self._spoken:
            yield self._text(message.id or "", message.text)  # said by a limit, not streamed
        suggestions = message.additional_kwargs.get("suggestions")
        if suggestions:
            yield Suggestions(list(suggestions))

    def _inside(self, message: Any) -> Iterator[Event]:
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                yield ToolStarted(call["id"] or "", call["name"], call["args"], message.name or "")
        elif isinstance(message, ToolMessage):
            data = message.artifact if isinstance(message.artifact, dict) else {}
            ok = message.status != "error" and message.text != DECLINED
            yield ToolFinished(message.tool_call_id, message.name or "", ok, message.text, data)

    def _text(self, id: str, text: str) -> Text:
        """A piece of text; a new message after another starts a paragraph."""
        if self._speaking and id != self._speaking:
            text = f"\n\n{text}"
        self._speaking = id
        self._spoken.add(id)
        return Text(text)
