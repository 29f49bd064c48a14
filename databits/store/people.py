"""People: their accounts, passwords and grants.

A grant gives a person a role in the whole workspace, or on one Databit. Passwords are kept apart
from what changes change: an undo must not bring an old one back.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, delete, exists, select

from databits.actor import Role
from databits.errors import Conflict, NotFound
from databits.model import Person, PersonGrant
from databits.store.pages import oldest_first
from databits.store.shapes import now
from databits.store.tables import change_rows, databits, grants, passwords, people
from databits.store.transaction import Transaction

ADMIN: Role = "admin"


class Grants(NamedTuple):
    """Who may what, as it stands."""

    workspace: Mapping[str, Role]
    """Person → role."""
    databits: Mapping[str, Mapping[int, Role]]
    """Person → Databit id → role."""
    disabled: frozenset[str]


class People:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    # accounts -----------------------------------------------------------------------------

    def find(self, name: str) -> Row[Any] | None:
        return self._tx.one(select(people).where(people.c.name == name))

    def raw(self, name: str) -> Row[Any]:
        """The person's row.

        Raises:
            NotFound: naming up to ten people that there are.
        """
        row = self.find(name)
        if row is None:
            found = self._tx.rows(select(people.c.name).order_by(people.c.name).limit(10))
            known = ", ".join(r.name for r in found) or "none yet"
            raise NotFound(
                f"There is no person of that name; add_person adds one. People: {known}."
            )
        return row

    def add(self, name: str) -> int:
        """Add a person, who starts afresh: nothing of an earlier one of that name is theirs.

        Raises:
            Conflict: when there is one of that name.
        """
        if self.find(name) is not None:
            raise Conflict("There is a person of that name already. list_people shows them.")
        left = self._tx.rows(select(grants.c.id).where(grants.c.person == name))
        self._tx.delete(grants, [row.id for row in left])
        self._tx.db.execute(delete(passwords).where(passwords.c.person == name))
        return self._tx.add(people, name=name, disabled=0, created_at=now())

    def disable(self, name: str, disabled: bool) -> None:
        self._tx.update(people, {self.raw(name).id: {"disabled": int(disabled)}})

    def page(self, after: int, limit: int) -> list[tuple[int, Person]]:
        signs_in = exists().where(passwords.c.person == people.c.name).label("signs_in")
        query = oldest_first(select(people, signs_in), people.c.id, after, limit)
        rows = self._tx.rows(query)
        given = self._granted([row.name for row in rows])
        return [
            (
                row.id,
                Person(
                    name=row.name,
                    disabled=bool(row.disabled),
                    password=row.signs_in,
                    grants=[
                        PersonGrant(role=g.role, databit=g.databit)
                        for g in given
                        if g.person == row.name
                    ],
                    created_at=row.created_at,
                ),
            )
            for row in rows
        ]

    def count(self) -> int:
        return self._tx.count(people)

    # grants -------------------------------------------------------------------------------

    def grant(self, person: str, role: Role, databit_id: int | None) -> None:
        """Give a role in the workspace (no Databit) or on a Databit, in place of the one there was."""
        there = self._grant(person, databit_id)
        if there is not None:
            self._tx.update(grants, {there.id: {"role": role}})
            return
        self._tx.add(grants, person=person, role=role, databit_id=databit_id, created_at=now())

    def revoke(self, person: str, databit_id: int | None) -> None:
        """Take a grant back.

        Raises:
            NotFound: when there is none.
        """
        there = self._grant(person, databit_id)
        if there is None:
            raise NotFound("That person has no such role. list_people shows the roles they have.")
        self._tx.delete(grants, [there.id])

    def grants(self) -> Grants:
        """Every grant, and who is kept out."""
        workspace: dict[str, Role] = {}
        on_databits: dict[str, dict[int, Role]] = {}
        for row in self._tx.rows(select(grants.c.person, grants.c.role, grants.c.databit_id)):
            role = cast(Role, row.role)
            if row.databit_id is None:
                workspace[row.person] = role
            else:
                on_databits.setdefault(row.person, {})[row.databit_id] = role
        kept_out = self._tx.rows(select(people.c.name).where(people.c.disabled == 1))
        return Grants(workspace, on_databits, frozenset(row.name for row in kept_out))

    def refuse_lock_out(self, machine_user: str | None) -> None:
        """Refuse what would leave nobody who may manage people.

        Args:
            machine_user: the user of this machine whom the settings make an admin, if any. They
                stay one while no grant of theirs says otherwise, and can always help.

        Raises:
            Conflict: when no admin is left.
        """
        refuse_lock_out(self.grants(), machine_user)

    def after_undo(self, change_id: int) -> Grants:
        """What `grants` would say were a change taken back."""
        tables = {t.name: t for t in (people, grants)}
        kept = {
            name: {r.id: r._asdict() for r in self._tx.rows(select(t))}
            for name, t in tables.items()
        }
        images = self._tx.rows(
            select(change_rows)
            .where(change_rows.c.change_id == change_id, change_rows.c.table_name.in_(tables))
            .order_by(change_rows.c.id.desc())
        )
        for image in images:
            rows = kept[image.table_name]
            for row_id in range(image.row_id, (image.last_id or image.row_id) + 1):
                if image.kind == "insert":
                    rows.pop(row_id, None)
                else:
                    rows[row_id] = {**rows.get(row_id, {}), **(image.before or {})}
        workspace = {
            r["person"]: cast(Role, r["role"])
            for r in kept["grants"].values()
            if r["databit_id"] is None
        }
        kept_out = frozenset(r["name"] for r in kept["people"].values() if r["disabled"])
        return Grants(workspace, {}, kept_out)

    # passwords ----------------------------------------------------------------------------

    def set_password(self, person: str, kept: str) -> None:
        """Keep a password's hash in place of the one there was."""
        self._tx.db.execute(delete(passwords).where(passwords.c.person == person))
        self._tx.insert(passwords, [{"person": person, "hash": kept, "created_at": now()}])

    def password(self, person: str) -> Row[Any] | None:
        """(hash, created_at) of somebody who is there and may sign in."""
        return self._tx.one(
            select(passwords.c.hash, passwords.c.created_at)
            .join(people, people.c.name == passwords.c.person)
            .where(passwords.c.person == person, people.c.disabled == 0)
        )

    def can_sign_in(self) -> frozenset[str]:
        """Everybody who has a password and is not kept out."""
        query = (
            select(passwords.c.person)
            .join(people, people.c.name == passwords.c.person)
            .where(people.c.disabled == 0)
        )
        return frozenset(row.person for row in self._tx.rows(query))

    def _grant(self, person: str, databit_id: int | None) -> Row[Any] | None:
        where = (
            grants.c.databit_id.is_(None)
            if databit_id is None
            else grants.c.databit_id == databit_id
        )
        return self._tx.one(select(grants).where(grants.c.person == person, where))

    def _granted(self, names: Sequence[str]) -> Sequence[Row[Any]]:
        return self._tx.rows(
            select(grants.c.person, grants.c.role, databits.c.name.label("databit"))
            .join(databits, databits.c.id == grants.c.databit_id, isouter=True)
            .where(grants.c.person.in_(names))
            .order_by(grants.c.id)
        )


def refuse_lock_out(found: Grants, machine_user: str | None) -> None:
    """See `People.refuse_lock_out`."""
    roles = dict(found.workspace)
    if machine_user is not None:
        roles.setdefault(machine_user, ADMIN)
    if not any(role == ADMIN and name not in found.disabled for name, role in roles.items()):
        raise Conflict(
            "That would leave no admin, and nobody could ever put it right; nothing was changed. "
            "Grant somebody else the role admin first."
        )
