"""Files that are dropped on the chat: they become files of the workspace, which the chat imports."""

import re
import shutil
import unicodedata
from pathlib import Path

from databits.errors import Invalid
from databits.settings import Settings

KINDS = (".csv", ".tsv", ".jsonl", ".txt", ".md", ".pdf")
LIMIT = 200 * 1024 * 1024


def keep(settings: Settings, dropped: Path) -> Path:
    """Move a file that came in through the page to the workspace's uploads.

    Args:
        dropped: where the page's server has put it; its name is the person's.

    Raises:
        Invalid: for a kind of file that can not be imported, or one that is too large.
    """
    kind = dropped.suffix.lower()
    if kind not in KINDS:
        raise Invalid(f"That kind of file can not be imported. Kinds: {', '.join(KINDS)}.")
    if dropped.stat().st_size > LIMIT:
        raise Invalid(
            f'The file is larger than {LIMIT // 1024**2} MB. Import it by its path instead: import "/path/to/file".'
        )
    folder = settings.home.resolve() / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = _free(folder, _plain(dropped.stem), kind)
    shutil.move(dropped, target)
    target.chmod(0o600)
    return target


def _plain(stem: str) -> str:
    """A file name that is nothing but a name: no folder, no quote, no control character."""
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", letters).strip("-")[:60] or "file"


def _free(folder: Path, stem: str, kind: str) -> Path:
    """A path that is not taken."""
    number = 1
    while (target := folder / f"{stem}{f'-{number}' if number > 1 else ''}{kind}").exists():
        number += 1
    return target
