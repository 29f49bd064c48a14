"""The workbench's records: SQLAlchemy Core, one module a noun, SQL nowhere else."""

from functools import cached_property

from sqlalchemy import Connection

from databits.store.audit import Audit
from databits.store.changes import Changes
from databits.store.databits import Databits
from databits.store.endpoints import Endpoints
from databits.store.feedback import FeedbackNotes
from databits.store.items import Items
from databits.store.lineage import Lineage
from databits.store.plans import Plans
from databits.store.records import Records
from databits.store.runs import Runs
from databits.store.training import Datasets, Models
from databits.store.transaction import Ids, Transaction


class Store:
    """One open transaction, by noun."""

    def __init__(self, db: Connection, ids: Ids | None = None) -> None:
        self.tx = Transaction(db, ids)

    @cached_property
    def records(self) -> Records:
        return Records(self.tx)

    @cached_property
    def databits(self) -> Databits:
        return Databits(self.tx)

    @cached_property
    def items(self) -> Items:
        return Items(self.tx)

    @cached_property
    def datasets(self) -> Datasets:
        return Datasets(self.tx)

    @cached_property
    def models(self) -> Models:
        return Models(self.tx)

    @cached_property
    def endpoints(self) -> Endpoints:
        return Endpoints(self.tx)

    @cached_property
    def feedback(self) -> FeedbackNotes:
        return FeedbackNotes(self.tx)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self.tx)

    @cached_property
    def plans(self) -> Plans:
        return Plans(self.tx)

    @cached_property
    def changes(self) -> Changes:
        return Changes(self.tx)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.tx)

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.tx)
