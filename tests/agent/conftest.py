"""The planner over the real catalogue, and a world of names for it."""

import pytest

from agent.known import Known
from agent.ranking import Phrasebook, Ranker, ToolSpec, shared_phrasebook
from databits.operation import CATALOGUE, load_catalogue


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def phrasebook() -> Phrasebook:
    return shared_phrasebook()


@pytest.fixture(scope="session")
def specs() -> list[ToolSpec]:
    load_catalogue()
    return [
        ToolSpec(op.name, op.description, tuple(op.examples), op.input_schema, op.effect, op.stage)
        for op in CATALOGUE.values()
        if not op.people_only
    ]


@pytest.fixture(scope="session")
def ranker(specs: list[ToolSpec], phrasebook: Phrasebook) -> Ranker:
    return Ranker(specs, phrasebook)


@pytest.fixture
def known() -> Known:
    return Known(
        {
            "databit": ["support", "contracts"],
            "source": ["tickets", "mails"],
            "endpoint": ["support-bot", "fraud"],
            "model": ["support@1", "support@2", "contracts@1"],
            "dataset": ["support@1", "contracts@3"],
            "run": ["7", "12"],
        },
        {
            "support": ["billing", "refund", "login"],
            "contracts": ["net-30", "net-60", "renewal"],
        },
    )
