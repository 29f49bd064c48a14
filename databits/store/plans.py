"""Plans: consequential calls that wait for a person."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select, update

from databits.errors import Conflict, NotFound
from databits.model import Plan
from databits.store.pages import newest_first
from databits.store.shapes import in_its_place, now
from databits.store.tables import plans
from databits.store.transaction import Transaction

OPEN = ("pending", "approved")
SAMPLE = 5


class Plans:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        digest: str,
        preview: Mapping[str, Any],
        asked_by: str,
        expires_at: int,
        actor: Mapping[str, Any],
    ) -> int:
        return self._tx.add(
            plans,
            operation=operation,
            arguments=dict(arguments),
            digest=digest,
            preview={**preview, "sample": list(preview["sample"])[:SAMPLE]},
            state="pending",
            asked_by=asked_by,
            actor=dict(actor),
            created_at=now(),
            expires_at=expires_at,
        )

    def raw(self, plan_id: int) -> Row[Any]:
        row = self._tx.get(plans, plan_id)
        if row is None:
            raise NotFound("There is no plan of that id. list_approvals shows the plans that wait.")
        return row

    def get(self, plan_id: int) -> Plan:
        return _plan(self.raw(plan_id))

    def open(self, digest: str, asked_by: str) -> Plan | None:
        """The newest plan of this digest that waits or was approved, and has not expired."""
        row = self._tx.one(
            select(plans)
            .where(
                plans.c.digest == digest,
                plans.c.asked_by == asked_by,
                plans.c.state.in_(OPEN),
                plans.c.expires_at > now(),
            )
            .order_by(plans.c.id.desc())
        )
        return _plan(row) if row is not None else None

    def close_stale(
        self, operation: str, arguments: Mapping[str, Any], asked_by: str, digest: str
    ) -> None:
        """Write off what a new look showed to be over: the plans whose time is up, and those of the
        same call by the same person that were made from another state.

        A stale approval must not come back to life when the state happens to return.
        """
        moment = now()
        self._tx.db.execute(
            update(plans)
            .where(plans.c.state.in_(OPEN), plans.c.expires_at <= moment)
            .values(state="expired")
        )
        same = select(plans.c.id, plans.c.arguments).where(
            plans.c.state.in_(OPEN),
            plans.c.operation == operation,
            plans.c.asked_by == asked_by,
            plans.c.digest != digest,
        )
        for row in self._tx.rows(same):
            if row.arguments == arguments:
                self.set(row.id, "stale")

    def successor(self, plan_id: int) -> int | None:
        """The newest open plan of the same call by the same person."""
        old = self.raw(plan_id)
        query = select(plans.c.id, plans.c.arguments).where(
            plans.c.id > plan_id,
            plans.c.operation == old.operation,
            plans.c.asked_by == old.asked_by,
            plans.c.state.in_(OPEN),
            plans.c.expires_at > now(),
        )
        rows = self._tx.rows(query.order_by(plans.c.id.desc()))
        return next((row.id for row in rows if row.arguments == old.arguments), None)

    def closed(self, plan: Plan, only: str) -> Conflict:
        """Why a plan in this state can not be used, and which one can; `only` says what it took."""
        told = f"Plan {plan.id} is {plan.state}; {only}."
        if plan.state == "expired":
            told += f" It was open until {plan.expires_at:%Y-%m-%d %H:%M} UTC."
        if plan.state in ("stale", "expired"):
            newer = self.successor(plan.id)
            told += in_its_place(newer)
        return Conflict(told)

    def page(self, state: str | None, after: int, limit: int) -> list[Plan]:
        """Newest first; one that waits, or was approved and not carried out, expires with its time."""
        query = newest_first(select(plans).where(*_in(state)), plans.c.id, after, limit)
        return [_plan(row) for row in self._tx.rows(query)]

    def count(self, state: str | None = None) -> int:
        return self._tx.count(plans, *_in(state))

    def spend(self, plan_id: int) -> bool:
        """Mark an approved plan as carried out; False when it is not approved, or not any more."""
        spent = (
            update(plans)
            .where(plans.c.id == plan_id, plans.c.state == "approved", plans.c.expires_at > now())
            .values(state="executed")
            .returning(plans.c.id)
        )
        return self._tx.value(spent) is not None

    def set(self, plan_id: int, state: str, **values: Any) -> None:
        self._tx.db.execute(
            update(plans).where(plans.c.id == plan_id).values(state=state, **values)
        )


def _in(state: str | None) -> list[ColumnElement[bool]]:
    """Plans that show as in this state; an open one shows as expired before that is written."""
    if state is None:
        return []
    if state == "expired":
        over = and_(plans.c.state.in_(OPEN), plans.c.expires_at <= now())
        return [or_(plans.c.state == "expired", over)]
    here = plans.c.state == state
    return [here, plans.c.expires_at > now()] if state in OPEN else [here]


def _plan(row: Row[Any]) -> Plan:
    expired = row.state in OPEN and row.expires_at <= now()
    return Plan(
        id=row.id,
        operation=row.operation,
        arguments=row.arguments,
        **{k: row.preview[k] for k in ("summary", "count", "sample", "cost", "irreversible")},
        state="expired" if expired else row.state,
        asked_by=row.asked_by,
        decided_by=row.decided_by,
        digest=row.digest,
        expires_at=row.expires_at,
    )
