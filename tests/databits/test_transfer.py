"""A workspace moves whole: between databases, checked, or not at all."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databits.errors import Conflict, DatabitsError, Invalid, Unavailable
from databits.platforms.embedded import Embedded
from databits.store import Store
from databits.store.tables import metadata, passwords, people, records, sources, vectors
from databits.store.transfer import TABLES, rows_of
from databits.transfer import export_workspace, import_workspace
from tests.databases import NewDatabase

if TYPE_CHECKING:
    from tests.conftest import Desk, MakeDesk

pytestmark = pytest.mark.both_databases
Files = dict[str, bytes]


@pytest.fixture
def used(labelled: "Desk", tmp_path: Path) -> "Desk":
    """`labelled`, with a dataset, an undone change, a plan, vectors, accounts and an upload."""
    labelled("assemble_dataset", databit="support")
    labelled("reject_items", databit="support", items=[1, 2])
    labelled("undo_change", change=labelled("list_changes").rows[0].id)
    labelled.workbench.run("launch_fine_tune", {"dataset": "support@1"}, labelled.actor)

    def write(store: Store) -> None:
        vector = {"record_id": 3, "model": "m", "vector": bytes(range(256))}
        store.tx.db.execute(vectors.insert(), [vector, {**vector, "model": "M"}])
        store.tx.db.execute(
            people.insert(), [{"id": 1, "name": "Zoë", "disabled": 0, "created_at": 5}]
        )
        secret = {"id": 1, "person": "Zoë", "hash": "scrypt$…", "created_at": 5}
        store.tx.db.execute(passwords.insert(), [secret])

    labelled.workbench.database.write(write)
    uploads = labelled.workbench.settings.home / "uploads" / "0001"
    uploads.mkdir(parents=True)
    (uploads / "Größe 1.csv").write_bytes(b"text\nhello\n")
    return labelled


@pytest.fixture
def empty(tmp_path: Path, open_desk: "MakeDesk") -> Embedded:
    """Another workspace, with nothing in it, on SQLite."""
    return open_desk(tmp_path / "other").workbench


def move(source: Embedded, target: Embedded, archive: Path, **options: Any) -> None:
    export_workspace(source.settings, source.database, archive, **options)
    import_workspace(target.settings, target.database, archive)


def dump(workbench: Embedded) -> dict[str, bytes]:
    """Every table as the lines that stand in an archive."""

    def read(store: Store) -> dict[str, bytes]:
        return {name: b"".join(rows_of(store.tx, table)) for name, table in TABLES.items()}

    return workbench.database.read(read)


def unpacked(archive: Path) -> Files:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(archive: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(archive, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return archive


def is_untouched(workbench: Embedded) -> bool:
    """Whether nothing of a refused import stayed, neither rows nor files."""
    tables = dump(workbench)
    counters = [json.loads(line) for line in tables.pop("counters").splitlines()]
    home = workbench.settings.home
    kept = [p.name for p in home.iterdir() if not p.name.startswith("workbench.db")]
    return not any(tables.values()) and {c["last"] for c in counters} <= {0} and not kept


def test_every_row_and_file_arrives(used: "Desk", empty: Embedded, tmp_path: Path) -> None:
    move(used.workbench, empty, tmp_path / "all.zip")
    assert dump(empty) == dump(used.workbench)
    here, there = used.workbench.settings.home, empty.settings.home
    assert (there / "uploads/0001/Größe 1.csv").read_bytes() == b"text\nhello\n"
    assert sorted(p.name for p in (there / "uploads").rglob("*")) == sorted(
        p.name for p in (here / "uploads").rglob("*")
    )


def test_what_was_moved_goes_on_as_before(used: "Desk", empty: Embedded, tmp_path: Path) -> None:
    move(used.workbench, empty, tmp_path / "all.zip")
    there = type(used)(empty, used.actor)
    assert there("verify_audit").intact
    assert there("assemble_dataset", databit="support")["unchanged"]
    before = there.rows(sources)[-1]["id"]
    (tmp_path / "more.csv").write_text("text\nsomething new\n", encoding="utf-8")
    there("import_files", path=str(tmp_path / "more.csv"))
    assert there.rows(sources)[-1]["id"] > before
    there("reject_items", databit="support", items=[4])
    there("undo_change", change=there("list_changes").rows[0].id)
    there.check_images()
    assert there("verify_audit").intact


def test_there_and_back_again_is_the_same_to_the_byte(
    used: "Desk",
    open_desk: "MakeDesk",
    tmp_path: Path,
    request: pytest.FixtureRequest,
    backend: str,
) -> None:
    # From each database to the other and back: PostgreSQL only where this test has one anyway.
    new: list[NewDatabase] = (
        [request.getfixturevalue("new_postgres")] if backend == "postgresql" else []
    )
    urls = ["", *[make() for make in new], ""]
    manifests, last = [], used.workbench
    for number, url in enumerate(urls):
        archive = tmp_path / f"{number}.zip"
        made = open_desk(tmp_path / f"home-{number}", database_url=url).workbench
        move(last, made, archive)
        manifests.append(json.loads(unpacked(archive)["manifest.json"]))
        last = made
    assert all(m["tables"] == manifests[0]["tables"] for m in manifests)
    assert all(m["files"] == manifests[0]["files"] for m in manifests)
    assert dump(last) == dump(used.workbench)


def test_an_export_is_one_moment_of_a_workspace_that_is_worked_in(
    used: "Desk", empty: Embedded, tmp_path: Path
) -> None:
    before = dump(used.workbench)

    def work_on(message: str) -> None:
        if message in ("writing counters", "writing items", "writing suggestions"):
            used("reject_items", databit="support", items=[len(used.outcomes("reject_items"))])

    here = used.workbench
    export_workspace(here.settings, here.database, tmp_path / "all.zip", progress=work_on)
    assert len(used.outcomes("reject_items")) == 4
    import_workspace(empty.settings, empty.database, tmp_path / "all.zip")
    assert dump(empty) == before


def test_without_people_no_account_and_no_secret_leaves(
    used: "Desk", empty: Embedded, tmp_path: Path
) -> None:
    move(used.workbench, empty, tmp_path / "all.zip", people=False)
    for name in ("people", "grants", "passwords", "tokens"):
        assert dump(empty)[name] == b""
    assert b"scrypt$" not in b"".join(unpacked(tmp_path / "all.zip").values())
    assert dump(empty)["labels"] == dump(used.workbench)["labels"]


def test_a_workspace_in_use_is_not_imported_over(
    used: "Desk", tmp_path: Path, open_desk: "MakeDesk"
) -> None:
    move(used.workbench, open_desk(tmp_path / "other").workbench, tmp_path / "all.zip")
    before = used.state()
    with pytest.raises(Conflict, match=r"in use.*DATABITS_HOME.*DATABITS_DATABASE_URL"):
        import_workspace(used.workbench.settings, used.workbench.database, tmp_path / "all.zip")
    assert used.state() == before
    with_files = open_desk(tmp_path / "files").workbench
    with_files.settings.home.mkdir()
    (with_files.settings.home / "mlflow.db").write_bytes(b"MLflow's")
    with pytest.raises(Conflict, match=r"mlflow\.db"):
        import_workspace(with_files.settings, with_files.database, tmp_path / "all.zip")


def test_an_export_never_replaces_a_file(used: "Desk", tmp_path: Path) -> None:
    there = tmp_path / "kept.zip"
    there.write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="already"):
        export_workspace(used.workbench.settings, used.workbench.database, there)
    assert there.read_text(encoding="utf-8") == "mine"
    done = export_workspace(used.workbench.settings, used.workbench.database, tmp_path)
    assert Path(done.path).parent == tmp_path
    assert Path(done.path).stat().st_mode & 0o077 == 0, "its user alone may read it"


def test_a_failed_export_leaves_no_file(used: "Desk", tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    place = used.workbench.settings.home / "uploads" / "new\nline"
    place.write_bytes(b"")
    with pytest.raises(Invalid, match="name that does not move"):
        export_workspace(used.workbench.settings, used.workbench.database, folder / "a.zip")
    with pytest.raises(Unavailable, match="No such file"):
        export_workspace(
            used.workbench.settings, used.workbench.database, tmp_path / "no" / "a.zip"
        )
    assert list(folder.iterdir()) == []


def test_a_broken_audit_log_is_told_at_the_export_and_refused_at_the_import(
    used: "Desk", empty: Embedded, tmp_path: Path
) -> None:
    def touch(store: Store) -> None:
        table = metadata.tables["audit"]
        store.tx.db.execute(table.update().where(table.c.id == 3).values(actor="nobody"))

    used.workbench.database.write(touch)
    done = export_workspace(used.workbench.settings, used.workbench.database, tmp_path / "a.zip")
    assert done.audit_broken == 3
    with pytest.raises(Invalid, match="event 3"):
        import_workspace(empty.settings, empty.database, tmp_path / "a.zip")
    assert is_untouched(empty)


def _with_manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[Files], None]:
    def altered(files: Files) -> None:
        manifest = json.loads(files["manifest.json"])
        change(manifest)
        files["manifest.json"] = json.dumps(manifest).encode()

    return altered


def _add_file(name: str) -> Callable[[Files], None]:
    """A file that the manifest lists rightly, under a name of the attacker's choice."""

    def altered(files: Files) -> None:
        entry = {
            "bytes": 0,
            "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        }
        _with_manifest(lambda m: m["files"].update({name: entry}))(files)
        files[name] = b""

    return altered


ALTERED: dict[str, Callable[[Files], None]] = {
    "a row changed": lambda f: f.update({"tables/labels.jsonl": f["tables/labels.jsonl"].replace(b"ana", b"bob", 1)}),
    "a row left out": lambda f: f.update({"tables/labels.jsonl": f["tables/labels.jsonl"].split(b"\n", 1)[1]}),
    "no end of line": lambda f: f.update({"tables/labels.jsonl": f["tables/labels.jsonl"][:-1]}),
    "not JSON": lambda f: f.update({"tables/labels.jsonl": b"x" * len(f["tables/labels.jsonl"])}),
    "a file changed": lambda f: f.update({"uploads/0001/Größe 1.csv": b"text\nhullo\n"}),
    "a table gone": lambda f: f.pop("tables/labels.jsonl") and None,
    "a file more": lambda f: f.update({"extra": b""}),
    "another count": _with_manifest(lambda m: m["tables"]["labels"].update(rows=1)),
    "another size": _with_manifest(lambda m: m["tables"]["labels"].update(bytes=1)),
    "a size of no disk": _with_manifest(lambda m: m["tables"]["labels"].update(bytes=2**80)),
    "a negative size": _with_manifest(lambda m: m["tables"]["labels"].update(bytes=-1)),
    "a table of nobody": _with_manifest(lambda m: m["tables"].update(x=m["tables"]["labels"])),
    "another audit head": _with_manifest(lambda m: m.update(audit_head="0" * 64)),
    "a key more": _with_manifest(lambda m: m.update(more=1)),
    "another schema": _with_manifest(lambda m: m.update(tables_version=99)),
    "no manifest": lambda f: f.pop("manifest.json") and None,
    "a manifest of something else": lambda f: f.update({"manifest.json": b"[]"}),
    "up and out": _add_file("uploads/../../evil"),
    "absolute": _add_file("/tmp/evil"),
    "out of the models": _add_file("mlflow/artifacts/../../evil"),
    "over the database": _add_file("workbench.db"),
    "an empty part": _add_file("uploads//evil"),
    "MLflow's database that is none": _add_file("mlflow/mlflow.db"),
    "a file that is a folder too": _add_file("uploads/0001"),
}  # fmt: skip


@pytest.fixture
def archive(used: "Desk", tmp_path: Path) -> Path:
    path = tmp_path / "all.zip"
    export_workspace(used.workbench.settings, used.workbench.database, path)
    return path


def test_an_altered_archive_is_refused_and_leaves_nothing(
    archive: Path, empty: Embedded, tmp_path: Path
) -> None:
    files = unpacked(archive)
    for name, alter in ALTERED.items():
        altered = dict(files)
        alter(altered)
        path = packed(tmp_path / "altered.zip", altered)
        with pytest.raises(DatabitsError) as refused:
            import_workspace(empty.settings, empty.database, path)
        assert len(str(refused.value)) > 20, name
        assert is_untouched(empty), name
    import_workspace(empty.settings, empty.database, archive)


def test_rows_of_other_kinds_are_refused_even_where_all_hashes_agree(
    archive: Path, empty: Embedded, tmp_path: Path
) -> None:
    files = unpacked(archive)
    for old, new in (
        (b'"item_id":1,', b'"item_id":"1",'),
        (b'"item_id":1,', b'"item_id":true,'),
        (b'"item_id":1,', b'"item_id":999999,'),
        (b'"item_id":1,', b'"item_id":1e300,'),
        (b'"kind":"', b'"king":"'),
        (b'"reason":"', b'"reason":null,"x":"'),
        (b'"item_id":1,', b'"item_id":' + b"[" * 100_000 + b"]" * 100_000 + b","),
    ):
        altered = dict(files)
        content = files["tables/labels.jsonl"].replace(old, new, 1)
        assert content != files["tables/labels.jsonl"]
        altered["tables/labels.jsonl"] = content
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        _with_manifest(lambda m, e=entry: m["tables"]["labels"].update(e))(altered)  # type: ignore[misc]
        with pytest.raises(Invalid):
            import_workspace(empty.settings, empty.database, packed(tmp_path / "a.zip", altered))
        assert is_untouched(empty)


def test_what_is_no_archive_is_refused(empty: Embedded, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    with pytest.raises(Invalid, match="not a zip"):
        import_workspace(empty.settings, empty.database, tmp_path / "a.zip")
    with pytest.raises(Invalid, match="no such file"):
        import_workspace(empty.settings, empty.database, tmp_path / "b.zip")


def test_any_flipped_byte_is_refused_or_changes_nothing(
    archive: Path, open_desk: "MakeDesk", tmp_path: Path, used: "Desk"
) -> None:
    good, expected = archive.read_bytes(), dump(used.workbench)
    target = open_desk(tmp_path / "flipped").workbench

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(good) - 1), st.integers(1, 255))
    def flip(place: int, mask: int) -> None:
        bad = bytearray(good)
        bad[place] ^= mask
        path = tmp_path / "flipped.zip"
        path.write_bytes(bad)
        try:
            import_workspace(target.settings, target.database, path)
        except DatabitsError:
            assert is_untouched(target)
        else:
            assert dump(target) == expected
            _empty_again(target)

    flip()


def _empty_again(workbench: Embedded) -> None:
    def write(store: Store) -> None:
        for table in reversed(metadata.sorted_tables):
            store.tx.db.execute(table.delete())

    workbench.database.write(write)
    shutil.rmtree(workbench.settings.home / "uploads")


words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def test_any_document_is_the_same_line_on_every_database(
    workbench: Embedded, open_desk: "MakeDesk", tmp_path: Path
) -> None:
    sqlite = open_desk(tmp_path / "sqlite").workbench

    def keep(document: Any) -> Callable[[Store], bytes]:
        def write(store: Store) -> bytes:
            db = store.tx.db
            db.execute(records.delete())
            db.execute(sources.delete())
            db.execute(sources.insert(), [{"id": 1, "name": "s", "path": "", "created_at": 0}])
            row = {"id": 1, "source_id": 1, "position": 1, "sha256": "x", "text": "", "origin": {}}
            db.execute(records.insert(), [{**row, "fields": {"d": document}}])
            return b"".join(rows_of(store.tx, records))

        return write

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents)
    def same(document: Any) -> None:
        here, there = (w.database.write(keep(document)) for w in (workbench, sqlite))
        assert here == there
        assert sqlite.database.write(keep(json.loads(here)["fields"]["d"])) == here

    same()


def test_a_text_that_postgresql_can_not_hold_is_told(
    empty: Embedded, workbench: Embedded, backend: str, tmp_path: Path
) -> None:
    def write(store: Store) -> None:
        store.tx.db.execute(
            sources.insert(), [{"id": 1, "name": "s", "path": "a\0b", "created_at": 0}]
        )

    empty.database.write(write)
    export_workspace(empty.settings, empty.database, tmp_path / "a.zip")
    if backend == "sqlite":
        import_workspace(workbench.settings, workbench.database, tmp_path / "a.zip")
        assert dump(workbench) == dump(empty)
    else:
        with pytest.raises(Invalid, match=r"sources do not fit this database.*NUL"):
            import_workspace(workbench.settings, workbench.database, tmp_path / "a.zip")
        assert is_untouched(workbench)
