from evals.cases import cases, world
from evals.run import by_planner
from evals.scorers import no_wrong_call, no_wrong_write, right_call

MEANT = {"tool": "query_drift", "arguments": {"endpoint": "support-bot"}}


def scores(outputs: dict) -> tuple[bool, bool, bool]:
    return tuple(
        s(outputs=outputs, expectations=MEANT) for s in (right_call, no_wrong_call, no_wrong_write)
    )


def test_a_default_that_is_said_is_as_right_as_one_left_out() -> None:
    said = {"tool": "query_drift", "arguments": {"endpoint": "support-bot", "window": 200}}
    assert scores(said) == (True, True, True)
    other = {"tool": "query_drift", "arguments": {"endpoint": "fraud"}}
    assert scores(other) == (False, True, True)


def test_asking_back_is_no_fault_but_not_right_either() -> None:
    assert scores({"tool": None, "arguments": {}}) == (False, True, True)


def test_a_wrong_write_is_worse_than_a_wrong_read() -> None:
    assert scores({"tool": "query_metrics", "arguments": {}}) == (False, False, True)
    assert scores({"tool": "deploy_model", "arguments": {}}) == (False, False, False)


def test_every_case_names_a_tool_and_things_that_exist_in_its_world() -> None:
    from databits.operation import CATALOGUE

    known = world()
    for case in cases():
        assert case.tool is None or case.tool in CATALOGUE
        databit = case.arguments.get("databit")
        assert databit is None or databit in known.of("databit")


def test_the_planner_is_measured_as_it_answers_in_the_chat() -> None:
    choose = by_planner()
    assert choose("is support-bot drifting?") == MEANT
    assert choose("what is the weather in Paris") == {"tool": None, "arguments": {}}
