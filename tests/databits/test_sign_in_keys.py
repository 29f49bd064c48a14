"""The keys of a sign-in server: found, renewed, replaced, and what counts while it can not be asked."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from databits.errors import Invalid, Unavailable
from databits.oauth.keys import KEEP_S, RENEW_S, RETRY_S, Keys, discover, fetch, keys_in, keys_of
from databits.oauth.tokens import TokenRefused, Tokens, tokens_of
from databits.settings import Settings
from tests.sign_in_server import SigningKey, SignInServer

VIEWER = "databits:viewer"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running() -> Iterator[SignInServer]:
    with SignInServer() as server:
        yield server


@pytest.fixture
def theirs(running: SignInServer) -> SignInServer:
    running.keys, running.answers = [SigningKey.new("first")], True
    running.asked.clear()
    return running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(theirs: SignInServer, clock: Clock) -> Tokens:
    found = tokens_of(Settings(oauth_issuer=theirs.url))
    assert found is not None
    return Tokens(found.trust, Keys(keys_of(found.trust)._read, clock))


def test_a_new_key_is_found_by_the_first_token_that_was_signed_with_it(
    tokens: Tokens, theirs: SignInServer, clock: Clock
) -> None:
    old = theirs.token(VIEWER)
    tokens.check(old)
    theirs.rotate()
    clock.now += RETRY_S
    tokens.check(theirs.token(VIEWER))
    tokens.check(theirs.token(VIEWER, key=theirs.keys[0]))
    assert theirs.keys_asked() == 2


def test_made_up_keys_have_the_server_asked_no_more_than_every_few_seconds(
    tokens: Tokens, theirs: SignInServer, clock: Clock
) -> None:
    tokens.check(theirs.token(VIEWER))
    for _ in range(20):
        with pytest.raises(TokenRefused):
            tokens.check(theirs.token(VIEWER, key=SigningKey.new("made-up")))
    assert theirs.keys_asked() == 1
    clock.now += RETRY_S
    for _ in range(20):
        with pytest.raises(TokenRefused):
            tokens.check(theirs.token(VIEWER, key=SigningKey.new("made-up")))
    assert theirs.keys_asked() == 2


def test_many_at_once_ask_once(tokens: Tokens, theirs: SignInServer) -> None:
    secrets = [theirs.token(VIEWER) for _ in range(12)]
    came: list[Any] = []
    threads = [threading.Thread(target=lambda s=s: came.append(tokens.check(s))) for s in secrets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(came) == 12
    assert theirs.keys_asked() == 1


def test_an_outage_locks_nobody_out_whose_key_is_known(
    tokens: Tokens, theirs: SignInServer, clock: Clock
) -> None:
    known = theirs.token(VIEWER)
    tokens.check(known)
    theirs.answers = False
    for later in (0.0, RETRY_S, RENEW_S, KEEP_S - RENEW_S - RETRY_S):
        clock.now += later
        tokens.check(known)
        tokens.check(theirs.token(VIEWER)), "one that was not looked at before, of the same key"


def test_an_outage_lets_nobody_in(tokens: Tokens, theirs: SignInServer, clock: Clock) -> None:
    theirs.answers = False
    with pytest.raises(Unavailable, match="can not be asked"):
        tokens.check(theirs.token(VIEWER))
    theirs.answers = True
    with pytest.raises(Unavailable):
        tokens.check(theirs.token(VIEWER))  # it was asked a moment ago
    clock.now += RETRY_S
    tokens.check(theirs.token(VIEWER))
    theirs.answers = False
    clock.now += RETRY_S
    with pytest.raises(Unavailable):
        tokens.check(theirs.token(VIEWER, key=SigningKey.new("new-or-made-up")))
    with pytest.raises(TokenRefused, match="not signed"):
        tokens.check(theirs.token(VIEWER, key=SigningKey.new("first")))
    with pytest.raises(TokenRefused, match="another server"):
        tokens.check(theirs.token(VIEWER, aud="https://other.example"))


def test_after_a_day_of_outage_old_keys_count_no_more(
    tokens: Tokens, theirs: SignInServer, clock: Clock
) -> None:
    known = theirs.token(VIEWER)
    tokens.check(known)
    theirs.answers = False
    clock.now += KEEP_S + 1
    for secret in (known, theirs.token(VIEWER)):
        with pytest.raises(Unavailable):
            tokens.check(secret)


def test_a_key_that_was_withdrawn_ends_what_it_has_signed(
    tokens: Tokens, theirs: SignInServer, clock: Clock
) -> None:
    known, old = theirs.token(VIEWER), theirs.keys[0]
    tokens.check(known)
    theirs.rotate(keep=False)
    assert tokens.at_hand(known) is not None
    clock.now += RENEW_S
    tokens.check(theirs.token(VIEWER))
    assert tokens.at_hand(known) is None
    for secret in (known, theirs.token(VIEWER, key=old)):
        with pytest.raises(TokenRefused):
            tokens.check(secret)


def test_another_key_under_the_id_of_a_withdrawn_one_does_not_inherit_what_that_signed(
    tokens: Tokens, theirs: SignInServer, clock: Clock
) -> None:
    known = theirs.token(VIEWER)
    tokens.check(known)
    theirs.keys = [SigningKey.new("first")]
    clock.now += RENEW_S
    with pytest.raises(TokenRefused):
        tokens.check(theirs.token(VIEWER, key=SigningKey.new("first")))
    assert tokens.at_hand(known) is None
    tokens.check(theirs.token(VIEWER))


def test_what_is_known_of_a_token_ends_with_the_token(
    tokens: Tokens, theirs: SignInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = theirs.token(VIEWER)
    tokens.check(secret)
    later = time.time() + 331
    monkeypatch.setattr("databits.oauth.tokens.time.time", lambda: later)
    assert tokens.at_hand(secret) is None
    monkeypatch.undo()
    kept = time.monotonic() + 301
    monkeypatch.setattr("databits.oauth.tokens.time.monotonic", lambda: kept)
    assert tokens.at_hand(secret) is None


def test_only_public_halves_of_asymmetric_keys_for_signatures_count() -> None:
    rsa, ec = SigningKey.new("rsa", "RS256").jwk, SigningKey.new("ec").jwk
    shared = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0", "alg": "HS256"}
    unusable: list[Any] = [
        shared,
        {**rsa, "use": "enc"},
        {**rsa, "alg": "RSA-OAEP"},
        {**rsa, "alg": "HS256"},
        {**ec, "crv": "secp256k1", "alg": "ES256K"},
        {**ec, "x": "!"},
        {name: value for name, value in rsa.items() if name != "kid"},
        {**rsa, "n": None},
        "no key",
    ]
    found = keys_in({"keys": [*unusable, rsa, {**rsa, "kid": "any", "alg": None}, ec]})
    assert [(key.kid, key.algorithms) for key in found] == [
        ("rsa", ("RS256",)),
        ("any", ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("ec", ("ES256",)),
    ]
    for nothing in ({"keys": unusable}, {"keys": {}}, {}, [], None, "keys"):
        with pytest.raises(ValueError, match="no key set"):
            keys_in(nothing)


def test_a_short_key_signs_nothing(tokens: Tokens, theirs: SignInServer, clock: Clock) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = SigningKey("short", rsa.generate_private_key(65537, 1024), "RS256")
    theirs.keys = [short]
    with pytest.warns(Warning, match="below the minimum"), pytest.raises(TokenRefused):
        tokens.check(theirs.token(VIEWER))


def test_a_description_of_another_issuer_or_with_keys_elsewhere_is_not_followed(
    theirs: SignInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert discover(theirs.url) == f"{theirs.url}/keys"
    with pytest.raises((OSError, ValueError)):
        discover(f"{theirs.url}/realms/other")
    said = {"issuer": "https://id.example", "jwks_uri": ""}
    monkeypatch.setattr("databits.oauth.keys.fetch", lambda url: said)
    for where in ("http://127.0.0.1:9/keys", "http://id.example/keys", "file:///etc/passwd", ""):
        said["jwks_uri"] = where
        with pytest.raises(Invalid):
            discover("https://id.example")
    said["jwks_uri"] = "https://keys.example/set"
    assert discover("https://id.example") == "https://keys.example/set"
    with pytest.raises(ValueError, match="no description"):
        discover("https://id.example/")


def test_no_redirection_is_followed_and_no_long_answer_read(
    theirs: SignInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fetch(f"{theirs.url}/keys")["keys"][0]["kid"] == "first"
    with pytest.raises(OSError, match="307"):
        fetch(f"{theirs.url}/moved")
    monkeypatch.setattr("databits.oauth.keys.LARGEST", 20)
    with pytest.raises(ValueError, match="too long"):
        fetch(f"{theirs.url}/keys")
