"""What somebody whom the sign-in server names is called here.

Two people of that server never get one name, and nobody gets the name of a local account: what it
says stands behind a prefix that local names do not have, unless the settings choose otherwise.
"""

import hashlib
import re

from databits.types import PERSON

TYPED = frozenset({"email", "preferred_username", "upn", "unique_name", "username"})
"""Claims that people type, and that no server tells apart by capitals."""
_PERSON = re.compile(PERSON)
_HASHED = re.compile(r"\+[0-9a-f]{16}$")
_UNUSUAL = re.compile(r"[^a-z0-9._@-]+")


def person_name(claim: str, said: str, prefix: str) -> str:
    """A name as `databits person add` takes it.

    What has capitals that count, or characters that names do not have, gets a hash behind it, so
    that it stays another's than what merely looks like it.
    """
    plain = "".join(c.lower() if c.isascii() else c for c in said) if claim in TYPED else said
    name = f"{prefix}{plain}"
    if _PERSON.fullmatch(name) and not _HASHED.search(name):
        return name
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    looks = _UNUSUAL.sub("-", plain.lower()).strip("-._@")[:60] or "x"
    return f"{prefix}{looks}+{digest}"
