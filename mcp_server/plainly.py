"""Errors of the HTTP transport in words that help, and without a library's inside."""

import json
from typing import Any

from mcp_server.callers import AsgiApp, Message, Receive, Scope, Send

MB = 1024 * 1024
ERRORS = frozenset({400, 413})


class Plainly:
    """ASGI middleware around the SDK's transport.

    The SDK says `Request body too large` without how large, and quotes its validator, with the
    sender's own input and links to it, where a body is no message.

    Args:
        body_mb: The most that the transport takes.
    """

    def __init__(self, app: AsgiApp, body_mb: int) -> None:
        self._app = app
        self._body_mb = body_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held: Message | None = None
        body = b""

        async def say(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start" and message["status"] in ERRORS:
                held = message
            elif held is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await answer(send, held, self._reworded(held["status"], body))

        await self._app(scope, receive, say)

    def _reworded(self, status: int, body: bytes) -> bytes:
        if status == 413:
            words = (
                f"The body is larger than {self._body_mb} MB. Send less at once: import_files takes a file or a "
                "folder by its path. DATABITS_BODY_MB sets the limit."
            )
            error = {"error_code": "MAX_REQUEST_SIZE_EXCEEDED", "message": words}
            return json.dumps(error).encode()
        try:
            said: Any = json.loads(body)
            message = str(said["error"]["message"])
        except (ValueError, TypeError, KeyError):
            return body
        if "\n" not in message:
            return body
        said["error"]["message"] = "The body is no JSON-RPC 2.0 message."
        return json.dumps(said).encode()


async def answer(send: Send, start: Message, body: bytes) -> None:
    """Send an answer whose body was made anew."""
    kept = [(n, v) for n, v in start["headers"] if n not in (b"content-length", b"content-type")]
    headers = [
        *kept,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})
