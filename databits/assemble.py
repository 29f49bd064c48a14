"""From approved rows to training, validation and test rows that do not leak into one another."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from databits.errors import Invalid
from databits.readers.content import text_sha

Split = Literal["train", "validation", "test"]

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.0, "test": 0.2}
_HELD_OUT: tuple[Split, ...] = ("test", "validation")  # filled first; train takes the rest


class SplitRow(NamedTuple):
    """An approved item; rows of one `group` (a customer, a document) belong together."""

    item_id: int
    group: str | None
    text: str
    label: str


class Leak(NamedTuple):
    """Rows that are the same text, or of the same group, and stand in more than one split."""

    kind: Literal["duplicate", "group"]
    item_ids: tuple[int, ...]
    splits: tuple[Split, ...]


@dataclass(slots=True, eq=False)
class _Block:
    """Rows that must stay together: linked by a group, a text, or a chain of both."""

    rows: list[SplitRow] = field(default_factory=list)
    draw: str = ""  # hex digits, as good as uniform: the block's place in the order
    label: str = ""  # the commonest of its rows


def split(
    rows: Sequence[SplitRow], *, shares: Mapping[str, float] = DEFAULT_SHARES, seed: int
) -> dict[int, Split]:
    """The split of every row, by item id.

    Rows with equal text (see `comparison_key`) or equal group form a block, which is never
    divided. Within each label the blocks are ordered by a hash of the seed and the block's key;
    the first are held out until the label's share of rows is reached, and what rounding leaves
    over is carried to the next label.

    Guaranteed:
        - the result depends on the rows, the shares and the seed, not on the order of rows;
        - every label has a row in train, at the expense of the other splits;
        - a block keeps its place in the order as rows are added, unless one of them joins it to
          another block; so only blocks at the cut between two splits move, in number about the
          square root of the rows added to each label.
    Not guaranteed: exact shares. Each split is within about one block a label of its share, and
    a label that is a single block is in train whatever the shares.

    Args:
        shares: of rows, by split; together 1. A split left out gets none.

    Raises:
        Invalid: no rows, an item listed twice, or shares that are not shares.
    """
    _check(rows, shares)
    blocks = _blocks(rows, seed)
    strata: dict[str, list[_Block]] = defaultdict(list)
    for block in sorted(blocks, key=lambda block: block.draw):
        strata[block.label].append(block)
    placed: dict[Split, list[_Block]] = {"train": [], "validation": [], "test": []}
    carry: dict[Split, float] = dict.fromkeys(_HELD_OUT, 0.0)
    for label in sorted(strata):
        _place(strata[label], shares, carry, placed)
    _give_train_every_label(placed)
    return {row.item_id: name for name in placed for block in placed[name] for row in block.rows}


def leaks(rows: Sequence[SplitRow], splits: Mapping[int, Split]) -> list[Leak]:
    """Where splits share a text or a group, in order of the first item; empty means clean.

    A check of its own, which does not trust `split`: it judges any assignment. Rows without a
    split are left out of a data set and cannot leak.
    """
    shared: dict[tuple[Literal["duplicate", "group"], str], list[int]] = defaultdict(list)
    for row in rows:
        if row.item_id in splits:
            shared["duplicate", text_sha(row.text)].append(row.item_id)
            if row.group is not None:
                shared["group", row.group].append(row.item_id)
    found = []
    for (kind, _), items in shared.items():
        names = tuple(sorted({splits[item] for item in items}))
        if len(names) > 1:
            found.append(Leak(kind, tuple(sorted(items)), names))
    return sorted(found, key=lambda leak: (leak.item_ids, leak.kind))


def content_hash(
    rows: Iterable[SplitRow], splits: Mapping[int, Split], recipe: Mapping[str, Any]
) -> str:
    """SHA-256, in hex, of a data set: its recipe and, by item id, every row with its split.

    Equal for equal content in any order of rows; one letter more or less makes it another.

    Raises:
        Invalid: a row has no split, or the recipe is not JSON.
    """
    digest = hashlib.sha256(_canonical(recipe))
    for row in sorted(rows, key=lambda row: row.item_id):
        if row.item_id not in splits:
            raise Invalid(f"Item {row.item_id} has no split. Split the rows that are hashed.")
        digest.update(b"\n" + _canonical([*row, splits[row.item_id]]))
    return digest.hexdigest()


def _check(rows: Sequence[SplitRow], shares: Mapping[str, float]) -> None:
    if not rows:
        raise Invalid("There are no rows to split. Approve some labels first.")
    repeated = len(rows) - len({row.item_id for row in rows})
    if repeated:
        raise Invalid(f"{repeated} rows repeat the item id of another. List each item once.")
    if shares.keys() - {"train", "validation", "test"}:
        raise Invalid("Shares are given for train, validation and test, and nothing else.")
    whole = abs(sum(shares.values()) - 1) <= 1e-6  # false for NaN as well
    if not whole or min(shares.values()) < 0:
        raise Invalid("Shares are 0 or more and together 1, such as train 0.8 and test 0.2.")
    if not shares.get("train"):
        raise Invalid("The share of train is 0, so that nothing could be learnt.")


def _blocks(rows: Sequence[SplitRow], seed: int) -> list[_Block]:
    """Connected components of rows over equal groups and equal texts (union-find)."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    keys = [(row, [f"text {text_sha(row.text)}"]) for row in rows]
    for row, own in keys:
        if row.group is not None:
            own.append(f"group {row.group}")
        parent.update((key, key) for key in own if key not in parent)
        # The smallest key is the root: it does not depend on the order in which rows came.
        low, high = sorted((root(own[0]), root(own[-1])))
        parent[high] = low
    found: dict[str, _Block] = defaultdict(_Block)
    for row, own in keys:
        found[root(own[0])].rows.append(row)
    for key, block in found.items():
        block.draw = hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
        counts = Counter(row.label for row in block.rows)
        block.label = min(counts, key=lambda label: (-counts[label], label))
    return list(found.values())


def _place(
    blocks: Sequence[_Block],
    shares: Mapping[str, float],
    carry: dict[Split, float],
    placed: dict[Split, list[_Block]],
) -> None:
    """Divide the blocks of one label, in their order; the last one is always for train."""
    total = sum(len(block.rows) for block in blocks)
    largest = max(len(block.rows) for block in blocks)
    due = {name: shares.get(name, 0.0) * total + carry[name] for name in _HELD_OUT}
    for number, block in enumerate(blocks, 1):
        size = len(block.rows)
        # A block goes where it leaves the split nearer to what is due to it than without it.
        wanting = [name for name in _HELD_OUT if shares.get(name) and due[name] >= size / 2]
        if wanting and number < len(blocks):
            due[wanting[0]] -= size
            placed[wanting[0]].append(block)
        else:
            placed["train"].append(block)
    for held_out in _HELD_OUT:  # a label that is all train owes the next ones no more than a block
        carry[held_out] = max(-largest, min(largest, due[held_out]))


def _give_train_every_label(placed: dict[Split, list[_Block]]) -> None:
    """Move to train, for a label that is nowhere a block's commonest, the last block with it."""
    known = {row.label for block in placed["train"] for row in block.rows}
    held_out = [(block, name) for name in _HELD_OUT for block in placed[name]]
    held_out.sort(key=lambda entry: entry[0].draw, reverse=True)
    for block, name in held_out:
        labels = {row.label for row in block.rows}
        if labels - known:
            placed[name].remove(block)
            placed["train"].append(block)
            known |= labels


def _canonical(value: Any) -> bytes:
    try:
        text = json.dumps(
            value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
    except (TypeError, ValueError):
        raise Invalid("A recipe holds only texts, numbers, lists and mappings of these.") from None
    return text.encode("utf-8", "surrogatepass")
