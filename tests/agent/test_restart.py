"""The process is killed between the question and the answer."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from databits.platforms.embedded import Embedded
from tests.agent.talk import chatting
from tests.conftest import Desk

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ASK = """
import asyncio, sys
from pathlib import Path
from databits.platforms.embedded import Embedded
from databits.settings import Settings
from tests.agent.talk import chatting

async def main():
    async with chatting(Embedded(Settings(home=Path(sys.argv[1]), user="ana"))) as chat:
        await chat.say("reject everything in support")
        print(chat.asked[0].id, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_an_approval_asked_by_a_process_that_was_killed_can_be_given(
    workbench: Embedded, queued: Desk
) -> None:
    workbench.ownership.release()  # the process that asks takes the workspace meanwhile
    root = Path(__file__).parents[2]
    asking = subprocess.Popen(
        [sys.executable, "-c", ASK, str(workbench.settings.home)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert asking.stdout is not None
    asked = asking.stdout.readline().strip()
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    assert asked
    async with chatting(workbench) as chat:
        assert [one.id for one in await chat.assistant.pending("t")] == [asked]
        assert "18 decided" in await chat.decide(True)
        assert "rejected: 18" in await chat.say("how far is support")
