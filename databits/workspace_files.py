"""The files of a workspace beside its database: MLflow's database, the models, what was uploaded."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from databits.archive import Entry, Packed, Packing
from databits.errors import Conflict, Invalid
from databits.settings import Settings
from databits.store import mlflow_file

Progress = Callable[[str], None]
MLFLOW = "mlflow/mlflow.db"
ARTIFACTS = "mlflow/artifacts/"
UPLOADS = "uploads/"
_ROOT = "file:///databits/artifacts"
"""What stands in the archive for the folder of the models."""
PLACES = ("mlflow.db", "artifacts", "uploads")
EMPTY = (
    "Point DATABITS_HOME at a new folder, and DATABITS_DATABASE_URL at an empty database if you use "
    "PostgreSQL; then import there."
)


def pack(made: Packing, settings: Settings, scratch: Path, progress: Progress) -> dict[str, Entry]:
    """MLflow's database and artifacts, and the uploads."""
    found: dict[str, Entry] = {}
    folders = {UPLOADS: settings.home / "uploads"}
    mlflow = settings.home / "mlflow.db"
    if mlflow.exists():
        progress("writing MLflow's runs and models")
        with tempfile.TemporaryDirectory(prefix=".databits-", dir=scratch) as folder:
            copied = Path(folder) / "mlflow.db"
            mlflow_file.copy(mlflow, copied)
            root = mlflow_file.root(copied) or settings.artifacts.resolve().as_uri()
            if models := mlflow_file.folder_of(root):  # elsewhere, they need no moving
                mlflow_file.rebase(copied, root, _ROOT)
                folders[ARTIFACTS] = models
            found[MLFLOW] = made.add_file(MLFLOW, copied)
    for prefix, top in folders.items():
        for path in sorted(p for p in top.rglob("*") if p.is_file() and not p.is_symlink()):
            name = prefix + path.relative_to(top).as_posix()
            if not is_safe(name):
                raise Invalid(
                    f"A file below {top.name} has a name that does not move: it holds an unprintable "
                    "character. Rename it; nothing was written."
                )
            found[name] = made.add_file(name, path)
    return found


@contextlib.contextmanager
def placed(
    archive: Packed, files: Mapping[str, Entry], settings: Settings, progress: Progress
) -> Iterator[None]:
    """The files of the archive, in their places; gone again when what follows fails."""
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".importing-", dir=home) as folder:
        staged = Path(folder)
        for name, entry in files.items():
            progress(f"reading {name.partition('/')[0]}")
            path = staged / name.removeprefix("mlflow/")
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                for piece in archive.pieces(name, entry):
                    out.write(piece)
        if MLFLOW in files:
            mlflow_file.rebase(staged / "mlflow.db", _ROOT, settings.artifacts.resolve().as_uri())
        moved = []
        try:
            for name in PLACES:
                place = home / name
                if (staged / name).exists():
                    refuse_if_there(place)
                    (staged / name).rename(place)
                    moved.append(place)
            yield
        except BaseException:
            for place in moved:
                place.unlink() if place.is_file() else shutil.rmtree(place)
            raise


def refuse_if_there(place: Path) -> None:
    if place.is_file() or (place.is_dir() and any(place.iterdir())):
        raise Conflict(f"This workspace is in use: its folder has {place.name} already. {EMPTY}")


def is_safe(name: str) -> bool:
    """Whether a name in an archive is a file of ours below the workspace's folder, on any system."""
    if name == MLFLOW:
        return True
    prefix = next((p for p in (ARTIFACTS, UPLOADS) if name.startswith(p)), None)
    if prefix is None or not name.isprintable():
        return False
    return all(part not in ("", ".", "..") for part in name.removeprefix(prefix).split("/"))
