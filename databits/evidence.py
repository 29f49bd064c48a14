"""Evidence packs: what led to an asset, so that others can check it without the workbench.

`verify_evidence.py`, a copy of which is in every pack, says what a pack holds and what is checked.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from databits.archive import MANIFEST, Entry, Packing, canonical, packing
from databits.errors import Invalid
from databits.store import Store, mlflow_file
from databits.store import evidence as found
from databits.store.transfer import audit_head, line

SEAL = "manifest.sha256"
SCRIPT = Path(__file__).with_name("verify_evidence.py")


class Pack(NamedTuple):
    """An evidence pack that was written."""

    path: Path
    sha256: str
    manifest_sha256: str
    rows: dict[str, int]
    audit_head: str | None


def write_pack(store: Store, home: Path, asset: str, *, texts: bool) -> Pack:
    """Write the evidence for an endpoint, a model or a dataset into a zip below `home`.

    Raises:
        Invalid: when the asset is of another kind; NotFound: when there is none of that name.
    """
    node = store.lineage.find(asset)
    if node.kind not in found.KINDS:
        raise Invalid(
            "Evidence is exported for an endpoint, a model or a dataset: endpoint:NAME, model:NAME@1 or "
            "dataset:NAME@1."
        )
    folder = home / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9_]+", "-", asset.lower()).strip("-")[:80]
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.zip"
    with packing(path) as made:
        rows = _Rows(made)
        files = _pack_rows(store, rows, home, found.chain_of(store.tx, node), texts)
        files[SCRIPT.name] = made.add_file(SCRIPT.name, SCRIPT)
        events, head = audit_head(store.tx)
        manifest = canonical(
            {
                "format": "databits-evidence-1",
                "product": version("databits-workbench"),
                "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "asset": asset,
                "texts": texts,
                "audit": {"events": events, "head": head},
                "files": {name: entry.model_dump() for name, entry in files.items()},
            }
        )
        seal = hashlib.sha256(manifest).hexdigest()
        made.add(MANIFEST, [manifest])
        made.add(SEAL, [f"{seal}\n".encode("ascii")])
    return Pack(path, _sha256(path), seal, rows.counts, head)


class _Rows:
    """JSON lines into a pack, counted, and the changes that they name remembered."""

    def __init__(self, made: Packing) -> None:
        self._made = made
        self.counts: dict[str, int] = {}
        self.changes: set[int] = set()

    def add(
        self,
        name: str,
        rows: Iterable[dict[str, Any]],
        look: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> dict[str, Entry]:
        self.counts[name] = 0

        def lines() -> Iterator[bytes]:
            for row in rows:
                self.counts[name] += 1
                look(row)
                yield line(row)

        return {f"{name}.jsonl": self._made.add(f"{name}.jsonl", lines())}

    def note(self, row: dict[str, Any]) -> None:
        if row["change_id"] is not None:
            self.changes.add(row["change_id"])


def _pack_rows(
    store: Store, rows: _Rows, home: Path, chain: found.Chain, texts: bool
) -> dict[str, Entry]:
    files: dict[str, Entry] = {}
    for table, where in found.tables_of(chain).items():
        files |= rows.add(table.name, found.rows_of(store.tx, table, where, texts), rows.note)
    files |= rows.add("model_files", _model_files(store, home, chain.models))
    plans: set[int] = set()

    def look(event: dict[str, Any]) -> None:
        if event["change_id"] in rows.changes and event["plan_id"] is not None:
            plans.add(event["plan_id"])

    files |= rows.add("audit", found.events(store.tx), look)
    files |= rows.add("plans", found.plans_of(store.tx, sorted(plans)))
    return files


def _model_files(store: Store, home: Path, models: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Size and sha256 of every file of the models; none where they lie on another machine."""
    for model_id in models:
        model = store.models.by_id(model_id)
        uri = mlflow_file.model_folder(home / "mlflow.db", model.name, model.version)
        top = mlflow_file.folder_of(uri)
        if top is None:
            continue
        for path in sorted(p for p in top.rglob("*") if p.is_file()):
            yield {
                "model_id": model_id,
                "path": path.relative_to(top).as_posix(),
                "bytes": path.stat().st_size,
                "sha256": _sha256(path),
            }


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
