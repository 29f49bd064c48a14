"""The answer key of a demo: what a careful person would say of each text."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from databits.errors import DatabitsError, Invalid
from databits.readers import FileRead, find_files, read_file, text_sha

LABEL_COLUMNS = ("topic", "label", "category", "intent", "class", "target", "type", "tag")
_MOST_LABELS = 200


class Key(NamedTuple):
    """Right labels by text; they stand in for the person who would read every item."""

    column: str
    labels: list[str]
    by_text: dict[str, str]

    def label(self, text: str) -> str | None:
        return self.by_text.get(text_sha(text))


def answer_key(path: str, column: str | None) -> Key | None:
    """The key that a folder or file brings along, or None when no column holds labels.

    A text that occurs under two labels gets the more frequent one.

    Raises:
        Invalid: when `column` was named and is not there, or holds no usable labels.
        NotFound: when there is no such file.
    """
    read = [found for file in find_files(path, allowed_roots=None) if (found := _try(file))]
    names = [column] if column else [*LABEL_COLUMNS]
    for name in names:
        votes: dict[str, Counter[str]] = {}
        for found in read:
            for record in found.records:
                label = record.fields.get(name)
                if isinstance(label, str) and label.strip():
                    votes.setdefault(text_sha(record.text), Counter())[label.strip()] += 1
        by_text = {sha: count.most_common(1)[0][0] for sha, count in votes.items()}
        labels = sorted(set(by_text.values()))
        if 2 <= len(labels) <= _MOST_LABELS and all(len(label) <= 80 for label in labels):
            return Key(name, labels, by_text)
    if column:
        raise Invalid(
            f"No column of that name holds 2 to {_MOST_LABELS} labels of at most 80 characters. "
            "Look at the first rows of the file, or leave --label-column out."
        )
    return None


def _try(file: Path) -> FileRead | None:
    try:
        return read_file(file)
    except DatabitsError:
        return None  # import_files reports it by name
