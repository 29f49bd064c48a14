from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Desk

pytestmark = pytest.mark.both_databases


def test_everybody_sees_the_rules_they_are_under(queued: "Desk") -> None:
    vera = queued.as_("vera", "viewer")
    assert vera("list_policies").in_force == []
    queued("set_policy", kind="separation", subject="support")
    queued("set_policy", kind="four_eyes")
    assert [(p.kind, p.subject) for p in vera("list_policies").in_force] == [
        ("four_eyes", "*"),
        ("separation", "support"),
    ]
