"""Tools, resources and prompts that the conformance suite names and reads."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SamplingMessage,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

from tests.conformance.questions import test_input_required_result_prompt, text

Ctx = Context[Any, Any]
# One red pixel, and a sound of no length.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, said: str, kind: str = "text/plain") -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=kind, text=said)
    return EmbeddedResource(type="resource", resource=contents)


# contents -----------------------------------------------------------------------------------------


async def test_simple_text() -> CallToolResult:
    """Gives a text."""
    return text("This is a simple text response for testing.")


async def test_image_content() -> CallToolResult:
    """Gives an image."""
    return CallToolResult(content=[IMAGE])


async def test_audio_content() -> CallToolResult:
    """Gives a sound."""
    return CallToolResult(content=[AudioContent(type="audio", data=WAV, mime_type="audio/wav")])


async def test_embedded_resource() -> CallToolResult:
    """Gives a resource."""
    said = "This is an embedded resource content."
    return CallToolResult(content=[embedded("test://embedded-resource", said)])


async def test_multiple_content_types() -> CallToolResult:
    """Gives three kinds of content."""
    data = json.dumps({"test": "data", "value": 123})
    return CallToolResult(
        content=[
            TextContent(type="text", text="Multiple content types test:"),
            IMAGE,
            embedded("test://mixed-content-resource", data, "application/json"),
        ]
    )


async def test_error_handling() -> CallToolResult:
    """Fails."""
    raise ToolError("This tool intentionally returns an error for testing")


# while it runs ------------------------------------------------------------------------------------


async def test_tool_with_logging(ctx: Ctx) -> CallToolResult:
    """Tells the client's log what it does."""
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(said)
        await anyio.sleep(0.05)
    return text("Logged three times.")


async def test_tool_with_progress(ctx: Ctx) -> CallToolResult:
    """Tells its progress."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await anyio.sleep(0.05)
    return text("Done.")


async def test_reconnection(ctx: Ctx) -> CallToolResult:
    """Lets the client go and come back for the result."""
    await ctx.close_sse_stream()
    await anyio.sleep(0.2)
    return text("Reconnected.")


async def test_trigger_tool_change(ctx: Ctx) -> CallToolResult:
    """Says that the list of tools has changed."""
    await ctx.notify_tools_changed()
    return text("Told.")


async def test_trigger_prompt_change(ctx: Ctx) -> CallToolResult:
    """Says that the list of prompts has changed."""
    await ctx.notify_prompts_changed()
    return text("Told.")


# what clients can do ------------------------------------------------------------------------------


async def test_sampling(prompt: str, ctx: Ctx) -> CallToolResult:
    """Asks the client's model, in the middle of the call."""
    said = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message(
        messages=[said], max_tokens=100, related_request_id=ctx.request_id
    )
    return text(f"LLM response: {answer.content}")


async def test_missing_capability(ctx: Ctx) -> CallToolResult:
    """Needs a client with a model."""
    if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This takes sampling.", needed)
    return text("It can.")


class Contact(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


OPTIONS = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
NAMES = {
    "enum": ["opt1", "opt2", "opt3"],
    "enumNames": ["Option One", "Option Two", "Option Three"],
}


class Enums(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": OPTIONS})
    titledSingle: str = Field(json_schema_extra={"oneOf": TITLED})
    legacyEnum: str = Field(json_schema_extra=NAMES)
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": OPTIONS}}
    )
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": TITLED}})


async def _elicit(ctx: Ctx, message: str, form: type[BaseModel]) -> CallToolResult:
    answer = await ctx.elicit(message, form)
    return text(f"Elicitation completed: {answer.model_dump_json()}")


async def test_elicitation(message: str, ctx: Ctx) -> CallToolResult:
    """Asks with a form, in the middle of the call."""
    return await _elicit(ctx, message, Contact)


async def test_elicitation_sep1034_defaults(ctx: Ctx) -> CallToolResult:
    """Asks with a form that is filled in already."""
    return await _elicit(ctx, "Check this", Defaults)


async def test_elicitation_sep1330_enums(ctx: Ctx) -> CallToolResult:
    """Asks with a form of choices."""
    return await _elicit(ctx, "Choose", Enums)


# schemas ------------------------------------------------------------------------------------------

Region = Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]


async def test_custom_header(region: Region) -> CallToolResult:
    """Takes an argument that travels in a header too."""
    return text(region)


SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def json_schema_2020_12_tool() -> CallToolResult:
    """Has a schema with all that JSON Schema 2020-12 offers."""
    return text("Done.")


_PLAIN: Sequence[Callable[..., Any]] = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_logging,
    test_tool_with_progress,
    test_reconnection,
    test_trigger_tool_change,
    test_trigger_prompt_change,
    test_sampling,
    test_missing_capability,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_custom_header,
)


def tools() -> list[Tool]:
    made = [Tool.from_function(fn, structured_output=False) for fn in _PLAIN]
    logging = Tool.from_function(
        test_tool_with_logging, name="test_logging_tool", structured_output=False
    )
    schema = Tool.from_function(json_schema_2020_12_tool, structured_output=False)
    schema.parameters = SCHEMA
    return [*made, logging, schema]


# resources and prompts ----------------------------------------------------------------------------


def extend(server: MCPServer[Any]) -> None:
    """Add the suite's resources, prompts and levels of logging."""
    add_resources(server)
    add_prompts(server)
    lower = server._lowlevel_server  # the SDK has no public name for it

    async def set_level(_: Any, params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()  # clients of old eras set it; we send what there is

    lower.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)


def add_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text that stays as it is."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image that stays as it is."""
        return base64.b64decode(PNG)

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text that can be watched."""
        return "This is watched."

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """What the address says."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def add_prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    def test_simple_prompt() -> list[UserMessage]:
        """A prompt without arguments."""
        return [UserMessage("This is a simple prompt for testing.")]

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        """A prompt with arguments."""
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        """A prompt with a resource."""
        resource = embedded(resourceUri, "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """A prompt with an image."""
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]

    server.prompt()(test_input_required_result_prompt)
