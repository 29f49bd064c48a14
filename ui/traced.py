"""Tool calls as MLflow traces while the server runs; the page and the first calls do not wait for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from databits.settings import Settings

log = logging.getLogger("databits.ui")


@asynccontextmanager
async def traced(
    settings: Settings, loaded: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    """Keep traces, from soon after the start to the end.

    Args:
        loaded: Waits until others have loaded what they need: MLflow is not to be loaded twice at once.
    """
    if not settings.trace_calls:
        yield
        return
    starting = asyncio.create_task(_begin(settings, loaded))
    try:
        yield
    finally:
        if not starting.done():
            starting.cancel()
        try:
            end = await starting
            await asyncio.to_thread(end)
        except asyncio.CancelledError:
            pass  # it ends before it began
        except Exception:  # traces are a service to who looks back, never a reason to fail
            log.warning("tool calls were not traced", exc_info=True)


async def _begin(
    settings: Settings, loaded: Callable[[], Awaitable[None]] | None
) -> Callable[[], None]:
    if loaded is not None:
        await loaded()
    return await asyncio.to_thread(_start, settings)


def _start(settings: Settings) -> Callable[[], None]:
    from databits import traces  # OpenTelemetry's SDK

    return traces.start(settings)
