"""`databits export`, `import` and `verify`: a workspace as one file, and the check of an evidence pack."""

import argparse
import sys
from pathlib import Path
from typing import Any

from databits.errors import Conflict, NotAllowed
from databits.remote import serving
from databits.settings import Settings


def add_transfer(commands: Any) -> None:
    """Add the three commands."""
    export = commands.add_parser("export", help="write the whole workspace into one zip")
    export.add_argument("file", type=Path, help="a new zip, or the folder to put it into")
    export.add_argument(
        "--without-people", action="store_true", help="no accounts, roles, passwords and tokens"
    )
    export.set_defaults(do=_export)
    bring = commands.add_parser("import", help="read an exported workspace into an empty one")
    bring.add_argument("file", type=Path, help="the zip that `databits export` wrote")
    bring.set_defaults(do=_import)
    verify = commands.add_parser(
        "verify", help="check an evidence pack, as anybody can without databits"
    )
    verify.add_argument("pack", help="the zip that export_evidence wrote, or its folder")
    verify.add_argument(
        "sha256", nargs="?", default="", help="the manifest's sha256, if you have it"
    )
    verify.set_defaults(do=_verify)


def _export(asked: argparse.Namespace) -> int:
    from databits.store.database import Database
    from databits.transfer import export_workspace

    settings = _admin()
    database = Database(settings.url)
    try:
        done = export_workspace(
            settings, database, asked.file, people=not asked.without_people, progress=_say
        )
    finally:
        database.close()
        _say("")
    print(f"Wrote {done.rows:,} rows and {done.files:,} files to {done.path}.")
    print(f"Audit log: {done.audit_events:,} events, last hash {done.audit_head or 'none'}.")
    if done.people:
        print("It holds the hashes of passwords and tokens: keep it as you keep the workspace.")
    if done.audit_broken is not None:
        print(
            f"The audit log does not hold from event {done.audit_broken} on; `databits import` will refuse this "
            "export. See verify_audit.",
            file=sys.stderr,
        )
    return 0


def _import(asked: argparse.Namespace) -> int:
    from databits.owner import Ownership
    from databits.store.database import Database
    from databits.transfer import import_workspace

    settings = _admin()
    server = serving(settings.home)
    if server is not None:
        raise Conflict(
            f"A server is at work on this workspace (process {server.pid}). Stop it, then import."
        )
    owner = Ownership(settings.url)
    owner.take()
    database = Database(settings.url)
    try:
        done = import_workspace(settings, database, asked.file, progress=_say)
    finally:
        database.close()
        owner.release()
        _say("")
    print(
        f"Imported {done.rows:,} rows and {done.files:,} files into {settings.home}; every hash holds."
    )
    print(f"Audit log: {done.audit_events:,} events, last hash {done.audit_head or 'none'}.")
    return 0


def _verify(asked: argparse.Namespace) -> int:
    from databits.verify_evidence import main

    return main(asked.pack, asked.sha256)


def _admin() -> Settings:
    settings = Settings()
    if settings.role != "admin":
        raise NotAllowed(
            f"Moving a whole workspace takes the role admin; you are {settings.role} here (DATABITS_ROLE)."
        )
    return settings


def _say(message: str) -> None:
    """Progress on one line of a terminal; nothing anywhere else."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)
