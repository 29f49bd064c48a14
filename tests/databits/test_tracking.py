"""MLflow's store of a workspace: made once, whoever begins at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest

from databits import tracking
from databits.settings import Settings

pytestmark = pytest.mark.slow  # its tables take seconds


def test_two_that_begin_at_once_make_one_store(tmp_path: Path) -> None:
    """The server's traces begin behind its start, and a first call may need MLflow just then."""
    settings = Settings(home=tmp_path / "home")
    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(tracking.start, settings) for _ in range(2)]
        assert [one.result() for one in begun] == [None, None]
    assert mlflow.get_experiment_by_name(tracking.EXPERIMENT) is not None
    assert [path.name for path in settings.home.glob("mlflow*.db")] == ["mlflow.db"]


def test_a_process_that_made_the_experiment_in_between_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home")
    tracking.start(settings)
    find, looks = mlflow.get_experiment_by_name, []

    def look(name: str) -> Any:
        looks.append(name)
        return None if len(looks) == 1 else find(name)

    monkeypatch.setattr(mlflow, "get_experiment_by_name", look)
    tracking.start(settings)
    assert looks
    found = find(tracking.EXPERIMENT)
    assert found is not None
    assert found.artifact_location == settings.artifacts.resolve().as_uri()
