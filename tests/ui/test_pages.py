"""What the pages are made of: nothing of the data may become markup or script."""

import re
from datetime import UTC, datetime

import pytest

from databits.model import Plan
from databits.platforms.embedded import Embedded
from databits.store import Store
from databits.store.tables import endpoints
from mcp_server.tools.registry.trace_lineage import LineageEdge, LineageGraph
from tests.conftest import Desk
from ui.board import Board
from ui.lineage import draw, layout
from ui.markdown import fenced, harmless
from ui.monitor import Monitor
from ui.pages import FOLDER, render
from ui.person import Person
from ui.registry import Registry
from ui.review import Ask, Review
from ui.steps import steps_after
from ui.telling import plan_text

NASTY = "<img src=x onerror=alert(1)>${alert(2)}{{alert(3)}}"


def test_no_template_lets_data_into_script_or_markup() -> None:
    for path in FOLDER.iterdir():
        if path.suffix not in (".html", ".js"):
            continue
        text = path.read_text(encoding="utf-8")
        # Gradio evaluates its templates as JavaScript template literals, after it has put the
        # values in: what is safe HTML there can still be a script.
        assert "${" not in text, path.name
        assert "|safe" not in text.replace(" ", ""), path.name
        assert "Markup(" not in text, path.name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write", text), path.name


def test_the_markup_of_the_review_page_holds_no_values_at_all() -> None:
    text = (FOLDER / "review.html").read_text(encoding="utf-8")
    for sign in ("{{", "{%", "`", "\\"):  # it passes through both of Gradio's template engines
        assert sign not in text


def test_values_of_templates_are_escaped() -> None:
    shown = render("problem.html", text=NASTY)
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_the_pages_show_names_from_data_as_text(desk: Desk, workbench: Embedded) -> None:
    desk("create_databit", name="odd", labels=["<b>bold</b>", "plain"])
    page = Board(workbench).page("odd")
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_undo_from_the_list_says_what_came_of_it(labelled: Desk) -> None:
    registry = Registry(labelled.workbench)
    newest = labelled("list_changes").rows[0]
    assert newest.operation == "correct_labels"
    assert "was undone" in registry.undo(newest.id)
    assert "undone already" in registry.undo(newest.id)
    assert "undo_change was not run" in registry.undo("nonsense")


def test_lineage_puts_what_it_was_made_from_on_the_left() -> None:
    def edge(source: str, target: str, of: int = 1) -> LineageEdge:
        return LineageEdge(source=source, relation=f"to {target[:4]}", target=target, of=of)

    items = [edge("dataset:a@1", f"item:{n}", of=40) for n in range(5)]
    graph = LineageGraph(
        asset="dataset:a@1",
        up=[*items, edge("item:0", "record:9")],
        down=[edge("dataset:a@1", "model:a@1")],
    )
    picture = layout(graph)
    x = {box.asset: box.x for box in picture.boxes}
    assert x["record:9"] < x["item:0"] < x["dataset:a@1"] < x["model:a@1"]
    assert "35 more" in [box.name for box in picture.boxes]
    assert len(picture.lines) == 7


def test_a_round_trip_in_lineage_ends() -> None:
    loop = [
        LineageEdge(source=a, relation="r", target=b, of=1)
        for a, b in (("item:1", "feedback:1"), ("feedback:1", "request:1"), ("request:1", "item:1"))
    ]
    assert "item:1" in draw(LineageGraph(asset="item:1", up=loop, down=loop))


@pytest.mark.parametrize(
    ("said", "never"),
    [
        ("![x](http://evil/a.png)", "!["),
        ("[click](http://evil)", "[click]("),
        (r"\[click](http://evil)", "]("),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("see http://evil.example/x", "http://"),
        ("see www.evil.example", "www."),
        ("- ```\n[x](http://e)", "](h"),
        ("`a\n`[x](http://e)`", "](h"),
        ("[a]: http://evil", "[a]:"),
    ],
)
def test_an_answer_can_be_read_but_not_followed(said: str, never: str) -> None:
    shown = harmless(said)
    assert not re.search(rf"(?<!\\){re.escape(never)}", shown), shown


def test_what_is_harmless_stays_as_it_is() -> None:
    for said in ("**bold** and `code`", "| a | b |\n| --- | --- |\n| 1 | 2 |", "- one\n- two"):
        assert harmless(said) == said
    code = '```json\n{"a": ["http://x"]}\n```'
    assert harmless(code) == code
    assert harmless(r"100\_000 &#58;//") == r"100\_000 &#58;//"


def test_a_result_can_not_leave_its_block_of_code() -> None:
    shown = fenced("```\n</details><script>alert(1)</script>\n````")
    assert shown.startswith("`````text\n")
    assert shown.endswith("\n`````")


def test_a_plan_is_told_in_full_and_as_text() -> None:
    plan = Plan(
        id=1,
        operation="bulk_label",
        arguments={},
        summary=f"Approve 9 items {NASTY}",
        count=9,
        sample=["item 1: [x](http://evil)"],
        cost="none",
        irreversible="The run stays.",
        state="pending",
        asked_by="ana",
        digest="d",
        expires_at=datetime.now(UTC),
    )
    text = plan_text(plan.model_dump(mode="json"))
    assert "Concerns 9 in all" in text
    assert "Can not be undone: The run stays." in text
    assert "<img" not in text
    assert "[x](" not in text.replace("\\[", "")
    assert "<img" not in render("plan.html", plan=plan)


def test_what_does_not_show_is_spelled_out_on_every_page() -> None:
    shown = render("problem.html", text="\u202eevil\u202c pay\u200bpal <b>\x1b[2J")
    assert "\\u202eevil\\u202c pay\\u200bpal &lt;b&gt;\\u001b[2J" in shown


def test_what_came_after_the_two_hundredth_is_offered_too(desk: Desk, workbench: Embedded) -> None:
    names = [f"n{number}" for number in range(201)]

    def write(store: Store) -> None:
        store.tx.begin_change("create_databit", "ana", "test")
        store.tx.insert(endpoints, [{"name": n, "status": "live", "created_at": 0} for n in names])
        store.tx.end_change()

    workbench.database.write(write)
    for name in names:
        desk("create_databit", name=name, labels=["a", "b"])
    assert Board(workbench).names() == names
    assert Review(workbench).open_queue(Ask(databit="n200"))["databit"] == "n200"
    assert Registry(workbench).assets()[0] == "endpoint:n200"
    assert Monitor(workbench).look(None, "day")[0].value == "n200"  # type: ignore[attr-defined]
    step = steps_after(Person(workbench, "chat"), "deploy_model", {})[0]
    assert step.request.startswith("ask n200:")
