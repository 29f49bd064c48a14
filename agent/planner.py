"""The built-in planner: a chat model that needs no language model.

It finds the tool a request means by the tools' own examples, fills the slots by their schemas, and
tells results in words. To everything else it is a chat model like any: it binds tools, streams, and
answers one message at a time from the messages before. It reads English.
"""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.messages.tool import ToolCall, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agent.conversation import Asked, open_question, outcome, recall, results_of
from agent.intent import FLOOR, Call, Interpreter, Say
from agent.known import Fetch
from agent.phrases import split_requests
from agent.ranking import Phrasebook, Ranker, ToolSpec
from agent.smalltalk import small_talk
from agent.wording import escape, tell

_MORE = re.compile(
    r"\W*(?:show\s+)?(?:me\s+)?(?:more|the next (?:ones|page)|next page|go on)\W*$", re.I
)


class PlannerChatModel(BaseChatModel):
    """Plans by retrieval over the examples of the tools that are bound to it."""

    phrasebook: Phrasebook
    fetch: Fetch
    """What exists, asked anew for every request: a request can make things the next one means."""
    delegates: Mapping[str, Sequence[BaseTool]] = {}
    """Tools behind a bound tool: a request for one of them goes to the bound one, planned already."""
    preface: str = ""
    """Said once a turn, before the answer."""
    ranker: Ranker | None = None
    rankers: dict[tuple[str, ...], Ranker] = {}

    @property
    def _llm_type(self) -> str:
        return "databits-planner"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[Any, AIMessage]:
        bound = [tool for tool in tools if isinstance(tool, BaseTool)]
        key = tuple(tool.name for tool in bound)
        if key not in self.rankers:
            specs = [spec for tool in bound for spec in self._specs(tool)]
            self.rankers[key] = Ranker(specs, self.phrasebook)
        return self.model_copy(update={"ranker": self.rankers[key]})

    def warm(self, tools: Sequence[BaseTool]) -> None:
        """Embed the examples of tools now, rather than in the first person's turn."""
        Ranker([_spec(tool) for tool in tools], self.phrasebook).warm()

    def _specs(self, tool: BaseTool) -> list[ToolSpec]:
        if tool.name in self.delegates:
            return [_spec(behind, via=tool.name) for behind in self.delegates[tool.name]]
        return [_spec(tool)]

    # one message ----------------------------------------------------------------------------

    async def decide(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """The next message of the conversation."""
        last = messages[-1]
        if isinstance(last, ToolMessage):
            answer = await self._after_tools(messages)
        elif planned := last.additional_kwargs.get("planned"):
            call = tool_call(name=planned["tool"], args=planned["arguments"], id=_call_id())
            return AIMessage(content="", tool_calls=[call])
        else:
            answer = await self._to_request(messages)
        if self.preface and answer.text and not self._said_preface(messages):
            answer.content = f"{self.preface}\n\n{answer.text}"
        return answer

    async def _to_request(self, messages: Sequence[BaseMessage]) -> AIMessage:
        text = messages[-1].text
        ranker = self._ranker()
        chat = small_talk(text, list(ranker.specs.values()))
        if chat is not None:
            return AIMessage(content=chat.text, additional_kwargs=_extras(chat, []))
        known = await self.fetch()
        interpreter = Interpreter(ranker, known, recall(messages[:-1], known))
        asked = open_question(messages)
        if asked is not None:
            step = interpreter.reply(asked, text)
            if step is not None:
                return _message("", step, asked["request"], asked["rest"])
        page = interpreter.memory.page
        if page is not None and _MORE.match(text):
            spec = ranker.specs[page["tool"]]
            after = outcome(page["data"])["next"]
            return _message("", Call(spec, {**page["arguments"], "after": after}), text, [])
        parts = self._requests(text, interpreter)
        return _message("", interpreter.read(parts[0]), parts[0], parts[1:])

    async def _after_tools(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Tell what the calls came to; then the next request of the same message, if there is one."""
        first = max(n for n, message in enumerate(messages) if isinstance(message, AIMessage))
        finished = [m for m in messages[first:] if isinstance(m, ToolMessage)]
        told = "\n\n".join(self._told(message, messages) for message in finished)
        rest: list[str] = messages[first].additional_kwargs.get("rest", [])
        if not rest:
            return AIMessage(content=told)
        if not all(r["ok"] for m in finished for r in results_of(m, messages)):
            left = "; ".join(f"“{escape(part)}”" for part in rest)
            return AIMessage(content=f"{told}\n\nI stopped there. Not done: {left}.")
        known = await self.fetch()
        step = Interpreter(self._ranker(), known, recall(messages, known)).read(rest[0])
        return _message(told, step, rest[0], rest[1:])

    def _told(self, message: ToolMessage, messages: Sequence[BaseMessage]) -> str:
        if message.name in self.delegates:
            return message.text  # the specialist has told it
        return "\n\n".join(tell(result) for result in results_of(message, messages))

    def _requests(self, text: str, interpreter: Interpreter) -> list[str]:
        """The requests of a message; a part that is none by itself belongs to the one before."""
        parts = split_requests(text) or [text]
        requests = parts[:1]
        for part in parts[1:]:
            ranked = interpreter.ranker.rank(part, interpreter.known)
            if ranked and ranked[0].sense >= FLOOR:
                requests.append(part)
            else:
                requests[-1] = f"{requests[-1]}; {part}"
        return requests

    def _ranker(self) -> Ranker:
        return self.ranker or Ranker([], self.phrasebook)

    def _said_preface(self, messages: Sequence[BaseMessage]) -> bool:
        start = max((n for n, m in enumerate(messages) if isinstance(m, HumanMessage)), default=0)
        return any(m.text.startswith(self.preface) for m in messages[start:])

    # the chat model's interface ---------------------------------------------------------------

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return asyncio.run(self._agenerate(messages, stop))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=await self.decide(messages))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        message = await self.decide(messages)
        id = f"run-{uuid.uuid4()}"
        for word in re.findall(r"\s*\S+\s*", message.text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word, id=id))
            if run_manager:
                await run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk
        calls = [
            tool_call_chunk(name=c["name"], args=json.dumps(c["args"]), id=c["id"], index=n)
            for n, c in enumerate(message.tool_calls)
        ]
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                id=id,
                tool_call_chunks=calls,
                additional_kwargs=message.additional_kwargs,
                chunk_position="last",
            )
        )


def _spec(tool: BaseTool, via: str = "") -> ToolSpec:
    metadata = tool.metadata or {}
    meta = metadata.get("meta", {})
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        examples=tuple(meta.get("examples", ())),
        schema=metadata.get("input_schema") or tool.get_input_jsonschema(),
        # What does not say that it only reads is treated as if it wrote.
        effect=meta.get("effect", "write"),
        stage=meta.get("stage", ""),
        via=via,
    )


def _message(told: str, step: Call | Say, request: str, rest: list[str]) -> AIMessage:
    if isinstance(step, Say):
        text = "\n\n".join(filter(None, [told, step.text]))
        return AIMessage(content=text, additional_kwargs=_extras(step, rest))
    id = _call_id()
    extras: dict[str, Any] = {"rest": rest} if rest else {}
    call: ToolCall = tool_call(name=step.spec.name, args=step.arguments, id=id)
    if step.spec.via:
        # The specialist is told the call itself, so that it need not plan again.
        extras["planned"] = {id: {"tool": step.spec.name, "arguments": step.arguments}}
        call = tool_call(name=step.spec.via, args={"request": request}, id=id)
    text = "\n\n".join(filter(None, [told, step.note]))
    return AIMessage(content=text, tool_calls=[call], additional_kwargs=extras)


def _extras(step: Say, rest: list[str]) -> dict[str, Any]:
    extras: dict[str, Any] = {"suggestions": step.suggestions} if step.suggestions else {}
    if step.asked is not None:
        extras["asked"] = Asked(**{**step.asked, "rest": rest})
    return extras


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:12]}"
