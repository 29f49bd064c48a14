"""Tools and a prompt that ask back, as the conformance suite names them (SEP-2322)."""

from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.mcpserver import Context, UserMessage
from mcp.server.mcpserver.tools import Tool
from mcp.types import (
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Ctx = Context[Any, Any]
Asked = InputRequiredResult | CallToolResult


def text(said: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=said)])


def form(message: str, **fields: str) -> ElicitRequest:
    """A form with required fields of these types."""
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in fields.items()},
        "required": list(fields),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str) -> CreateMessageRequest:
    said = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[said], max_tokens=100))


def filled_in(ctx: Ctx, key: str) -> dict[str, Any] | None:
    """What a person has entered into a form; None as long as they have not."""
    answer = (ctx.input_responses or {}).get(key)
    if isinstance(answer, ElicitResult) and answer.action == "accept":
        return dict(answer.content or {})
    return None


def ask(state: str | None = None, **questions: Any) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state=state)


async def test_input_required_result_elicitation(ctx: Ctx) -> Asked:
    """Asks for a name and greets."""
    entered = filled_in(ctx, "user_name")
    if entered is None:
        return ask(user_name=form("What is your name?", name="string"))
    return text(f"Hello, {entered['name']}!")


async def test_input_required_result_sampling(ctx: Ctx) -> Asked:
    """Asks the client's model."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        return ask(capital_question=sample("What is the capital of France?"))
    return CallToolResult(content=[answer.content])  # type: ignore[list-item]


async def test_input_required_result_list_roots(ctx: Ctx) -> Asked:
    """Asks for the client's roots."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return ask(client_roots=ListRootsRequest())
    return text(", ".join(str(root.uri) for root in answer.roots))


async def test_input_required_result_request_state(ctx: Ctx) -> Asked:
    """Asks, and knows its own question again."""
    if filled_in(ctx, "confirm") is None:
        return ask("first", confirm=form("Please confirm", ok="boolean"))
    return text("state-ok" if ctx.request_state == "first" else "another state")


async def test_input_required_result_tampered_state(ctx: Ctx) -> Asked:
    """Asks with a state that nobody may change."""
    if filled_in(ctx, "confirm") is None:
        return ask("sealed", confirm=form("Please confirm", ok="boolean"))
    return text(f"state {ctx.request_state}")


async def test_input_required_result_multiple_inputs(ctx: Ctx) -> Asked:
    """Asks three things at once."""
    answers = ctx.input_responses or {}
    questions = {
        "user_name": form("What is your name?", name="string"),
        "greeting": sample("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if questions.keys() <= answers.keys():
        return text("All three are answered.")
    return ask("all", **questions)


async def test_input_required_result_multi_round(ctx: Ctx) -> Asked:
    """Asks a second question after the first."""
    if ctx.request_state is None:
        return ask("step 1", step1=form("Step 1: What is your name?", name="string"))
    if ctx.request_state == "step 1":
        name = (filled_in(ctx, "step1") or {}).get("name", "")
        question = form("Step 2: What is your favorite color?", color="string")
        return ask(f"step 2 {name}", step2=question)
    color = (filled_in(ctx, "step2") or {}).get("color")
    return text(f"{ctx.request_state.removeprefix('step 2 ')} likes {color}.")


async def test_input_required_result_capabilities(ctx: Ctx) -> Asked:
    """Asks for no more than the client can answer."""
    can = ctx.client_capabilities
    questions: dict[str, Any] = {}
    if can and can.sampling is not None:
        questions["sampled"] = sample("Say something")
    if can and can.elicitation is not None:
        questions["entered"] = form("Say something", said="string")
    return ask(**questions) if questions else text("There is nothing that you could be asked.")


async def test_streaming_elicitation(ctx: Ctx) -> Asked:
    """Asks after a word about progress."""
    await ctx.report_progress(0.5, 1.0, "about to ask")
    if filled_in(ctx, "go_on") is None:
        return ask(go_on=form("Go on?", ok="boolean"))
    return text("Went on.")


async def test_input_required_result_prompt(
    ctx: Ctx,
) -> list[UserMessage] | InputRequiredResult:
    """A prompt that asks for its context."""
    entered = filled_in(ctx, "user_context")
    if entered is None:
        return ask(user_context=form("What context should the prompt use?", context="string"))
    return [UserMessage(f"Use this context: {entered['context']}")]


_ASKING: Sequence[Callable[..., Any]] = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_streaming_elicitation,
)
TOOLS = [Tool.from_function(fn, structured_output=False) for fn in _ASKING]
