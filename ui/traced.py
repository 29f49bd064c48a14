"""Tool calls as MLflow traces while the server runs; the page and the first calls do not wait for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from databits.settings import Settings

log = logging.getLogger("databits.ui")


@asynccontextmanager
async def traced(settings: Settings) -> AsyncIterator[None]:
    """Keep traces, from soon after the start to the end."""
    if not settings.trace_calls:
        yield
        return
    starting = asyncio.create_task(asyncio.to_thread(_start, settings))
    try:
        yield
    finally:
        try:
            end = await starting
            await asyncio.to_thread(end)
        except Exception:  # traces are a service to who looks back, never a reason to fail
            log.warning("tool calls were not traced", exc_info=True)


def _start(settings: Settings) -> Callable[[], None]:
    from databits import traces  # OpenTelemetry's SDK

    return traces.start(settings)
