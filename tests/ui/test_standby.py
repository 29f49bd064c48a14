"""The assistant behind the page, without the seconds that loading one takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from databits.platforms.embedded import Embedded
from ui.standby import Standby

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_endpoints_that_can_not_be_made_ready_do_not_take_the_assistant_away(
    workbench: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_now: list[str] = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[Any]:
        open_now.append("assistant")
        yield "assistant"
        open_now.clear()

    def broken(_: object) -> None:
        raise RuntimeError("a library is missing")

    monkeypatch.setattr("ui.standby._open", lambda _: opening())
    monkeypatch.setattr(Embedded, "serving", property(broken))
    standby = Standby(workbench)
    async with standby.running():
        assert await standby.assistant() == "assistant"
        await standby.loaded()
        assert open_now == ["assistant"]
    assert open_now == []
