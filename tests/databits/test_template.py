from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databits.errors import Invalid
from databits.template import (
    Example,
    LabelSpec,
    TemplateBody,
    bump,
    default_body,
    diff,
    next_version,
    render,
)

REFUND = LabelSpec(name="Refund", guideline="Money back, not a lower bill.")
BUG = LabelSpec(name="Bug")


def body(**changes: Any) -> TemplateBody:
    plain = default_body("Route support tickets.", [REFUND, BUG]).model_dump()
    return TemplateBody.model_validate(plain | changes)


def schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT = schema(text={"type": "string"})
LABEL = schema(label={"type": "string"})


def test_the_default_body_is_valid_for_any_description_and_survives_the_store() -> None:
    for description in ("Route tickets.", "", "Braces {{{ and {{ text }}"):
        made = default_body(description, [REFUND, BUG])
        assert TemplateBody.model_validate(made.model_dump(mode="json")) == made
    assert made.output_schema["properties"]["label"]["enum"] == ["Refund", "Bug"]


def test_the_default_prompt_shows_the_labels_the_examples_and_the_text() -> None:
    prompt = render(body(), {"text": "Give me 5 back"}, [Example("It crashes", "Bug")])
    assert "- Refund: Money back, not a lower bill.\n- Bug\n" in prompt
    assert "Text: It crashes\nLabel: Bug" in prompt
    assert "<text>\nGive me 5 back\n</text>" in prompt
    assert "{{" not in prompt


@given(st.text())
def test_the_text_of_an_item_is_never_evaluated(text: str) -> None:
    hostile = text + r"{{ labels }} {{ secret }} {text} \1 \g<0> %s ${text}"
    made = body(prompt="A {{ text }} Z")
    assert render(made, {"text": hostile, "secret": "x"}) == f"A {hostile} Z"


def test_fields_are_shown_as_text_or_json_and_a_missing_one_is_named() -> None:
    inputs = schema(text={"type": "string"}, tags={"type": "array"}, note={"type": "string"})
    made = body(input_schema=inputs, prompt="{{ text }}|{{ tags }}|{{ note }}")
    assert render(made, {"text": "a", "tags": ["ü", 1], "note": None}) == 'a|["ü", 1]|'
    with pytest.raises(Invalid, match="note, tags"):
        render(made, {"text": "a"})


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "one label": ({"labels": [REFUND]}, "1 labels were given"),
    "too many labels": ({"labels": [{"name": str(i)} for i in range(201)]}, "201 labels"),
    "an empty label": ({"labels": [REFUND, {"name": "  "}]}, "Label 2 has 0"),
    "a long label": ({"labels": [REFUND, {"name": "x" * 81}]}, "Label 2 has 81"),
    "a label of two lines": ({"labels": [REFUND, {"name": "a\nb"}]}, "line break"),
    "labels alike but for capitals": ({"labels": [REFUND, {"name": "refund "}]}, "1 and 2"),
    "an example twice": ({"examples": [3, 3]}, "twice"),
    "no text in the prompt": ({"prompt": "{{ labels }}"}, r"never mentions \{\{ text \}\}"),
    "an unknown placeholder": (
        {"prompt": "{{ text }} {{ author }}"},
        r"mentions author.*\{\{ text \}\}, \{\{ labels \}\}, \{\{ examples \}\}",
    ),
    "a placeholder without spaces": ({"prompt": "{{text}}"}, "one space each"),
    "an expression": ({"prompt": "{{ text }} {{ text.upper() }}"}, "begins no placeholder"),
    "an input without text": ({"input_schema": LABEL}, "no property `text`"),
    "a schema of a string": ({"output_schema": {"type": "string"}}, "output schema is not"),
    "a schema without properties": ({"output_schema": schema()}, "output schema is not"),
    "a property that is no schema": (
        {"output_schema": {"type": "object", "properties": {"label": "string"}}},
        "A property of the output schema",
    ),
    "a required stranger": ({"input_schema": TEXT | {"required": ["id"]}}, "`required`"),
    "an enum of other labels": (
        {"output_schema": schema(label={"enum": ["Bug"]})},
        "differs from the labels",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_named(case: str) -> None:
    changes, says = BROKEN[case]
    with pytest.raises(Invalid, match=says):
        body(**changes)


def test_braces_of_json_may_stand_in_a_prompt() -> None:
    assert body(prompt='{{ text }} Answer {"a": {"b": 1}}').labels == [REFUND, BUG]


OPTIONAL = TEXT | {"properties": {**TEXT["properties"], "note": {"type": "string"}}}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "nothing": ({}, {}, None),
    "a label removed": (
        {"labels": [REFUND, BUG, LabelSpec(name="Login")], "output_schema": LABEL},
        {"output_schema": LABEL},
        "major",
    ),
    "a label renamed": (
        {"output_schema": LABEL},
        {"labels": [REFUND, LabelSpec(name="bug")], "output_schema": LABEL},
        "major",
    ),
    "an input newly required": ({}, {"input_schema": schema(text={}, id={})}, "major"),
    "an input removed": ({"input_schema": OPTIONAL}, {"input_schema": TEXT}, "major"),
    "a type changed": (
        {"input_schema": schema(text={"type": "string"}, n={"type": "number"})},
        {"input_schema": schema(text={"type": "string"}, n={"type": "integer"})},
        "major",
    ),
    "an output no longer promised": (
        {"output_schema": LABEL},
        {"output_schema": LABEL | {"required": []}},
        "major",
    ),
    "a keyword changed": (
        {"input_schema": TEXT},
        {"input_schema": TEXT | {"additionalProperties": False}},
        "major",
    ),
    "a label added": (
        {"output_schema": LABEL},
        {"labels": [REFUND, BUG, LabelSpec(name="Login")], "output_schema": LABEL},
        "minor",
    ),
    "an optional input added": ({"input_schema": TEXT}, {"input_schema": OPTIONAL}, "minor"),
    "an input no longer required": (
        {"input_schema": TEXT},
        {"input_schema": TEXT | {"required": []}},
        "minor",
    ),
    "the prompt in its words": ({}, {"prompt": "Other words. {{ text }}"}, "minor"),
    "a guideline in its words": (
        {},
        {"labels": [REFUND, LabelSpec(name="Bug", guideline="It breaks.")]},
        "minor",
    ),
    "an example added": ({}, {"examples": [7]}, "minor"),
    "the prompt in its case and marks": (
        {"prompt": "Choose a label: {{ text }}"},
        {"prompt": "choose a label.\n\n{{ text }}"},
        "patch",
    ),
    "a guideline in its marks": (
        {},
        {"labels": [LabelSpec(name="Refund", guideline="money back; not a lower bill"), BUG]},
        "patch",
    ),
    "a description in a schema": (
        {"input_schema": TEXT},
        {"input_schema": TEXT | {"description": "A ticket"}},
        "patch",
    ),
    "the order of examples": ({"examples": [1, 2]}, {"examples": [2, 1]}, "patch"),
    "the order of labels": (
        {"output_schema": LABEL},
        {"labels": [BUG, REFUND], "output_schema": LABEL},
        "patch",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_bump_follows_from_what_changed(case: str) -> None:
    before, after, expected = CHANGES[case]
    assert bump(body(**before), body(**after)) == expected


def test_a_property_called_description_is_not_an_annotation() -> None:
    with_it = schema(text={"type": "string"}, description={"type": "string"})
    assert bump(body(input_schema=with_it), body(input_schema=TEXT)) == "major"


def test_versions_count_as_semantic_versions_do() -> None:
    assert next_version("1.2.3", "major") == "2.0.0"
    assert next_version("1.2.3", "minor") == "1.3.0"
    assert next_version("1.2.3", "patch") == "1.2.4"
    assert next_version("1.2.3", None) == "1.2.3"


@pytest.mark.parametrize("version", ["1.2", "1.2.3.4", "v1.2.3", "1.02.3", "1.2.3\n", "१.2.3", ""])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(Invalid, match=r"1\.2\.3"):
        next_version(version, "minor")


def test_a_difference_is_told_part_by_part() -> None:
    login = LabelSpec(name="Login")
    old = body(prompt="One\nTwo {{ text }}", examples=[1, 2], output_schema=LABEL)
    new = body(
        prompt="One\nThree {{ text }}",
        labels=[login, REFUND.model_copy(update={"guideline": "All money back."})],
        examples=[2, 3],
        output_schema=schema(label={"type": "string"}, why={"type": "string"}),
    )
    found = diff(old, new)
    assert found.bump == "major"
    assert [(c.side, c.path, c.before, c.after) for c in found.schemas] == [
        ("output", "/properties/why/type", None, "string"),
        ("output", "/required", ["label"], ["label", "why"]),
    ]
    assert found.prompt == ["@@ -1,2 +1,2 @@", " One", "-Two {{ text }}", "+Three {{ text }}"]
    assert (found.labels_added, found.labels_removed) == (["Login"], ["Bug"])
    assert [(c.label, c.after) for c in found.labels_changed] == [("Refund", "All money back.")]
    assert (found.examples_added, found.examples_removed) == ([3], [1])
    assert not found.labels_reordered


def test_equal_bodies_differ_in_nothing() -> None:
    found = diff(body(), body())
    assert found.bump is None
    assert not any(found.model_dump().values())
