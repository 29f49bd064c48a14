from typing import TYPE_CHECKING

import pytest

from databits.errors import NotFound

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_it_shows_the_body_and_how_far_the_labels_are(labelled: "Desk") -> None:
    found = labelled.as_("vera", "viewer")("get_databit", databit="support")
    assert (found.version, found.versions) == ("1.0.0", ["1.0.0"])
    assert (found.items, found.approved) == (18, 18)
    assert [label.name for label in found.body.labels] == ["billing", "login", "shipping"]
    assert "{{ text }}" in found.body.prompt


def test_an_unknown_name_is_answered_with_the_databits(queued: "Desk") -> None:
    with pytest.raises(NotFound, match="Databits: support"):
        queued("get_databit", databit="suport")


def test_an_unknown_version_is_answered_with_the_versions(queued: "Desk") -> None:
    with pytest.raises(NotFound, match=r"Versions: 1\.0\.0"):
        queued("get_databit", databit="support", version="2.0.0")
