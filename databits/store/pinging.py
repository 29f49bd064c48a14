"""Whether a pooled connection to PostgreSQL still stands, asked only where there is doubt.

SQLAlchemy's own `pool_pre_ping` asks the server each time: a round trip before every read and every
group of writes, a tenth of what a busy writer takes.
"""

import select
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

_IDLE_S = 1.0
_USED = "databits.used"


def ping_when_in_doubt(engine: Engine) -> None:
    """Ask the server before a connection is used that rested, or on which it has said something.

    A server that stops, restarts or ends a connection says so on it, and nothing else is said while
    it rests. What lies in between (a firewall, a proxy) forgets connections without a word, but not
    within a second.
    """

    @event.listens_for(engine, "checkin")
    def rests(_: Any, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def look(driver: Any, record: Any, _: Any) -> None:
        used = record.info.get(_USED)
        if used is None:  # it is new
            return
        if time.monotonic() - used < _IDLE_S and not _has_said_something(driver.fileno()):
            return
        try:
            engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool opens another one


def _has_said_something(file: int) -> bool:
    if hasattr(select, "poll"):  # `select` takes no files beyond the thousandth
        waiting = select.poll()
        waiting.register(file, select.POLLIN)
        return bool(waiting.poll(0))
    return bool(select.select([file], [], [], 0)[0])
