import pytest

from databits.engines.embedding import Embedder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder()
