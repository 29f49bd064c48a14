"""The workbench's records: SQLAlchemy Core, one module a noun, SQL nowhere else."""

from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection

from databits.store.audit import Audit
from databits.store.changes import Changes
from databits.store.databits import Databits
from databits.store.endpoints import Endpoints
from databits.store.feedback import FeedbackNotes
from databits.store.history import History
from databits.store.items import Items
from databits.store.ledger import Ledger
from databits.store.lineage import Lineage
from databits.store.people import People
from databits.store.plans import Plans
from databits.store.policies import Policies
from databits.store.records import Records
from databits.store.runs import Runs
from databits.store.scope import Scope
from databits.store.tokens import Tokens
from databits.store.training import Datasets, Models
from databits.store.transaction import Transaction

N = TypeVar("N")


class _Noun(Generic[N]):
    """A store's methods of one noun, made when first asked for.

    As `functools.cached_property`, but without its lock, which a transaction pays in every call.
    """

    def __init__(self, kind: Callable[[Transaction], N]) -> None:
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, store: "Store", owner: type) -> N:
        found = store.__dict__[self._name] = self._kind(store.tx)
        return found


class Store:
    """One open transaction, by noun."""

    records = _Noun(Records)
    databits = _Noun(Databits)
    items = _Noun(Items)
    datasets = _Noun(Datasets)
    models = _Noun(Models)
    endpoints = _Noun(Endpoints)
    feedback = _Noun(FeedbackNotes)
    runs = _Noun(Runs)
    history = _Noun(History)
    plans = _Noun(Plans)
    changes = _Noun(Changes)
    audit = _Noun(Audit)
    lineage = _Noun(Lineage)
    people = _Noun(People)
    tokens = _Noun(Tokens)
    policies = _Noun(Policies)
    scope = _Noun(Scope)

    def __init__(self, db: Connection, ledger: Ledger | None = None) -> None:
        self.tx = Transaction(db, ledger)
