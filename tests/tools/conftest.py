"""Workspaces at later stages of the journey; what takes long is made once and copied."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

WORDS = {
    "billing": ("invoice", "charge", "refund", "payment", "bill", "price"),
    "login": (
        "password",
        "account",
        "sign in code",
        "two-factor login",
        "locked login",
        "user name",
    ),
    "shipping": ("parcel", "delivery", "courier", "tracking number", "package", "customs order"),
}
SAID = ("The {} of last week is wrong", "Please help me with my {}", "My {} does not work at all")
MESSAGES = [
    (says.format(w), topic) for topic, words in WORDS.items() for w in words for says in SAID
]


def suggest(desk: "Desk", found: dict[int, tuple[str, float]]) -> int:
    """Leave suggestions (item → label, confidence) as prelabel_items does; returns the change."""

    def write(store: Any) -> int:
        store.tx.begin_change("prelabel_items", "engine", "test")
        rows = [(item, label, sure, "because") for item, (label, sure) in found.items()]
        store.items.suggest(rows, "engine", None)
        return int(store.tx.end_change())

    return desk.workbench.database.write(write)


@pytest.fixture
def suggested(queued: "Desk") -> "Desk":
    """`queued` with a suggestion for items 1 to 12: 1 to 6 billing, 7 to 12 login, 0.51 to 0.62 sure."""
    suggest(
        queued,
        {i: ("billing" if i <= 6 else "login", round(0.5 + i / 100, 2)) for i in range(1, 13)},
    )
    return queued


@pytest.fixture
def assembled(labelled: "Desk") -> "Desk":
    """`labelled` with the dataset support@1."""
    labelled("assemble_dataset", databit="support")
    return labelled


@pytest.fixture(scope="session")
def _production_home(tmp_path_factory: pytest.TempPathFactory, open_desk: "MakeDesk") -> Path:
    """A workspace in which everything was done once, up to the endpoint `desk` with 36 requests."""
    folder = tmp_path_factory.mktemp("production")
    path = folder / "messages.jsonl"
    rows = [f'{{"text": "{text}", "topic": "{topic}"}}' for text, topic in MESSAGES]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    desk: Desk = open_desk(folder / "home")
    desk("import_files", path=str(path))
    desk("create_databit", name="support", labels=list(WORDS))
    desk("queue_items", databit="support", source="messages")
    for label in WORDS:
        ids = [n for n, (_, topic) in enumerate(MESSAGES, 1) if topic == label]
        desk("correct_labels", databit="support", items=ids, label=label)
    desk("assemble_dataset", databit="support")
    desk("launch_fine_tune", dataset="support@1")
    desk("evaluate_model", model="support@1")
    desk("deploy_model", model="support@1", endpoint="desk")
    traffic = [text for text, _ in random.Random(1).sample(MESSAGES, 36)]
    desk("query_endpoint", endpoint="desk", texts=traffic)
    desk.workbench.database.close()
    return folder / "home"


@pytest.fixture
def production(_production_home: Path, tmp_path: Path, open_desk: "MakeDesk") -> Iterator["Desk"]:
    """A copy of the workspace in which everything was done once; the models lie in the original."""
    shutil.copytree(_production_home, tmp_path / "production")
    desk: Desk = open_desk(tmp_path / "production")
    yield desk
    desk.workbench.database.close()
