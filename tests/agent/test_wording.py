from typing import Any

from agent.conversation import Result
from agent.wording import escape, listed, table, tell


def result(tool: str, data: dict[str, Any], *, ok: bool = True, text: str = "") -> Result:
    return Result(tool=tool, arguments={}, ok=ok, text=text, data=data)


def run(state: str, **more: Any) -> dict[str, Any]:
    empty = {"progress": 0.0, "message": "", "error": None, "result": None}
    return {"id": 4, "operation": "assemble_dataset", "state": state, **empty, **more}


def test_a_change_is_told_with_its_counts_and_how_to_take_it_back() -> None:
    told = tell(
        result("import_files", {"change_id": 7, "source": "tickets", "added": 20, "skipped": 1})
    )
    assert told == (
        "Imported files: source tickets, 20 added, 1 skipped.\n\n"
        "Say “undo that” to take it back (change 7)."
    )


def test_what_to_do_next_is_the_last_sentence() -> None:
    data = {"databit": "support", "next": "Review *its* items.", "stages": [{"name": "data"}]}
    told = tell(result("get_pipeline", data))
    assert told.startswith("Pipeline: databit support.\n\nStages:")
    assert told.endswith("\n\nNext: Review \\*its\\* items.")


def test_a_call_that_changed_nothing_says_so() -> None:
    assert "Nothing was changed" in tell(result("queue_items", {"change_id": 0, "queued": 0}))


def test_a_run_is_told_by_its_state() -> None:
    assert "is running, 40%: reading" in tell(
        result("x", run("running", progress=0.4, message="reading"))
    )
    assert "how is run 4" in tell(result("x", run("queued")))
    assert (
        tell(result("x", run("failed", error="No rows.")))
        == "Run 4 (assemble dataset) has failed. No rows."
    )
    done = tell(result("x", run("succeeded", result={"change_id": 2, "dataset": "a@1", "rows": 9})))
    assert done.startswith(
        "Run 4 (assemble dataset) is done. Assembled dataset: dataset a@1, 9 rows."
    )


def test_the_envelope_of_a_consequential_call_is_opened() -> None:
    outcome = {"plan": None, "result": {"change_id": 3, "decided": 40}, "run": None, "next": ""}
    assert "40 decided" in tell(result("bulk_label", outcome))
    waiting = {
        "plan": {"summary": "Deploy a@1."},
        "result": None,
        "run": None,
        "next": "A person approves it.",
    }
    assert tell(result("deploy_model", waiting)) == "Deploy a@1. A person approves it."


def test_a_page_is_a_table_that_says_how_to_go_on() -> None:
    page = {"rows": [{"id": 1, "text": "a | b\nc", "label": None}], "total": 30, "next": 1}
    told = tell(result("list_items", page))
    assert told.startswith("30 items, 1 of them here:")
    assert "| 1 | a \\| b c |" in told
    assert "show more" in told
    assert tell(result("list_items", {"rows": [], "total": 0, "next": None})) == "No items."


def test_foreign_text_can_not_become_markup() -> None:
    hostile = "<img src=x onerror=alert(1)> [x](javascript:1) ![y](http://e.x/a.png) $a$ **b** `c` www.e.x a@e.x"
    told = escape(hostile)
    assert "<" not in told
    assert "](" not in told.replace("\\](", "")
    assert "://" not in told
    assert "www." not in told
    assert "a@e.x" not in told
    assert escape("approve_labels of support@1") == "approve_labels of support@1"
    assert "<" not in table([{"<b>": "<i>"}])


def test_a_long_list_is_cut_and_counted() -> None:
    assert listed(list(range(20))).endswith("11 and 8 more")
    assert listed(["a", "b"]) == "a and b"
    assert listed([]) == "none"


def test_a_refusal_is_told_as_it_is() -> None:
    assert (
        tell(result("x", {}, ok=False, text="Not found: there is no item 9."))
        == "Not found: there is no item 9."
    )
