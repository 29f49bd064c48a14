"""The embedded default: one machine, no account, no network."""

from functools import cached_property
from typing import TYPE_CHECKING

from databits.workbench import Workbench

if TYPE_CHECKING:
    from databits.engines.embedding import Embedder
    from databits.labeling import Labeling
    from databits.monitoring import Monitoring
    from databits.platforms.embedded.jobs import Workers
    from databits.platforms.embedded.lake import Folder
    from databits.platforms.embedded.serving import Gateway
    from databits.training import Training


class Embedded(Workbench):
    """SQLite, folders, local engines, worker processes and a local gateway.

    Engines are imported when an operation first asks for one: the catalogue and the MCP server
    start without them.
    """

    @cached_property
    def lake(self) -> "Folder":
        from databits.platforms.embedded.lake import Folder

        return Folder(self.settings.roots, self.settings.home / "uploads")

    @cached_property
    def jobs(self) -> "Workers":
        from databits.platforms.embedded.jobs import Workers

        return Workers(self)

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
