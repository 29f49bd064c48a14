"""The planner over the real catalogue, and a world of names for it."""

import pytest

from agent.known import Known
from agent.ranking import Phrasebook, Ranker, ToolSpec, shared_phrasebook
from databits.operation import load_catalogue
from evals.cases import world
from evals.run import specs as catalogue_specs


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def phrasebook() -> Phrasebook:
    return shared_phrasebook()


@pytest.fixture(scope="session")
def specs() -> list[ToolSpec]:
    load_catalogue()
    return catalogue_specs()


@pytest.fixture(scope="session")
def ranker(specs: list[ToolSpec], phrasebook: Phrasebook) -> Ranker:
    return Ranker(specs, phrasebook)


@pytest.fixture
def known() -> Known:
    return world()
