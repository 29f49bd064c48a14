"""Files on this machine."""

from collections.abc import Sequence
from pathlib import Path

from databits.readers import find_files


class Folder:
    """The folders that a workspace may read from; none given means all that the user can read.

    What was dropped on the page is the workspace's own and may always be read.

    Args:
        shared: Others than this machine's user may ask: none given then means no other folder.
    """

    def __init__(self, roots: Sequence[Path], uploads: Path, *, shared: bool = False) -> None:
        allowed = [root.expanduser().resolve() for root in roots]
        self._roots = [*allowed, uploads.resolve()] if allowed or shared else None

    def find(self, path: str) -> list[Path]:
        return find_files(path, allowed_roots=self._roots)
