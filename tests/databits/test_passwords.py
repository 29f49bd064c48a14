"""Passwords: what is kept, and that saying no takes as long as saying yes."""

import statistics
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databits.errors import Invalid
from databits.passwords import LONGEST, hash_password, verify_password

RIGHT = "correct horse"


@settings(max_examples=5, deadline=None)
@given(st.text(min_size=10, max_size=256), st.text(max_size=300))
def test_the_very_password_and_no_other_opens(password: str, other: str) -> None:
    kept = hash_password(password)
    assert verify_password(password, kept)
    assert kept != hash_password(password), "a salt each"
    assert other == password or not verify_password(other, kept)


def test_a_longer_password_that_begins_alike_is_another() -> None:
    kept = hash_password("x" * LONGEST)
    assert not verify_password("x" * (LONGEST + 1), kept)


def test_composed_or_not_the_same_characters_are_the_same() -> None:
    assert verify_password("cafe\u0301 au lait", hash_password("caf\u00e9 au lait"))


def test_the_parameters_that_were_kept_are_used() -> None:
    weak = "scrypt$1024$8$1$AAAAAAAAAAAAAAAAAAAAAA==$"
    import base64
    import hashlib

    key = hashlib.scrypt(RIGHT.encode(), salt=bytes(16), n=1024, r=8, p=1, dklen=32)
    assert verify_password(RIGHT, weak + base64.b64encode(key).decode())


@pytest.mark.parametrize("wrong", ["", "123456789", "x" * 257])
def test_too_short_or_long(wrong: str) -> None:
    with pytest.raises(Invalid, match="10 to 256"):
        hash_password(wrong)


def test_a_name_nobody_has_takes_as_long_as_a_wrong_password() -> None:
    kept = hash_password(RIGHT)

    def seconds(known: str | None) -> float:
        began = time.thread_time()
        assert not verify_password("wrong password", known)
        return time.thread_time() - began

    pairs = [(seconds(kept), seconds(None)) for _ in range(5)]
    there, nobody = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert 0.5 < nobody / there < 2
    assert not verify_password("\0" * 32, None)
