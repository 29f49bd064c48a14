"""The digest is of the canonical JSON, whichever writer of JSON makes it."""

import hashlib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from databits.digest import canonical, digest

# Any character there is, control characters and halves of characters among them.
texts = st.text(st.characters(codec=None, exclude_categories=()))
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


@given(st.dictionaries(texts, plain | st.lists(plain, max_size=4) | values, max_size=5))
@example({"b": 1, "a": [1, '\x1f\x7f\u2028é/\\"', None, True], "ab": 10**30})
@example({"half": "\ud800"})
@example({"real": 1e16, "whole": 1.0})
def test_it_is_of_the_canonical_json(value: dict[str, Any]) -> None:
    said = canonical(value).encode("utf-8", "surrogatepass")
    assert digest(value) == hashlib.sha256(said).hexdigest()
