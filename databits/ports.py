"""Ports: what two real platforms do differently, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict, Unpack

from pydantic import BaseModel

from databits.actor import Actor
from databits.model import NameKind, Names, Plan

if TYPE_CHECKING:
    from databits.store.database import Database


class Asked(TypedDict, total=False):
    """What a caller may ask for beside the operation itself; see `Workbench.run`."""

    progress: Callable[[float, str], None] | None
    key: str | None


class Runner(Protocol):
    """What a surface needs of a workbench, be it in this process or in the one that serves."""

    def run(
        self, name: str, arguments: Mapping[str, Any], actor: Actor, **asked: Unpack[Asked]
    ) -> BaseModel: ...

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan: ...

    def pulse(self) -> str:
        """A text that is another one once there is something new to read; see `store.pulse`."""
        ...

    def names(self, kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
        """Names that begin with what was typed; see `completing`."""
        ...


class Answer(NamedTuple):
    """An endpoint's answer to one text."""

    request_id: str
    label: str | None
    confidence: float | None
    model: str
    latency_ms: float


class Lake(Protocol):
    """Files that come in, and tables that go out."""

    def find(self, path: str) -> list[Path]:
        """Readable local files behind a path: a file, a folder, a glob.

        Raises:
            NotFound: when there is none; NotAllowed: outside the allowed folders.
        """
        ...


class Jobs(Protocol):
    """Where runs are executed."""

    def submit(self, run_id: int) -> None:
        """Make sure that somebody works on the queue of runs."""
        ...

    def wake(self) -> None:
        """See to the runs that an earlier process left; called where a process begins to serve."""
        ...

    def rest(self) -> None:
        """Look after the runs no more; what was started for them goes on without this process."""
        ...

    def close(self) -> None:
        """Stop what this process started for it."""
        ...


class Models(Protocol):
    """The engine behind vectors."""

    name: str
    dimension: int

    def embed(
        self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None
    ) -> Any:
        """float32 array of shape (len(texts), dimension), rows of unit length."""
        ...


class Serving(Protocol):
    """Where endpoints live."""

    def answer(
        self, database: "Database", endpoint: str, texts: Sequence[str], actor: str
    ) -> list[Answer]:
        """Ask an endpoint and log the requests.

        Raises:
            NotFound, NotReady: when there is no such endpoint, or no model behind it.
        """
        ...

    def smoke_test(self, uri: str, texts: Sequence[str]) -> None:
        """Load a model and let it answer.

        Raises:
            NotReady: when it does not load, or answers something else than one label a text.
        """
        ...
