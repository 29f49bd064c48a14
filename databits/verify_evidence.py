"""Check an evidence pack: python verify_evidence.py PACK [SHA256]

PACK is the zip that `export_evidence` wrote, or the folder it was unpacked into. SHA256 is the hash of
its manifest, if somebody gave it to you by another way than the pack: with it, whoever could write to
the pack can not have changed anything. Python 3.9 or newer, no other package, no network, no server.

A pack holds what led to an asset (an endpoint, a model or a dataset), one JSON object a line:

    manifest.json            which asset; size and sha256 of every file; manifest.sha256 is its own
    sources, records         where texts came from; the texts themselves only if they were asked for
    items, suggestions       texts in a queue, and what engines said of them
    labels                   every decision: who, when, through which surface
    databits … feedback      the way from labels to what answers now; a route is a deployment
    plans                    what people were asked to approve, and who decided
    audit                    the whole audit log of the workspace, from its first event

Each row names the change that made it (`change_id`), and each change has its event in the audit log.
An event's hash covers the event and the hash of the one before, so the last hash stands for all.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

GENESIS = "0" * 64  # what the first event names as the hash before it
POINTERS = {  # file: column: the file whose `id` it names
    "records": {"source_id": "sources"},
    "items": {"record_id": "records", "databit_id": "databits", "feedback_id": "feedback"},
    "suggestions": {"item_id": "items"},
    "labels": {"item_id": "items"},
    "databit_versions": {"databit_id": "databits"},
    "datasets": {"databit_version_id": "databit_versions"},
    "dataset_rows": {"dataset_id": "datasets", "item_id": "items"},
    "models": {"dataset_id": "datasets"},
    "model_files": {"model_id": "models"},
    "evaluations": {"model_id": "models", "dataset_id": "datasets"},
    "routes": {"endpoint_id": "endpoints", "model_id": "models"},
}
MADE = sorted({"sources", "feedback", "databits", "endpoints", *POINTERS} - {"model_files"})


class Broken(Exception): ...  # the first thing that does not hold


def check(holds: object, told: str) -> None:
    if not holds:
        raise Broken(told)


class Pack:
    """The files of a zip or a folder, by name."""

    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self.zip = None if self.folder.is_dir() else zipfile.ZipFile(path)

    def names(self) -> list[str]:
        return self.zip.namelist() if self.zip else [p.name for p in self.folder.iterdir()]

    def open(self, name: str) -> IO[bytes]:
        return self.zip.open(name) if self.zip else (self.folder / name).open("rb")

    def rows(self, name: str) -> Iterator[Any]:
        with self.open(name + ".jsonl") as lines:
            yield from map(json.loads, lines)


def canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def check_files(pack: Pack, expected: str) -> Any:
    """Every file is the one that the manifest lists, and there is no other."""
    with pack.open("manifest.json") as manifest, pack.open("manifest.sha256") as seal:
        raw, sealed = manifest.read(), seal.read()
    found = hashlib.sha256(raw).hexdigest()
    check(sealed == found.encode() + b"\n", "manifest.json is not what manifest.sha256 names")
    check(expected in ("", found), "the manifest is not the one whose hash you gave")
    listed = json.loads(raw)["files"]
    names = sorted(["manifest.json", "manifest.sha256", *listed])
    check(sorted(pack.names()) == names, "the files are not those that the manifest lists")
    for name, entry in sorted(listed.items()):
        made, size = hashlib.sha256(), 0
        with pack.open(name) as source:
            while piece := source.read(1 << 20):
                made.update(piece)
                size += len(piece)
        check([size, made.hexdigest()] == [entry["bytes"], entry["sha256"]], f"{name} was altered")
    print(f"ok  {len(listed)} files; the manifest's sha256 is {found}")
    return json.loads(raw)


def check_pointers(pack: Pack) -> set[int]:
    """What a row rests on is in the pack too. Returns the ids of the changes that made the rows."""
    ids = {name: {row["id"] for row in pack.rows(name)} for name in MADE}
    for name, columns in POINTERS.items():
        for row in pack.rows(name):
            for column, target in columns.items():
                known = row[column] is None or row[column] in ids[target]
                check(known, f"a row of {name} rests on one of {target} that is not in the pack")
    print(f"ok  {sum(map(len, ids.values()))} rows, each with what it rests on")
    return {row["change_id"] for name in MADE for row in pack.rows(name)}


def check_audit(pack: Pack, said: Any, made: set[int]) -> tuple[dict[int, Any], dict[int, Any]]:
    """The audit log holds, link by link. Returns its events about these changes, and about plans."""
    previous, count, changes, plans = GENESIS, 0, {}, defaultdict(list)
    for count, event in enumerate(pack.rows("audit"), 1):
        hashed = {k: v for k, v in event.items() if k != "hash" and (k, v) != ("trace_id", None)}
        holds = [event["id"], event["previous"], event["hash"]] == [count, previous, digest(hashed)]
        check(holds, f"the audit log is broken at event {count}")
        previous = event["hash"]
        if event["outcome"] == "ok" and event["change_id"] in made:
            changes[event["change_id"]] = event
        if event["plan_id"] is not None:
            plans[event["plan_id"]].append(event)
    check(said == {"events": count, "head": previous}, "the audit log ends elsewhere")
    print(f"ok  {count} audit events; the last hash is {previous}")
    return changes, plans


def check_changes(pack: Pack, changes: dict[int, Any]) -> None:
    """Every row was made by a change on record, and every decision by the person it names."""
    for name in MADE:
        for row in pack.rows(name):
            event = changes.get(row["change_id"], {})
            check(event, f"{name} {row['id']}: the audit log has no event of its change")
            same = name != "labels" or all(row[k] == event[k] for k in ("actor", "surface"))
            check(same, f"decision {row['id']}: the audit log names another person or surface")
    print(f"ok  {len(changes)} changes, each with its audit event")


def check_plans(pack: Pack, events: dict[int, Any]) -> None:
    """Every plan is what was shown, and was decided by whom it names before it was carried out."""
    for plan in pack.rows("plans"):
        told, mine = f"plan {plan['id']}: ", events[plan["id"]]
        shown = digest([plan["operation"], plan["arguments"], plan["preview"]])
        check(shown == plan["digest"], told + "it is not what its digest was made from")
        said = {(e["operation"], e["outcome"], e["actor"]) for e in mine if shown in e["detail"]}
        asked = (plan["operation"], "planned", plan["asked_by"]) in said
        check(asked, told + "the audit log does not say that this person asked for this digest")
        done = [(e["operation"], e["actor"]) for e in mine if e["outcome"] == "ok"]
        approved = done[:1] == [("decide_approval", plan["decided_by"])]
        check(approved, told + "the audit log does not say that this person approved it first")
        check(plan["operation"] in dict(done), told + "it was not carried out")
    print("ok  plans: each was asked for, approved and carried out, in this order")


def check_datasets(pack: Pack, texts: bool) -> None:
    """Datasets hold the rows that they say; with texts, their content hashes are made again."""
    record_of = {row["id"]: row["record_id"] for row in pack.rows("items")}
    text_of, rows_of = {}, defaultdict(list)
    for row in pack.rows("records") if texts else ():
        content = digest({"text": row["text"], "fields": row["fields"]})
        check(content == row["sha256"], f"record {row['id']} is not what its sha256 was made from")
        text_of[row["id"]] = row["text"]
    for row in pack.rows("dataset_rows"):
        rows_of[row["dataset_id"]].append((row["item_id"], row["label"], row["split"]))
    for dataset in pack.rows("datasets"):
        told, rows = f"dataset {dataset['id']}: ", sorted(rows_of[dataset["id"]])
        splits = +Counter(split for _, _, split in rows)
        check(splits == +Counter(dataset["summary"]["splits"]), told + "rows are missing or added")
        made = hashlib.sha256(canonical(dataset["recipe"]))
        for item, label, split in rows if texts else ():
            made.update(b"\n" + canonical([item, None, text_of[record_of[item]], label, split]))
        same = not texts or made.hexdigest() == dataset["sha256"]
        check(same, told + "its rows do not make its content hash")
    how = "made again" if texts else "take a pack with texts"
    print(f"ok  {len(rows_of)} datasets, rows counted; content hashes {how}")


def main(pack_path: str, expected: str = "") -> int:
    try:
        manifest = check_files(pack := Pack(pack_path), expected)
        changes, plans = check_audit(pack, manifest["audit"], check_pointers(pack))
        check_changes(pack, changes)
        check_plans(pack, plans)
        check_datasets(pack, manifest["texts"])
    except Exception as error:  # damaged bytes fail in many ways; none of them is evidence
        told = error if isinstance(error, Broken) else f"unreadable ({type(error).__name__})"
        print(f"BROKEN: {told}")
        return 1
    print(f"The evidence for {manifest['asset']} holds.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]) if sys.argv[1:] else print(__doc__) or 2)
