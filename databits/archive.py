"""A zip that says what it holds: every entry with its size and sha256, and no other entry.

Written under another name and moved into place when it is complete. Read by the list alone: an
entry is given out piece by piece, never more of it than was declared, and ends in an error when it
is not what the list says.
"""

import contextlib
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from databits.errors import Conflict, Invalid

MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 64 * 2**20
_PIECE = 2**20
_LEVEL = 4  # of deflate: two thirds of the time of the default, within 5 % of its size
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that no archive of ours has
    RuntimeError,  # an entry that says it is encrypted
    ValueError,
    OverflowError,
)


class Entry(BaseModel):
    """One file of an archive, before compression."""

    model_config = ConfigDict(extra="forbid", strict=True)
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Packing:
    """An archive being written; `with packing(path) as made:` is how one is begun."""

    def __init__(self, opened: zipfile.ZipFile) -> None:
        self._zip = opened

    def add(self, name: str, pieces: Iterable[bytes]) -> Entry:
        """Write one entry; returns what a manifest says of it."""
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as out:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                out.write(piece)
        return Entry(bytes=size, sha256=digest.hexdigest())

    def add_file(self, name: str, path: Path) -> Entry:
        with path.open("rb") as source:
            return self.add(name, iter(lambda: source.read(_PIECE), b""))


@contextlib.contextmanager
def packing(path: Path) -> Iterator[Packing]:
    """Write an archive that its user alone may read; it is there when this ends, whole, or not at all.

    Raises:
        Conflict: when there is a file of that name.
    """
    if path.exists():
        raise Conflict("There is a file of that name already. Give another name, or move it away.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w+b") as out:
            with zipfile.ZipFile(out, "w", compresslevel=_LEVEL) as opened:
                yield Packing(opened)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(part, path)  # not replace: somebody else's file stays
        except FileExistsError:
            raise Conflict("There is a file of that name by now. Give another name.") from None
    finally:
        part.unlink(missing_ok=True)


class Packed:
    """An archive being read."""

    def __init__(self, opened: zipfile.ZipFile) -> None:
        self._zip = opened

    def manifest(self) -> bytes:
        with damage_told():
            if self._zip.getinfo(MANIFEST).file_size > _MANIFEST_LIMIT:
                raise Invalid("Its manifest is larger than one can be. Nothing was read from it.")
            return self._zip.read(MANIFEST)

    def check_names(self, declared: Mapping[str, Entry]) -> None:
        """Refuse an archive whose entries are not the declared ones, in name, number or size."""
        found = [info.filename for info in self._zip.infolist()]
        if sorted(found) != sorted([MANIFEST, *declared]):
            raise Invalid(
                "It holds files that its manifest does not list, or lacks some. " + _AGAIN
            )
        if any(self._zip.getinfo(name).file_size != e.bytes for name, e in declared.items()):
            raise Invalid("A file in it has another size than its manifest says. " + _AGAIN)

    def pieces(self, name: str, declared: Entry) -> Iterator[bytes]:
        """An entry in pieces; raises Invalid at its end when it is not the declared one."""
        digest = hashlib.sha256()
        with damage_told(), self._zip.open(name) as source:
            while piece := source.read(_PIECE):
                digest.update(piece)
                yield piece
        _check(digest.hexdigest(), declared)

    def lines(self, name: str, declared: Entry, limit: int) -> Iterator[bytes]:
        """An entry line by line, each at most `limit` bytes; checked as `pieces` does."""
        digest = hashlib.sha256()
        with damage_told(), self._zip.open(name) as source:
            while line := source.readline(limit):
                if not line.endswith(b"\n"):
                    raise Invalid("A line in it has no end. " + _AGAIN)
                digest.update(line)
                yield line
        _check(digest.hexdigest(), declared)


_AGAIN = "It was altered or damaged on the way; export the workspace once more."


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Packed]:
    """Read an archive.

    Raises:
        Invalid: when the file is not there or is no zip.
    """
    try:
        found = zipfile.ZipFile(path)
    except OSError:
        raise Invalid("There is no such file, or it can not be read.") from None
    except _DAMAGE:
        raise Invalid("The file is not a zip archive, or it is cut off.") from None
    with found:
        yield Packed(found)


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """What `zipfile` makes of damaged bytes, in words."""
    try:
        yield
    except (*_DAMAGE, KeyError):
        raise Invalid("The archive is damaged. " + _AGAIN) from None


def _check(sha256: str, declared: Entry) -> None:
    if sha256 != declared.sha256:
        raise Invalid("A file in it is not the one that its manifest lists. " + _AGAIN)


def canonical(value: Any) -> bytes:
    """JSON in one form: keys sorted, indented for people, ASCII."""
    return json.dumps(value, sort_keys=True, indent=1).encode("ascii") + b"\n"
