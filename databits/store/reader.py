"""A connection of SQLite that stays open between reads, and remembers what rarely changes."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from databits.store import Store
from databits.store.driver import Driver
from databits.store.ledger import Ledger

T = TypeVar("T")
_KNOWN = 1000  # answers that are remembered


class Reader:
    """Reads on one connection, one after the other.

    Getting a connection from the pool would cost as much as a small read. What `Transaction.recall`
    and `remember` were told counts until the file changes, which SQLite itself tells: a count of
    10,000 items takes longer than the page that it is shown with.
    """

    def __init__(self, db: Connection) -> None:
        self.db = db
        self._file: Any = db.connection.driver_connection
        self._driver = Driver(db)
        self._known: dict[Any, Any] = {}
        self._version: Any = None

    @property
    def sound(self) -> bool:
        """Whether another read may follow."""
        return not (self.db.closed or self._file.in_transaction)

    def read(self, fn: Callable[[Store], T]) -> T:
        """Run `fn` on a view of one moment; what it writes is thrown away."""
        self._file.execute("BEGIN")  # SQLAlchemy's way to say it takes longer than a small read
        try:
            store = Store(self.db, self._ledger())
            found = fn(store)
        except BaseException:
            # Its error may hold a cursor that has not ended, and SQLite would show the next read the
            # moment of that one: the connection goes, not back to the pool but for good.
            self.close()
            raise
        self._driver.renew()
        self.db.rollback()  # what SQLAlchemy has begun, if it was asked anything
        if self._file.in_transaction:
            self._file.rollback()
        if store.tx.wrote:
            self._known = {}
        return found

    def close(self) -> None:
        if not self.db.closed:
            self.db.invalidate()
            self.db.close()

    def _ledger(self) -> Ledger:
        # Asked inside of the transaction, so it is about the very state that is read.
        version = self._driver.execute("PRAGMA data_version")
        if version != self._version or len(self._known) > _KNOWN:
            self._version, self._known = version, {}
        return Ledger(self.db, driver=self._driver, known=self._known, reads=True)
