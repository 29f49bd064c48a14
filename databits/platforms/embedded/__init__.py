"""The embedded default: one machine, no account, no network."""

from collections.abc import Callable, Mapping
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from pydantic import BaseModel

from databits.actor import Actor
from databits.model import NameKind, Names, Plan
from databits.owner import Ownership
from databits.ports import Asked
from databits.settings import Settings
from databits.store.database import Database
from databits.workbench import Workbench

if TYPE_CHECKING:
    from databits.engines.embedding import Embedder
    from databits.labeling import Labeling
    from databits.monitoring import Monitoring
    from databits.platforms.embedded.jobs import Workers
    from databits.platforms.embedded.lake import Folder
    from databits.platforms.embedded.serving import Gateway
    from databits.training import Training

T = TypeVar("T")


class Embedded(Workbench):
    """SQLite, folders, local engines, worker processes and a local gateway.

    Engines are imported when an operation first asks for one: the catalogue and the MCP server
    start without them. A process that takes calls owns its SQLite file; workers only execute runs.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.ownership = Ownership(settings.url)
        self._making = RLock()

    def run(
        self, name: str, arguments: Mapping[str, Any], actor: Actor, **asked: Unpack[Asked]
    ) -> BaseModel:
        self.ownership.take()
        return super().run(name, arguments, actor, **asked)

    def propose(self, name: str, arguments: Mapping[str, Any], actor: Actor) -> Plan:
        self.ownership.take()
        return super().propose(name, arguments, actor)

    def pulse(self) -> str:
        self.ownership.take()
        return super().pulse()

    def names(self, kind: NameKind, typed: str, actor: Actor, of: str = "") -> Names:
        self.ownership.take()
        return super().names(kind, typed, actor, of)

    @cached_property
    def database(self) -> Database:
        return self._once("database", lambda: _Owned(self.settings.url, self.ownership))

    @cached_property
    def lake(self) -> "Folder":
        from databits.platforms.embedded.lake import Folder

        settings = self.settings
        return Folder(settings.roots, settings.home / "uploads", shared=settings.serves_others)

    @cached_property
    def jobs(self) -> "Workers":
        from databits.platforms.embedded.jobs import Workers

        return self._once("jobs", lambda: Workers(self))

    @cached_property
    def models(self) -> "Embedder":
        from databits.engines.embedding import shared_embedder

        return shared_embedder(self.settings.threads)

    @cached_property
    def labeling(self) -> "Labeling":
        from databits.labeling import Labeling

        return Labeling(self.models)

    @cached_property
    def training(self) -> "Training":
        from databits.training import Training

        return Training(self.settings, self.models)

    @cached_property
    def serving(self) -> "Gateway":
        from databits.platforms.embedded.serving import Gateway

        return Gateway(self.settings)

    @cached_property
    def monitoring(self) -> "Monitoring":
        from databits.monitoring import Monitoring

        return Monitoring(self.models)

    def _once(self, name: str, make: Callable[[], T]) -> T:
        """One for all threads: from Python 3.12 on, `cached_property` lets two of them make two."""
        with self._making:
            if name not in vars(self):
                vars(self)[name] = make()
            found: T = vars(self)[name]
            return found


class _Owned(Database):
    """Who closes the database lets go of the workspace."""

    def __init__(self, url: str, ownership: Ownership) -> None:
        self._ownership = ownership
        try:
            super().__init__(url)
        except BaseException:  # what can not be opened here is not kept from others
            ownership.release()
            raise

    def close(self) -> None:
        super().close()
        self._ownership.release()
