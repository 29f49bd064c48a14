"""Bearer tokens: kept as the sha256 of their secret, never as the secret."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select, update

from databits.actor import Role
from databits.errors import NotFound
from databits.model import Token
from databits.store.pages import oldest_first
from databits.store.shapes import now
from databits.store.tables import tokens
from databits.store.transaction import Transaction


class Tokens:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        name: str,
        sha256: str,
        person: str,
        role: Role,
        toolsets: Sequence[str] | None,
        created_by: str,
        expires_at: int,
    ) -> int:
        return self._tx.add(
            tokens,
            name=name,
            sha256=sha256,
            person=person,
            role=role,
            toolsets=list(toolsets) if toolsets is not None else None,
            created_by=created_by,
            created_at=now(),
            expires_at=expires_at,
        )

    def raw(self, token_id: int) -> Row[Any]:
        row = self._tx.get(tokens, token_id)
        if row is None:
            raise NotFound("There is no token of that id. list_tokens shows the tokens.")
        return row

    def get(self, token_id: int) -> Token:
        return _token(self.raw(token_id))

    def by_secret(self, sha256: str) -> Row[Any] | None:
        return self._tx.one(select(tokens).where(tokens.c.sha256 == sha256))

    def in_use(self, person: str, name: str) -> bool:
        """Whether a person has a token of that name that still works."""
        query = select(tokens.c.id).where(
            tokens.c.person == person,
            tokens.c.name == name,
            tokens.c.revoked_at.is_(None),
            tokens.c.expires_at > now(),
        )
        return self._tx.one(query) is not None

    def page(self, person: str | None, after: int, limit: int) -> list[tuple[int, Token]]:
        """(id, token) pairs in order of id; `person`: theirs only."""
        query = oldest_first(select(tokens).where(*_of(person)), tokens.c.id, after, limit)
        return [(row.id, _token(row)) for row in self._tx.rows(query)]

    def count(self, person: str | None) -> int:
        return self._tx.count(tokens, *_of(person))

    def revoke(self, token_id: int) -> None:
        self._tx.db.execute(update(tokens).where(tokens.c.id == token_id).values(revoked_at=now()))

    def revoke_all(self, person: str) -> None:
        """Revoke every token of a person that still works."""
        self._tx.db.execute(
            update(tokens)
            .where(tokens.c.person == person, tokens.c.revoked_at.is_(None))
            .values(revoked_at=now())
        )

    def used(self, token_id: int) -> None:
        self._tx.db.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=now()))


def _of(person: str | None) -> list[ColumnElement[bool]]:
    return [] if person is None else [tokens.c.person == person]


def _token(row: Row[Any]) -> Token:
    state = "expired" if row.expires_at <= now() else "works"
    return Token.model_validate(
        {**row._asdict(), "state": "revoked" if row.revoked_at is not None else state}
    )
