"""Scores of one answer: a call, or None where the assistant asked back."""

from collections.abc import Mapping
from typing import Any

from mlflow.genai.scorers import scorer

from databits.operation import CATALOGUE


@scorer
def right_call(outputs: dict[str, Any], expectations: dict[str, Any]) -> bool:
    """The tool that was meant, with the arguments that were said; leaving a default out is no fault."""
    if outputs["tool"] != expectations["tool"]:
        return False
    return _whole(outputs) == _whole(expectations)


@scorer
def no_wrong_call(outputs: dict[str, Any], expectations: dict[str, Any]) -> bool:
    """Asking back is no fault; calling another tool is."""
    return outputs["tool"] in (None, expectations["tool"])


@scorer
def no_wrong_write(outputs: dict[str, Any], expectations: dict[str, Any]) -> bool:
    """Nothing that changes anything was called but what was meant."""
    if outputs["tool"] in (None, expectations["tool"]):
        return True
    return CATALOGUE[outputs["tool"]].effect == "read"


SCORERS = [right_call, no_wrong_call, no_wrong_write]


def _whole(call: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the operation's defaults filled in."""
    if call["tool"] is None:
        return {}
    properties = CATALOGUE[call["tool"]].input_schema["properties"]
    defaults = {name: part["default"] for name, part in properties.items() if "default" in part}
    return {**defaults, **(call["arguments"] or {})}
