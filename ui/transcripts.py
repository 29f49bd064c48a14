"""What the chat page shows of each conversation, kept so that a reload or a restart loses nothing.

The assistant remembers conversations by itself; this is only what was on the screen: bubbles,
folded tool calls, buttons.
"""

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

_THREAD = re.compile(r"^[0-9a-f]{32}$")
SHOWN = 200
"""Messages of a conversation that are kept on the page."""
TITLE = 48


class Metadata(TypedDict):
    """What makes a message a folded tool call."""

    title: NotRequired[str]
    id: NotRequired[str]
    status: NotRequired[Literal["pending", "done"]]
    duration: NotRequired[float]


class Option(TypedDict):
    """A button under the newest message."""

    label: str
    value: str


class Message(TypedDict):
    role: Literal["user", "assistant"]
    content: str
    metadata: NotRequired[Metadata]
    options: NotRequired[list[Option]]


class Transcripts:
    """One person's conversations as files of the workspace, readable by its user only."""

    def __init__(self, home: Path, owner: str = "") -> None:
        """
        Args:
            owner: Whose they are, as a name of a folder; empty for this machine's user.
        """
        self.owner = owner
        self._folder = home / "chats" / owner
        self._open: dict[str, list[Message]] = {}

    def thread(self, asked: object) -> str:
        """The thread a browser names, or a new one: its name becomes a file's, so it is checked."""
        known = isinstance(asked, str) and _THREAD.match(asked)
        return str(asked) if known else secrets.token_hex(16)

    def messages(self, thread: str) -> list[Message]:
        """The messages of a conversation: one list, which whoever adds to it shares."""
        if thread not in self._open:
            self._open[thread] = self._read(thread)
        return self._open[thread]

    def save(self, thread: str) -> None:
        found = self.messages(thread)
        del found[:-SHOWN]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(thread)
        part = path.with_suffix(".part")
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as out:
            json.dump(found, out, ensure_ascii=False)
        part.replace(path)

    def recent(self, limit: int = 20) -> list[tuple[str, str]]:
        """(title, thread) of the conversations somebody said something in, the newest first."""
        paths = sorted(self._folder.glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
        found: list[tuple[str, str]] = []
        for path in paths:
            said = next((m["content"] for m in self._read(path.stem) if m["role"] == "user"), "")
            if said and len(found) < limit:
                title = " ".join(said.split())
                found.append((title if len(title) <= TITLE else title[:TITLE] + "…", path.stem))
        return found

    def _read(self, thread: str) -> list[Message]:
        try:
            found: Any = json.loads(self._path(thread).read_text(encoding="utf-8"))
        except (
            OSError,
            ValueError,
        ):  # none yet, or cut off by a full disk: the assistant still knows
            return []
        return found if isinstance(found, list) else []

    def _path(self, thread: str) -> Path:
        if not _THREAD.match(thread):
            raise ValueError("not the name of a thread")
        return self._folder / f"{thread}.json"
