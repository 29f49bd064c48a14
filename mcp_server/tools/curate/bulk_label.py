from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from databits.actor import Actor
from databits.decide import OWN_LABEL, label_of, own_labels, separated
from databits.digest import digest
from databits.errors import Invalid, NotReady
from databits.model import Changed
from databits.operation import Preview, operation
from databits.store import Store
from databits.store.shapes import Decision, Filter
from databits.types import DatabitName, Label, Share

if TYPE_CHECKING:
    from databits.directory import Directory

Verdict = Literal["approve", "reject", "label"]


class BulkLabelled(Changed):
    databit: str
    decided: int


def preview(
    store: Store,
    directory: "Directory",
    actor: Actor,
    *,
    databit: str,
    verdict: Verdict,
    label: str | None,
    min_confidence: float | None,
    contains: str | None,
    to: str | None,
) -> Preview:
    chosen = _chosen(store, databit, verdict, label, min_confidence, contains, to)
    chosen = _not_own(store, directory, actor, databit, verdict, chosen)
    ids = list(chosen)
    sample = [
        f"item {i.id}: {to or i.suggestion or 'no label'}"
        + (f" ({i.confidence:.0%} sure)" if i.confidence else "")
        for i in store.items.by_ids(ids[:5])
    ]
    limits = [f"suggested {label}"] if label else []
    limits += [f"at least {min_confidence:.0%} sure"] if min_confidence is not None else []
    limits += ["containing the given text"] if contains else []
    does = f"label as {to}" if verdict == "label" else verdict
    later = verdict == "label" and separated(directory, databit)
    return Preview(
        summary=f"{does.capitalize()} {len(ids)} undecided items of {databit}"
        + (f" ({', '.join(limits)})" if limits else "")
        + ("; somebody else approves them later." if later else "."),
        count=len(ids),
        sample=sample,
        # The labels too: new suggestions for the same items are another decision.
        basis={"items": digest(list(chosen.items())), "to": to},
    )


@operation(
    role="reviewer",
    effect="consequential",
    preview=preview,
    examples=(
        "approve everything in X above 0.9",
        "accept all suggestions of X with confidence over 80%",
        "approve all the confident items of X",
        "bulk approve X where the engine is more than 95 percent sure",
        "reject everything in X that contains spam",
        "throw out everything in X that contains unsubscribe",
    ),
)
def bulk_label(
    store: Store,
    directory: "Directory",
    actor: Actor,
    *,
    databit: DatabitName,
    verdict: Annotated[Verdict, Field(description="What to do with them")] = "approve",
    label: Annotated[Label | None, Field(description="Only with this suggestion")] = None,
    min_confidence: Annotated[
        Share | None, Field(description="Only if at least this sure, 0 to 1")
    ] = None,
    contains: Annotated[
        str | None, Field(description="Only texts that contain this", max_length=200)
    ] = None,
    to: Annotated[Label | None, Field(description="The label to give, for verdict=label")] = None,
) -> BulkLabelled:
    """Decide many undecided items at once, by filter; a person approves the count and a sample first.

    Each item gets a decision of its own, and the batch can be undone as one.
    """
    chosen = _chosen(store, databit, verdict, label, min_confidence, contains, to)
    chosen = _not_own(store, directory, actor, databit, verdict, chosen)
    if verdict == "approve":
        made = [Decision(i, "approved", suggestion) for i, suggestion in chosen.items()]
    elif verdict == "label":
        name = label_of(store.databits.get(databit), to or "")
        state = "labeled" if separated(directory, databit) else "approved"
        made = [Decision(i, state, name) for i in chosen]
    else:
        made = [Decision(i, "rejected", None) for i in chosen]
    store.items.decide(made, f"bulk {verdict}", actor.name, actor.surface, "")
    return BulkLabelled(databit=databit, decided=len(made))


def _not_own(
    store: Store,
    directory: "Directory",
    actor: Actor,
    databit: str,
    verdict: Verdict,
    chosen: dict[int, str | None],
) -> dict[int, str | None]:
    """The items without those that the actor may not approve."""
    own = own_labels(store, directory, databit, chosen, actor) if verdict == "approve" else set()
    if len(own) == len(chosen):
        raise NotReady(f"Of every item that is meant: {OWN_LABEL}.")
    return {i: label for i, label in chosen.items() if i not in own} if own else chosen


def _chosen(
    store: Store,
    databit: str,
    verdict: Verdict,
    label: str | None,
    min_confidence: float | None,
    contains: str | None,
    to: str | None,
) -> dict[int, str | None]:
    """The undecided items that the filter means and nobody holds, with their suggestions."""
    target = store.databits.get(databit)
    if to is not None and verdict != "label":
        raise Invalid(f"`to` goes with verdict=label; {verdict} leaves it out.")
    if verdict == "label":
        label_of(target, to or "")
    where = Filter(
        "open", label_of(target, label) if label else None, min_confidence, None, contains
    )
    found = store.items.unclaimed(target.databit_id, where)
    if verdict == "approve":
        found = {i: suggestion for i, suggestion in found.items() if suggestion is not None}
    if not found:
        raise NotReady(
            f"No undecided item of {databit} is meant by this. queue_status counts them; "
            "prelabel_items makes suggestions."
        )
    return found
