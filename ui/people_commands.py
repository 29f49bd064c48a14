"""`databits person …` and `databits token …`: the operations about people, in fewer words.

Passwords are asked for at the terminal or read from standard input; they are never part of a
command line, where other users of the machine and the shell's history would see them.
"""

import argparse
import getpass
import sys
from collections.abc import Callable
from typing import Any, get_args

from databits.actor import Role
from databits.errors import Invalid
from databits.operation import STAGES, Operation
from databits.settings import Settings
from ui.commands import opened, person_at_the_terminal, show

Arguments = dict[str, Any]


def has_secrets(op: Operation) -> bool:
    """Whether an operation takes what must not be typed on a command line."""
    return any(s.get("format") == "password" for s in op.input_schema["properties"].values())


def add_people(commands: Any) -> None:
    """Add the commands `person` and `token`."""
    person = commands.add_parser("person", help="accounts and roles: add, list, grant, …")
    verbs = person.add_subparsers(metavar="VERB", required=True)
    add = _verb(verbs, "add", "add a person", "add_person", _named)
    add.add_argument("--role", choices=get_args(Role), help="role in the whole workspace")
    add.add_argument("--password", action="store_true", help="ask for a password as well")
    add.set_defaults(do=_add_person)
    _verb(verbs, "list", "list people and their roles", "list_people", lambda _: {}, named=False)
    grant = _verb(verbs, "grant", "give a role", "grant_role", _granted)
    grant.add_argument("role", choices=get_args(Role))
    revoke = _verb(verbs, "revoke", "take a role back", "revoke_role", _granted)
    for command in (grant, revoke):
        command.add_argument("--databit", help="only on this Databit")
    password = _verb(verbs, "password", "set a password, which is asked for", "", _named)
    password.set_defaults(do=_set_password)
    _verb(verbs, "disable", "keep a person out", "disable_person", _kept_out)
    _verb(verbs, "enable", "let a person in again", "disable_person", _let_in)
    _add_token(commands)


def _add_token(commands: Any) -> None:
    token = commands.add_parser("token", help="bearer tokens for HTTP: create, list, revoke")
    verbs = token.add_subparsers(metavar="VERB", required=True)
    create = _verb(verbs, "create", "make a token; it is shown once", "create_token", _token)
    create.add_argument("--person", help="whose (default: your own)")
    create.add_argument("--role", choices=get_args(Role), help="what it may do at most [viewer]")
    create.add_argument("--toolsets", help=f"only these stages, of {','.join(STAGES)}")
    create.add_argument("--days", type=int, help="days until it expires, up to 365 [90]")
    _verb(verbs, "list", "list tokens", "list_tokens", lambda _: {}, named=False)
    revoke = _verb(
        verbs, "revoke", "end a token", "revoke_token", lambda a: {"token": a.token}, named=False
    )
    revoke.add_argument("token", type=int, help="its id, as `databits token list` shows it")


def _verb(
    verbs: Any,
    word: str,
    says: str,
    operation: str,
    arguments: Callable[[argparse.Namespace], Arguments],
    *,
    named: bool = True,
) -> Any:
    command = verbs.add_parser(word, help=says, description=says.capitalize() + ".")
    if named:
        command.add_argument("name")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(do=lambda asked: _run(operation, arguments(asked), asked))
    return command


def _named(asked: argparse.Namespace) -> Arguments:
    return {"person": asked.name}


def _kept_out(asked: argparse.Namespace) -> Arguments:
    return {**_named(asked), "disabled": True}


def _let_in(asked: argparse.Namespace) -> Arguments:
    return {**_named(asked), "disabled": False}


def _granted(asked: argparse.Namespace) -> Arguments:
    said = {name: getattr(asked, name, None) for name in ("role", "databit")}
    return {**_named(asked), **{k: v for k, v in said.items() if v is not None}}


def _token(asked: argparse.Namespace) -> Arguments:
    said = {name: getattr(asked, name) for name in ("name", "person", "role", "days")}
    if asked.toolsets:
        said["toolsets"] = [part.strip() for part in asked.toolsets.split(",") if part.strip()]
    return {name: value for name, value in said.items() if value is not None}


def _add_person(asked: argparse.Namespace) -> int:
    # Asked first: whoever gives up at the question has added nobody.
    password = read_password() if asked.password else None
    done = _run("add_person", _granted(asked), asked)
    if password is None:
        return done
    return _run("set_password", {**_named(asked), "password": password}, asked)


def _set_password(asked: argparse.Namespace) -> int:
    return _run("set_password", {**_named(asked), "password": read_password()}, asked)


def read_password() -> str:
    """A password: asked for twice at a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise Invalid("The two passwords are not the same; nothing was changed.")
    return password


def _run(operation: str, arguments: Arguments, asked: argparse.Namespace) -> int:
    settings = Settings()
    with opened(settings) as runner:
        result = runner.run(operation, arguments, person_at_the_terminal(settings))
    return show(result, as_json=asked.json)
