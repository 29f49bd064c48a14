"""A moved workspace serves what it served: the models come along, whatever folder they lay in."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databits.transfer import export_workspace, import_workspace

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = [pytest.mark.both_databases, pytest.mark.slow]
TEXTS = ["The invoice of last week is wrong", "I can not log in", "Where is my parcel"]


def addresses(home: Path) -> list[str]:
    """Every text in MLflow's database that is the address of a file."""
    with sqlite3.connect(home / "mlflow.db") as db:
        return [
            text for line in db.iterdump() for text in line.split("'") if text.startswith("file:")
        ]


def test_its_endpoints_answer_the_same_in_another_folder_on_either_database(
    production: "Desk", database_url: str, tmp_path: Path, open_desk: "MakeDesk"
) -> None:
    here, home = production.workbench, tmp_path / "a folder" / "with space"
    export_workspace(here.settings, here.database, tmp_path / "all.zip")
    url = "" if database_url.startswith("sqlite") else database_url
    moved = open_desk(home, database_url=url)
    import_workspace(moved.workbench.settings, moved.workbench.database, tmp_path / "all.zip")
    root = moved.workbench.settings.artifacts.as_uri()
    assert addresses(home)
    assert all(address.startswith(root) for address in addresses(home))
    asked = {"endpoint": "desk", "texts": TEXTS}
    before, after = production("query_endpoint", **asked), moved("query_endpoint", **asked)
    assert [(a.label, a.confidence) for a in after.answers] == [
        (a.label, a.confidence) for a in before.answers
    ]
    assert moved("verify_audit").intact
    moved("evaluate_model", model="support@1")
    packed = moved("export_evidence", asset="endpoint:desk")
    assert (
        packed.rows["model_files"]
        == production("export_evidence", asset="endpoint:desk").rows["model_files"]
    )


def test_the_archive_does_not_say_where_the_workspace_lay(
    production: "Desk", tmp_path: Path
) -> None:
    here = production.workbench
    export_workspace(here.settings, here.database, tmp_path / "all.zip")
    import zipfile

    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        mlflow = archive.read("mlflow/mlflow.db")
    (tmp_path / "mlflow.db").write_bytes(mlflow)
    assert set(addresses(tmp_path))
    assert all(address.startswith("file:///databits/artifacts") for address in addresses(tmp_path))
