"""From a body and a record to the prompt that a model reads."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from databits.errors import Invalid
from databits.template.body import PLACEHOLDER, TemplateBody, label_list


class Example(NamedTuple):
    """An approved item, as shown in the prompt."""

    text: str
    label: str


def render(
    body: TemplateBody, record_fields: Mapping[str, Any], examples: Sequence[Example] = ()
) -> str:
    """The prompt with every placeholder replaced, in one pass.

    Substitution and nothing else: what is put in is data, and is not searched for placeholders in
    its turn. `{{ labels }}` becomes a line a label, `{{ examples }}` the examples given, or
    nothing. The others are fields of the record: strings as they are, null as nothing, any other
    value as JSON.

    Raises:
        Invalid: the record lacks a field that the prompt mentions.
    """
    values = dict(record_fields)
    values["labels"] = label_list(body.labels)
    values["examples"] = "\n\n".join(f"Text: {text}\nLabel: {label}" for text, label in examples)
    missing = sorted(set(PLACEHOLDER.findall(body.prompt)) - values.keys())
    if missing:
        raise Invalid(f"The record lacks what the prompt mentions: {', '.join(missing)}.")

    def value(found: re.Match[str]) -> str:
        held = values[found[1]]
        if held is None:
            return ""
        return held if isinstance(held, str) else json.dumps(held, ensure_ascii=False)

    return PLACEHOLDER.sub(value, body.prompt)
