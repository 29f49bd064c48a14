from typing import TYPE_CHECKING, Any

import pytest

from databits.errors import Conflict, Invalid, NotAllowed
from databits.store.tables import databits

if TYPE_CHECKING:
    from tests.conftest import Desk


def test_the_first_version_is_a_draft_with_the_labels(desk: "Desk") -> None:
    made = desk("create_databit", name="support", labels=["yes", "no"], guidelines={"no": "else"})
    assert (made.version, made.labels) == ("1.0.0", ["yes", "no"])
    detail = desk("get_databit", databit="support")
    assert detail.status == "draft"
    assert [label.guideline for label in detail.body.labels] == ["", "else"]


def test_a_name_is_put_in_lower_case(desk: "Desk") -> None:
    assert desk("create_databit", name=" Support ", labels=["yes", "no"]).name == "support"


def test_a_name_that_is_taken_is_refused(desk: "Desk") -> None:
    desk("create_databit", name="support", labels=["yes", "no"])
    before = desk.state()
    with pytest.raises(Conflict, match="support"):
        desk("create_databit", name="support", labels=["a", "b"])
    assert desk.state() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": ["only"]},
        {"labels": ["Yes", "yes"]},
        {"labels": ["a", ""]},
        {"labels": ["a", "b"], "prompt": "never mentions it"},
        {"labels": ["a", "b"], "prompt": "{{ text }} {{ secret }}"},
        {"labels": ["a", "b"], "name": "no spaces allowed"},
        {"labels": "a, b"},
    ],
)
def test_a_body_that_could_not_work_is_refused(desk: "Desk", wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        desk("create_databit", **{"name": "support", **wrong})
    assert desk.rows(databits) == []
    assert desk.outcomes("create_databit") == ["failed"]


def test_undo_frees_the_name_and_no_id_comes_back(desk: "Desk") -> None:
    before = desk.state()
    made = desk("create_databit", name="support", labels=["yes", "no"])
    used = desk.rows(databits)[0]["id"]
    desk("undo_change", change=made.change_id)
    assert desk.state() == before
    desk("create_databit", name="support", labels=["yes", "no"])
    assert desk.rows(databits)[0]["id"] > used


def test_it_takes_a_reviewer(desk: "Desk") -> None:
    with pytest.raises(NotAllowed, match="reviewer"):
        desk.as_("lena", "labeler")("create_databit", name="support", labels=["a", "b"])
    assert desk.rows(databits) == []
