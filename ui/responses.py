"""The assistant over the Responses API, for programs: `/responses`, and `/invocations` as MLflow serves it.

Nobody here can vouch for a person, so an approval sent this way goes through only if a person has
approved the plan on the page or with `databits approve` before.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from mlflow.types.responses import ResponsesAgentRequest, ResponsesAgentStreamEvent
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent.client import acting_as
from agent.serving import respond
from databits.errors import DatabitsError
from databits.settings import Settings
from mcp_server.auth import local_actor
from ui.standby import Standby

SHAPE = 'The body is JSON as {"input": [{"role": "user", "content": "list databits"}], "stream": false}.'


async def answer(request: Request, settings: Settings, standby: Standby) -> Response:
    """Answer a request of the Responses API, streamed when it asks for that."""
    try:
        body = await request.json()
        asked, streamed = _asked(body), bool(body.get("stream"))
    except (ValueError, ValidationError, AttributeError):
        return _error(400, SHAPE)
    try:
        assistant = await standby.assistant()
    except DatabitsError as error:
        return _error(503, str(error))

    async def events() -> AsyncIterator[ResponsesAgentStreamEvent]:
        acting_as.set(local_actor(settings, "http", client="databits-agent"))
        async for event in respond(assistant, asked):
            yield event

    if streamed:
        return StreamingResponse(_lines(events()), media_type="text/event-stream")
    return await _whole(events())


def _asked(body: dict[str, Any]) -> ResponsesAgentRequest:
    said = body.get("input")
    if isinstance(said, str):  # the API's short form
        body = {**body, "input": [{"role": "user", "content": said}]}
    return ResponsesAgentRequest.model_validate(body)


async def _lines(events: AsyncIterator[ResponsesAgentStreamEvent]) -> AsyncIterator[str]:
    """Server-sent events."""
    async for event in events:
        yield f"event: {event.type}\ndata: {json.dumps(event.model_dump(exclude_none=True))}\n\n"
    yield "data: [DONE]\n\n"


async def _whole(events: AsyncIterator[ResponsesAgentStreamEvent]) -> Response:
    """The finished answer; a turn that failed is an error."""
    final: dict[str, Any] = {}
    async for event in events:
        told = event.model_dump(exclude_none=True)
        if event.type == "error":
            return _error(502, told["message"])
        if event.type == "response.completed":
            final = told
    return JSONResponse(
        {**final.get("response", {}), "object": "response", "status": "completed"}
        | {"custom_outputs": final.get("custom_outputs", {})}
    )


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "failed"}}, status_code=status)
