from typing import TYPE_CHECKING

import pytest

from databits.errors import NotAllowed

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_an_untouched_log_is_intact(queued: "Desk") -> None:
    found = queued("verify_audit")
    assert (found.intact, found.events, found.first_broken) == (True, 3, None)


def test_the_first_event_that_was_tampered_with_is_named(queued: "Desk") -> None:
    queued.tamper("UPDATE audit SET actor = 'somebody' WHERE id = 2")
    found = queued("verify_audit")
    assert (found.intact, found.events, found.first_broken) == (False, 1, 2)


def test_an_empty_log_is_intact(desk: "Desk") -> None:
    assert desk("verify_audit").intact


def test_it_takes_a_reviewer(queued: "Desk") -> None:
    with pytest.raises(NotAllowed, match="reviewer"):
        queued.as_("lena", "labeler")("verify_audit")
