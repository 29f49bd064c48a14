import pytest

from agent.known import Known
from agent.mentions import find_ids, find_mentions, mask
from agent.phrases import new_labels, new_name, split_requests
from agent.ranking import ToolSpec
from agent.slots import Filling


@pytest.mark.parametrize(
    ("tool", "request_", "arguments"),
    [
        (
            "approve_labels",
            "approve items 3, 4 and 5 of support",
            {"databit": "support", "items": [3, 4, 5]},
        ),
        (
            "approve_labels",
            "approve items 3-7 in support",
            {"databit": "support", "items": [3, 4, 5, 6, 7]},
        ),
        ("reject_items", "reject 42", {"items": [42]}),
        ("get_item", "show item #9", {"item": 9}),
        (
            "correct_labels",
            "items 4 and 5 of support are refunds",
            {"databit": "support", "items": [4, 5], "label": "refund"},
        ),
        (
            "bulk_label",
            "approve everything above 0.9 in support",
            {"databit": "support", "verdict": "approve", "min_confidence": 0.9},
        ),
        (
            "bulk_label",
            "reject all of support that is more than 95 percent sure",
            {"databit": "support", "verdict": "reject", "min_confidence": 0.95},
        ),
        ("list_items", "items of support below 40%", {"databit": "support", "max_confidence": 0.4}),
        (
            "list_items",
            "show the items of support labelled login",
            {"databit": "support", "label": "login"},
        ),
        (
            "list_items",
            "rejected items of contracts",
            {"databit": "contracts", "state": "rejected"},
        ),
        ("claim_items", "claim a dozen items of support", {"databit": "support", "count": 12}),
        (
            "queue_items",
            "queue the records of tickets for support",
            {"databit": "support", "source": "tickets"},
        ),
        (
            "import_files",
            "import '/srv/my data/a b.csv' as inbox",
            {"path": "/srv/my data/a b.csv", "source": "inbox"},
        ),
        ("import_files", "load ./mails/*.txt.", {"path": "./mails/*.txt"}),
        ("import_files", "read ~/tickets", {"path": "~/tickets"}),
        (
            "create_databit",
            'create a databit called "Lab Results" with labels: normal; abnormal',
            {"name": "lab-results", "labels": ["normal", "abnormal"]},
        ),
        (
            "deploy_model",
            "deploy support@2 to support-bot",
            {"model": "support@2", "endpoint": "support-bot"},
        ),
        (
            "deploy_model",
            "deploy support@2 to a new endpoint called triage",
            {"model": "support@2", "endpoint": "triage"},
        ),
        ("deploy_model", "put support@2 into production", {"model": "support@2"}),
        (
            "query_endpoint",
            'ask support-bot "where is it?"',
            {"endpoint": "support-bot", "texts": ["where is it?"]},
        ),
        (
            "query_endpoint",
            "ask support-bot: my card was charged twice",
            {"endpoint": "support-bot", "texts": ["my card was charged twice"]},
        ),
        (
            "query_metrics",
            "metrics of fraud for the last 2 days",
            {"endpoint": "fraud", "hours": 48},
        ),
        ("trace_lineage", "lineage of the endpoint fraud", {"asset": "endpoint:fraud"}),
        ("trace_lineage", "where does item 12 come from", {"asset": "item:12"}),
        ("get_run", "how is job 12", {"run": 12}),
        ("undo_change", "undo change 4", {"change": 4}),
    ],
)
def test_arguments_are_read_from_words(
    tool: str, request_: str, arguments: dict[str, object], specs: list[ToolSpec], known: Known
) -> None:
    spec = next(spec for spec in specs if spec.name == tool)
    filling = Filling(request_, find_mentions(request_, known), known)
    filling.fill(spec.properties, spec.required)
    assert filling.arguments == arguments


def test_a_name_inside_another_word_is_no_mention(known: Known) -> None:
    assert find_mentions("supporting contracts-2024 and mails.zip", known)[0].kinds == ("path",)
    assert len(find_mentions("supporting contracts-2024 and mails.zip", known)) == 1


def test_names_and_paths_are_masked_and_labels_are_not(known: Known) -> None:
    text = "label ./a.csv of support as refund"
    assert mask(text, find_mentions(text, known)) == "label X of X as refund"


def test_a_range_of_thousands_is_not_written_out() -> None:
    assert find_ids("3-7") == [3, 4, 5, 6, 7]
    assert find_ids("1-100000") == [1]


def test_filler_words_are_no_names() -> None:
    assert new_name("create a databit with the labels a and b") is None
    assert new_name("make a databit triage for mails") == "triage"


def test_labels_keep_their_spelling() -> None:
    assert new_labels("with the labels Wrong size, Too late and OK") == [
        "Wrong size",
        "Too late",
        "OK",
    ]
    assert new_labels("with the label spam") is None


def test_a_message_is_split_outside_quotes() -> None:
    assert split_requests('ask fraud "wait; and then go" and then list models; list runs') == [
        'ask fraud "wait; and then go"',
        "list models",
        "list runs",
    ]
