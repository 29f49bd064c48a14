"""Files on this machine."""

from collections.abc import Sequence
from pathlib import Path

from databits.readers import find_files


class Folder:
    """The folders that a workspace may read from; none given means all that the user can read."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [root.expanduser().resolve() for root in roots] or None

    def find(self, path: str) -> list[Path]:
        return find_files(path, allowed_roots=self._roots)
