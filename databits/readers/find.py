"""From what a person typed to the files it means."""

import difflib
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from databits.errors import Invalid, NotAllowed, NotFound

SUPPORTED_TYPES = (
    ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt", ".md", ".markdown", ".pdf",
)  # fmt: skip
_SHOWN = 5  # names of the folder listed in a message


def find_files(path_text: str, *, allowed_roots: Sequence[Path] | None) -> list[Path]:
    """The regular files a path means, absolute and sorted.

    A file is itself, also a hidden one. A folder is everything below it; hidden files and folders
    are skipped and linked folders are not entered. `*`, `?`, `[…]` and `**` make a glob, unless a
    file has that very name. Files of other types are among the result: `read_file` refuses each by
    name, so that none is passed over in silence.

    Args:
        path_text: as typed: `~` and quotation marks around it are understood.
        allowed_roots: folders that everything must lie in, links followed; None allows all.

    Raises:
        Invalid: nothing was typed, or it is neither a file nor a folder.
        NotFound: nothing is there; names what is nearest, and the types that are read.
        NotAllowed: outside the roots, or reached by a link that leaves them.
    """
    path = _absolute(path_text)
    roots = None if allowed_roots is None else [Path(os.path.realpath(r)) for r in allowed_roots]
    is_glob = glob.has_magic(path) and not os.path.lexists(path)
    start = _fixed_part(path) if is_glob else path
    if not _is_inside(start, roots):
        raise _outside(start, roots)  # before it is told whether the path exists
    if not is_glob and not os.path.exists(path):
        raise NotFound(_nearest(path, roots))
    found = _glob(path) if is_glob else _below(path)
    if not found:
        raise NotFound(f"No file is there that is not hidden. {_types()}")
    for file in found:
        if not _is_inside(file, roots):
            raise _outside(file, roots)
    # A glob with ** follows links and may meet one file by two ways.
    unique = {os.path.realpath(file): file for file in sorted(found, reverse=True)}
    return sorted(map(Path, unique.values()))


def _absolute(path_text: str) -> str:
    typed = path_text.strip()
    if len(typed) > 1 and typed[0] == typed[-1] and typed[0] in "\"'":
        typed = typed[1:-1]  # as file managers copy a path
    if not typed or "\0" in typed:
        raise Invalid(f"Give a file, a folder or a glob. {_types()}")
    return os.path.abspath(os.path.expanduser(typed))


def _glob(pattern: str) -> list[str]:
    return [file for file in glob.iglob(pattern, recursive=True) if os.path.isfile(file)]


def _below(path: str) -> list[str]:
    if os.path.isdir(path):
        return list(_walk(path))
    if not os.path.isfile(path):
        raise Invalid("That is neither a file nor a folder. Give a file, a folder or a glob.")
    return [path]


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        name = os.path.basename(error.filename)
        raise NotAllowed(f"The folder {name} may not be read by the account of the workbench.")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = os.path.join(parent, name)
            # A link that leads nowhere is kept: reading it says so.
            if not name.startswith(".") and (os.path.isfile(file) or os.path.islink(file)):
                yield file


def _fixed_part(pattern: str) -> str:
    """The folder of a glob above its first wildcard: nothing outside of it is looked at."""
    path = Path(pattern)
    while glob.has_magic(str(path)):
        path = path.parent
    return str(path)


def _is_inside(path: str | Path, roots: Sequence[Path] | None) -> bool:
    real = Path(os.path.realpath(path))
    return roots is None or any(real.is_relative_to(root) for root in roots)


def _outside(path: str, roots: Sequence[Path] | None) -> NotAllowed:
    allowed = ", ".join(map(str, roots or ())) or "none"
    return NotAllowed(
        f"{os.path.basename(path)} lies outside the folders that may be read, or is a link that "
        f"leads out of them. Folders that may be read: {allowed}."
    )


def _nearest(path: str, roots: Sequence[Path] | None) -> str:
    """What is closest to a path that is not there, in the nearest folder above it that is."""
    missing = Path(path)
    while not missing.parent.is_dir():
        missing = missing.parent
    folder = missing.parent
    if not _is_inside(folder, roots):  # a root that does not exist itself
        return f"There is no {missing.name}. {_types()}"
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        names = []
    by_case = {name.casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(missing.name.casefold(), by_case, n=_SHOWN, cutoff=0.5)
    listed = [by_case[name] for name in close] or names[:_SHOWN]
    more = len(names) - len(listed)
    there = ", ".join(listed) + (f" and {more} more" if more else "") if listed else "nothing"
    return f"There is no {missing.name} in {folder}. The folder has: {there}. {_types()}"


def _types() -> str:
    return f"Types that are read: {', '.join(SUPPORTED_TYPES)}."
