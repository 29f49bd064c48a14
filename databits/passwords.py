"""Passwords: scrypt with a salt each, kept with its parameters so that they can be raised later."""

import base64
import hashlib
import secrets
import threading
import unicodedata

from databits.errors import Invalid

SHORTEST, LONGEST = 10, 256
_N, _R, _P, _SALT, _KEY = 2**15, 8, 1, 16, 32
_MEMORY = 64 * 2**20  # OpenSSL's default of 32 MiB is a little less than these parameters take
# Each check takes 32 MiB: a flood of them must not take all there is.
_AT_ONCE = threading.BoundedSemaphore(4)


def hash_password(password: str) -> str:
    """`scrypt$n$r$p$salt$key`, the last two in base64.

    Raises:
        Invalid: when it is shorter than 10 or longer than 256 characters.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")
    salt = secrets.token_bytes(_SALT)
    key = _derive(password, salt, _N, _R, _P)
    return "$".join(["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(key)])


def verify_password(password: str, kept: str | None) -> bool:
    """Whether it is the password; without a hash (nobody of that name) it takes as long to say no."""
    _, n, r, p, salt, key = (kept or _NOBODY).split("$")
    found = _derive(password[:LONGEST], base64.b64decode(salt), int(n), int(r), int(p))
    same = secrets.compare_digest(found, base64.b64decode(key))
    return same and kept is not None and len(password) <= LONGEST


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # The same characters typed on another keyboard may come composed or not.
    said = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    with _AT_ONCE:
        return hashlib.scrypt(said, salt=salt, n=n, r=r, p=p, dklen=_KEY, maxmem=_MEMORY)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


_NOBODY = f"scrypt${_N}${_R}${_P}${_text(bytes(_SALT))}${_text(bytes(_KEY))}"
