"""Policies: rules that a team switches on, each for a subject or for all (`*`)."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, select, update

from databits.model import Policy
from databits.store.shapes import ALL, now
from databits.store.tables import items, labels, plans, policies
from databits.store.transaction import Transaction

# Decisions that give a label, not only a yes or no to one.
LABELLING = ("correct", "bulk label")


class Policies:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def all(self) -> list[Policy]:
        query = select(policies).order_by(policies.c.kind, policies.c.subject)
        return [Policy.model_validate(row) for row in self._tx.rows(query)]

    def switch(self, kind: str, subject: str, on: bool) -> None:
        query = select(policies.c.id).where(policies.c.kind == kind, policies.c.subject == subject)
        there = self._tx.value(query)
        if on and there is None:
            self._tx.add(policies, kind=kind, subject=subject, created_at=now())
        elif not on and there is not None:
            self._tx.delete(policies, [there])

    def covers(self, kind: str, subject: str) -> bool:
        """Whether a policy is on for a subject, by name or for all."""
        query = select(policies.c.id).where(
            policies.c.kind == kind, policies.c.subject.in_((subject, ALL))
        )
        return self._tx.one(query) is not None

    def reopen_self_approved(self, subject: str) -> None:
        """Plans that whoever asked for them approved, and that wait to be carried out, wait again."""
        where: list[ColumnElement[bool]] = [
            plans.c.state == "approved",
            plans.c.decided_by == plans.c.asked_by,
        ]
        if subject != ALL:
            where.append(plans.c.operation == subject)
        again: dict[str, Any] = {"state": "pending", "decided_by": None, "reason": None}
        self._tx.db.execute(update(plans).where(*where).values(**again))

    def labelled_by(self, person: str, databit_id: int, ids: Collection[int]) -> set[int]:
        """Which of these items of a Databit have a label in their history that this person gave."""
        query = (
            select(labels.c.item_id)
            .join(items, items.c.id == labels.c.item_id)
            .where(
                items.c.databit_id == databit_id,
                labels.c.actor == person,
                labels.c.kind.in_(LABELLING),
            )
            .distinct()
        )
        wanted = set(ids)
        if len(wanted) <= 500:
            query = query.where(labels.c.item_id.in_(wanted))
        return wanted & {row.item_id for row in self._tx.rows(query)}
