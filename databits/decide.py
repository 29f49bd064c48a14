"""The rules of deciding items, shared by the operations that do it."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from databits.actor import Actor
from databits.errors import Conflict, Invalid, NotAllowed
from databits.model import Changed, Plan
from databits.store import Store
from databits.store.shapes import Foreseen, now

if TYPE_CHECKING:
    from databits.directory import Directory
    from databits.store.databits import DatabitVersion

OWN_LABEL = "you labelled it; somebody else approves it"


class Decided(Changed):
    databit: str
    decided: list[int] = Field(description="Items whose decision was written")
    skipped: dict[int, str] = Field({}, description="Item → why nothing was written")


def foresee(actor: Actor, asked: Any) -> Foreseen:
    """What an operation looks at that decides the items it names."""
    return Foreseen(asked.databit, items=asked.items)


def target(
    store: Store, databit: str, items: Sequence[int]
) -> "tuple[DatabitVersion, Mapping[int, Any]]":
    """The Databit and the rows of its items, by id; raises NotFound for items of none or another."""
    found = store.databits.get(databit)
    return found, store.items.of_databit(found.databit_id, databit, list(dict.fromkeys(items)))


def held_by_another(row: Any, actor: Actor) -> str | None:
    """Why this actor should keep their hands off, or None."""
    if row.held_by and row.held_by != actor.name and row.held_until >= now():
        return "claimed by somebody else; it is free when the claim ends or is released"
    return None


def label_of(version: "DatabitVersion", label: str) -> str:
    """The label as the Databit spells it.

    Raises:
        Invalid: naming the labels it has.
    """
    for name in version.labels:
        if name.casefold() == label.strip().casefold():
            return name
    raise Invalid(f"{version.name} has no such label. Its labels: {', '.join(version.labels)}.")


def check_overrule(rows: Mapping[int, Any], actor: Actor) -> None:
    """A labeler may change their own pending labels, a reviewer anybody's."""
    if actor.covers("reviewer"):
        return
    others = [
        i
        for i, r in rows.items()
        if r.state == "approved" or (r.decided_by and r.decided_by != actor.name)
    ]
    if others:
        raise NotAllowed(
            f"Item {others[0]} was decided by somebody else; changing that takes the role reviewer. "
            "Nothing was changed."
        )


def refuse_own(plan: Plan, actor: Actor) -> None:
    """Four eyes: a plan is not approved by whoever asked for it.

    Raises:
        NotAllowed: when this actor did.
    """
    if plan.asked_by.lower() == actor.name.lower():
        raise NotAllowed(
            f"You asked for plan {plan.id} yourself, and {plan.operation} takes four eyes: somebody "
            f"else approves it, in the Approvals page or with `databits approve {plan.id}`."
        )


def own_labels(
    store: Store, directory: "Directory", databit: str, ids: Collection[int], actor: Actor
) -> set[int]:
    """Items that this actor may not approve, because a label of theirs is in the item's history.

    None of them unless the policy separation is on for the Databit.
    """
    if not separated(directory, databit):
        return set()
    return store.policies.labelled_by(actor.name, store.databits.get(databit).databit_id, ids)


def separated(directory: "Directory", databit: str) -> bool:
    """Whether labelling and approving are kept apart here; costs no query."""
    return directory.look().covers("separation", databit)


def refuse_if_nothing(decided: Sequence[int], skipped: Mapping[int, str]) -> None:
    """A call that changes nothing is an error that says why."""
    if not decided:
        reasons = sorted(set(skipped.values()))
        raise Conflict(f"Nothing was changed: {'; '.join(reasons)}.")
