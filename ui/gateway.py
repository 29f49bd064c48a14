"""The serving gateway: endpoints of this machine on the very paths of Databricks Model Serving.

A client written for a workspace works against this server when its host is set to it: the paths,
the bodies and the errors are the same; the token is one of this workbench.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any, cast

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from databits.errors import DatabitsError, Invalid, NotAllowed, NotFound, NotReady
from databits.model import Endpoint, Page, every
from databits.ports import Answer
from databits.workbench import Workbench
from mcp_server.callers import Caller, caller_in

BODY_LIMIT = 16 * 1024 * 1024
TOO_LARGE = (
    f"The body is larger than {BODY_LIMIT // 1024**2} MB. Send the texts in several requests."
)
# Error codes as the workspace's REST API names them.
CODES: Mapping[type[DatabitsError], tuple[int, str]] = {
    Invalid: (400, "INVALID_PARAMETER_VALUE"),
    NotFound: (404, "RESOURCE_DOES_NOT_EXIST"),
    NotReady: (503, "TEMPORARILY_UNAVAILABLE"),
    NotAllowed: (403, "PERMISSION_DENIED"),
}
STAGE = "deploy"
"""The toolset that asks endpoints, as `query_endpoint` does."""


class TooLarge(Exception):
    """The body is longer than an endpoint takes."""


def routes(workbench: Workbench) -> APIRouter:
    """Invocations and descriptions of the workbench's endpoints."""
    router = APIRouter()

    @router.post("/serving-endpoints/{name}/invocations")
    async def invoke(name: str, request: Request) -> JSONResponse:
        try:
            caller = _caller(request)
            payload = await read_json(request)
            answers = await anyio.to_thread.run_sync(
                _ask, workbench, name, payload, caller.actor.name
            )
        except TooLarge:
            return _error(413, "MAX_REQUEST_SIZE_EXCEEDED", TOO_LARGE)
        except DatabitsError as error:
            return _refusal(error)
        return _predictions(answers)

    @router.get("/api/2.0/serving-endpoints")
    def list_all(request: Request) -> JSONResponse:
        def page(after: int) -> Page[Endpoint]:
            asked = {"after": after, "limit": 200}
            return cast(Page[Endpoint], workbench.run("list_endpoints", asked, actor))

        try:
            actor = _caller(request).actor
            found = list(every(page))
        except DatabitsError as error:
            return _refusal(error)
        return JSONResponse({"endpoints": [_description(endpoint) for endpoint in found]})

    @router.get("/api/2.0/serving-endpoints/{name}")
    def get_one(name: str, request: Request) -> JSONResponse:
        try:
            found = workbench.run("get_endpoint", {"endpoint": name}, _caller(request).actor)
        except DatabitsError as error:
            return _refusal(error)
        assert isinstance(found, Endpoint)  # get_endpoint's output is one
        return JSONResponse(_description(found))

    return router


def _caller(request: Request) -> Caller:
    """Who asks.

    Raises:
        NotAllowed: when their token does not cover endpoints.
    """
    caller = caller_in(request.scope)
    if not caller.may_use(STAGE):
        raise NotAllowed(
            f"This token's toolsets are not for endpoints; `{STAGE}` is the one that is."
        )
    return caller._replace(actor=caller.actor.through("http", client="serving-endpoints"))


def _ask(workbench: Workbench, name: str, payload: Any, actor: str) -> list[Answer]:
    # It imports MLflow, which takes seconds: the server does it behind the page, see `Standby`.
    from databits.platforms.embedded.serving import texts_of

    return workbench.serving.answer(workbench.database, name, texts_of(payload), actor)


def _predictions(answers: list[Answer]) -> JSONResponse:
    predictions = [
        {"label": a.label, "confidence": a.confidence, "request_id": a.request_id} for a in answers
    ]
    return JSONResponse(
        {"predictions": predictions},
        headers={
            "databricks-request-id": str(uuid.uuid4()),
            "served-model-name": answers[0].model.replace("@", "-"),
        },
    )


async def read_json(request: Request) -> Any:
    """The JSON of a body.

    Raises:
        TooLarge: before more than the limit was read; Invalid: when it is no JSON.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise TooLarge
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("The body is not JSON.") from None


def _refusal(error: DatabitsError) -> JSONResponse:
    status, code = CODES.get(type(error), (400, "BAD_REQUEST"))
    return _error(status, code, str(error))


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error_code": code, "message": message}, status_code=status)


def _description(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint in the words of the workspace's REST API."""
    serves = endpoint.model.split(", ") if endpoint.model else []
    return {
        "name": endpoint.name,
        "creation_timestamp": int(endpoint.created_at.timestamp() * 1000),
        "state": {
            "ready": "READY" if endpoint.status == "ready" and serves else "NOT_READY",
            "config_update": "NOT_UPDATING",
        },
        "task": "custom",
        "config": {
            "served_entities": [
                {
                    "name": model.replace("@", "-"),
                    "entity_name": model.partition("@")[0],
                    "entity_version": model.partition("@")[2],
                }
                for model in serves
            ]
        },
    }
