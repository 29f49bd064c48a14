"""An older workspace is brought to the newest schema, with everything it holds."""

from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, inspect, text

from databits.store.database import Database
from databits.store.tables import metadata

NEW_COLUMNS = {
    "change_rows": ["last_id"],
    "audit": ["trace_id"],
    "runs": ["key", "not_before", "cost"],
}
NEW_TABLES = ["run_log", "people", "grants", "policies", "passwords", "tokens", "tool_versions"]


def bare(path: Path) -> Engine:
    return create_engine(f"sqlite:///{path}", poolclass=NullPool)  # leaves nothing open


def shape(path: Path) -> dict[str, list[str]]:
    look = inspect(bare(path))
    return {name: sorted(c["name"] for c in look.get_columns(name)) for name in metadata.tables}


def indexes(path: Path) -> dict[str, set[str | None]]:
    with bare(path).connect() as db:
        found = db.execute(text("SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'"))
        rows = found.all()
    return {table: {r.name for r in rows if r.tbl_name == table} for table in metadata.tables}


def test_the_first_schema_becomes_the_newest_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "workbench.db"
    Database(f"sqlite:///{path}").close()
    newest, known_indexes = shape(path), indexes(path)
    with bare(path).begin() as db:  # as the first release left it
        for name in NEW_TABLES:
            db.execute(text(f"DROP TABLE {name}"))
            db.execute(text("DELETE FROM counters WHERE name = :name"), {"name": name})
        db.execute(text("ALTER TABLE runs RENAME TO later"))
        old = [c for c in newest["runs"] if c not in NEW_COLUMNS["runs"]]
        db.execute(text(f"CREATE TABLE runs AS SELECT {', '.join(old)} FROM later"))
        db.execute(text("DROP TABLE later"))
        db.execute(text("DROP INDEX ix_change_rows_range"))
        db.execute(text("DROP INDEX ix_audit_trace_id"))
        db.execute(text("DROP INDEX ix_audit_outcome"))
        db.execute(text("DROP INDEX ix_items_came_back"))
        db.execute(text("CREATE INDEX ix_items_feedback_id ON items (feedback_id)"))
        db.execute(text("DROP INDEX ix_audit_block"))
        for table in ("changes", "audit"):
            db.execute(text(f"CREATE INDEX ix_{table}_actor_id ON {table} (actor, id)"))
        db.execute(text("CREATE INDEX ix_changes_operation_id ON changes (operation, id)"))
        for table in ("change_rows", "audit"):
            for column in NEW_COLUMNS[table]:
                db.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        db.execute(text("DELETE FROM migrations WHERE number > 1"))
        db.execute(
            text("INSERT INTO sources (id, name, path, created_at) VALUES (1, 'kept', 'p', 1)")
        )
    database = Database(f"sqlite:///{path}")
    assert shape(path) == newest
    assert indexes(path) == known_indexes
    assert database.read(lambda store: store.records.source_names()) == ["kept"]
    counters = database.read(
        lambda store: {r[0] for r in store.tx.rows(text("SELECT name FROM counters"))}
    )
    assert set(NEW_TABLES) <= counters
    database.close()
