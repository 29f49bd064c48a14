"""The core is synchronous; the servers hand its calls to worker threads."""

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio.from_thread
import anyio.to_thread
from mcp.server.mcpserver import Context

from databits.change import Progress
from databits.errors import Cancelled

P = ParamSpec("P")
T = TypeVar("T")


WAITS = 100
"""Calls that may wait for something at once, in threads of their own: other calls need the usual ones."""


def waits(arguments: Mapping[str, Any]) -> bool:
    """Whether a call may take as long as its caller has patience."""
    return bool(arguments.get("wait_s"))


async def in_thread(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await anyio.to_thread.run_sync(partial(fn, *args, **kwargs))


def progress_to(ctx: Context[Any, Any]) -> Progress:
    """Progress from a worker thread to the client; it stops the work when the client has cancelled.

    Only what has grown is told, as the protocol wants it, so work may speak as often as it likes.
    """
    told = -1.0

    def say(done: float, message: str) -> None:
        nonlocal told
        try:
            anyio.from_thread.check_cancelled()
        except CancelledError:
            raise Cancelled("The client cancelled the call; nothing was changed.") from None
        if done <= told:
            return
        told = done
        anyio.from_thread.run(ctx.report_progress, done, 1.0, message)

    return say
