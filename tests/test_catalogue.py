"""Laws over all operations: what holds of one declaration holds of every surface."""

import json
from pathlib import Path

import pytest

import mcp_server.tools
from databits.model import Changed
from databits.operation import CATALOGUE, STAGES, Operation
from databits.types import DatabitName

mcp_server.tools.load()
every_operation = pytest.mark.parametrize("op", CATALOGUE.values(), ids=lambda op: op.name)
TOOLS = Path(mcp_server.tools.__file__).parent


@every_operation
def test_the_file_has_the_tools_name_and_the_folder_its_stage(op: Operation) -> None:
    assert op.stage in STAGES
    assert (TOOLS / op.stage / f"{op.name}.py").is_file()


@every_operation
def test_it_is_described_in_sentences(op: Operation) -> None:
    assert op.description.rstrip().endswith("."), "the docstring is the description"
    assert len(op.description) < 700
    undescribed = [n for n, s in op.input_schema["properties"].items() if "description" not in s]
    assert not undescribed, "every parameter says what it means"


@every_operation
def test_its_schemas_are_plain_objects(op: Operation) -> None:
    for schema in (op.input_schema, op.output_schema):
        assert schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf"} & schema.keys(), "no union at the root"
    assert op.input_schema["additionalProperties"] is False


@every_operation
def test_its_schema_costs_a_model_little(op: Operation) -> None:
    # cl100k_base takes 4.0 to 4.4 characters of these schemas a token: 1,000 are at most 250.
    visible = {"name": op.name, "description": op.description, "input_schema": op.input_schema}
    assert len(json.dumps(visible, separators=(",", ":"))) <= 1000


@every_operation
def test_a_write_says_what_to_undo_and_a_read_does_not(op: Operation) -> None:
    assert issubclass(op.output, Changed) == (op.effect != "read")


@every_operation
def test_a_person_would_ask_for_it_in_more_than_one_way(op: Operation) -> None:
    assert len(op.examples) >= 2
    assert all(len(example) < 120 for example in op.examples)


@every_operation
def test_it_has_a_test_file(op: Operation) -> None:
    assert (Path(__file__).parent / "tools" / op.stage / f"test_{op.name}.py").is_file()


@every_operation
def test_a_job_computes_outside_its_transaction(op: Operation) -> None:
    if op.job:
        assert "work" in op.needs
        assert "store" not in op.needs


def test_a_callers_word_means_one_thing() -> None:
    said = {
        op.input.model_fields["databit"].description
        for op in CATALOGUE.values()
        if "databit" in op.input.model_fields and op.input.model_fields["databit"].is_required()
    }
    assert said == {DatabitName.__metadata__[0].description}  # type: ignore[attr-defined]
