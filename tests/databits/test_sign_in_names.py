"""What people of a sign-in server are called: no two alike, and nobody like a local account."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from databits.oauth.names import TYPED, person_name
from databits.types import PERSON

NAMES = st.text(min_size=1, max_size=200) | st.from_regex(PERSON, fullmatch=True)
CLAIMS = st.sampled_from(["sub", "oid", *sorted(TYPED)])


@given(claim=CLAIMS, said=NAMES, prefix=st.sampled_from(["sso+", "", "x."]))
@example("sub", "K", "")  # the Kelvin sign, which is a small k in small letters
@example("preferred_username", "\u212aim", "sso+")
@example("sub", "\ud800", "sso+")
def test_every_name_is_one_that_a_person_can_have(claim: str, said: str, prefix: str) -> None:
    name = person_name(claim, said, prefix)
    assert re.fullmatch(PERSON, name)
    assert name.startswith(prefix)
    assert name == name.lower()


@given(claim=CLAIMS, one=NAMES, other=NAMES)
@example("sub", "Lena", "lena")
@example("preferred_username", "\u212aim", "kim")
@example("sub", "a b", "a-b")
@example("sub", "lena\n", "lena")
def test_two_people_never_get_one_name(claim: str, one: str, other: str) -> None:
    same = _as_the_server_compares(claim, one) == _as_the_server_compares(claim, other)
    for prefix in ("sso+", ""):
        assert (person_name(claim, one, prefix) == person_name(claim, other, prefix)) == same


@given(claim=CLAIMS, said=NAMES)
def test_nobody_takes_the_name_that_a_hash_gave_to_somebody_else(claim: str, said: str) -> None:
    for prefix in ("sso+", ""):
        theirs = person_name(claim, said, prefix)
        plain = theirs.removeprefix(prefix)
        if plain != _as_the_server_compares(claim, said):
            assert person_name(claim, plain, prefix) != theirs


def test_plain_names_stay_readable() -> None:
    assert person_name("preferred_username", "Lena", "sso+") == "sso+lena"
    assert person_name("email", "Lena.B@Bits.example", "sso+") == "sso+lena.b@bits.example"
    assert person_name("sub", "00u1a2b3", "sso+") == "sso+00u1a2b3"
    assert re.fullmatch(r"sso\+auth0-64ab\+[0-9a-f]{16}", person_name("sub", "auth0|64Ab", "sso+"))


def _as_the_server_compares(claim: str, said: str) -> str:
    if claim not in TYPED:
        return said
    return "".join(c.lower() if c.isascii() else c for c in said)
