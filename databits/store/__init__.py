"""The workbench's records: SQLAlchemy Core, one module a noun, SQL nowhere else."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    # Not at run time: operations name `Store`, and a server lists them long before it opens one.
    from sqlalchemy import Connection

    from databits.store.assets import Assets
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
    from databits.store.tools import Tools
    from databits.store.training import Datasets, Models
    from databits.store.transaction import Transaction as Transaction

N = TypeVar("N")


class _Noun(Generic[N]):
    """A store's methods of one noun, imported and made when first asked for.

    As `functools.cached_property`, but without its lock, which a transaction pays in every call.
    """

    def __init__(self, module: str, kind: str) -> None:
        self._where = (module, kind)
        self._kind: Any = None

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, store: "Store", owner: type) -> N:
        if self._kind is None:
            module, kind = self._where
            self._kind = getattr(import_module(f"{__name__}.{module}"), kind)
        found: N = self._kind(store.tx)
        store.__dict__[self._name] = found
        return found


@cache
def _transaction() -> "type[Transaction]":
    """Imported when first asked for, and looked up in every call."""
    from databits.store.transaction import Transaction

    return Transaction


class Store:
    """One open transaction, by noun."""

    records: "_Noun[Records]" = _Noun("records", "Records")
    databits: "_Noun[Databits]" = _Noun("databits", "Databits")
    items: "_Noun[Items]" = _Noun("items", "Items")
    datasets: "_Noun[Datasets]" = _Noun("training", "Datasets")
    models: "_Noun[Models]" = _Noun("training", "Models")
    endpoints: "_Noun[Endpoints]" = _Noun("endpoints", "Endpoints")
    feedback: "_Noun[FeedbackNotes]" = _Noun("feedback", "FeedbackNotes")
    runs: "_Noun[Runs]" = _Noun("runs", "Runs")
    history: "_Noun[History]" = _Noun("history", "History")
    plans: "_Noun[Plans]" = _Noun("plans", "Plans")
    changes: "_Noun[Changes]" = _Noun("changes", "Changes")
    audit: "_Noun[Audit]" = _Noun("audit", "Audit")
    lineage: "_Noun[Lineage]" = _Noun("lineage", "Lineage")
    people: "_Noun[People]" = _Noun("people", "People")
    tokens: "_Noun[Tokens]" = _Noun("tokens", "Tokens")
    policies: "_Noun[Policies]" = _Noun("policies", "Policies")
    scope: "_Noun[Scope]" = _Noun("scope", "Scope")
    tools: "_Noun[Tools]" = _Noun("tools", "Tools")
    assets: "_Noun[Assets]" = _Noun("assets", "Assets")

    def __init__(self, db: "Connection", ledger: "Ledger | None" = None) -> None:
        self.tx: Transaction = _transaction()(db, ledger)
