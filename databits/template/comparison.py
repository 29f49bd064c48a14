"""What changed between two bodies, and what that does to the version number."""

import difflib
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from databits.errors import Invalid
from databits.template.body import Schema, TemplateBody

Bump = Literal["major", "minor", "patch"]
Side = Literal["input", "output"]

_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
# Keywords of JSON Schema that describe and do not constrain, and those whose keys are names.
_ANNOTATIONS = frozenset({"title", "description", "examples", "default", "deprecated", "$comment"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})


class SchemaChange(BaseModel):
    """One place in a schema; `before` or `after` is None where it was added or removed."""

    side: Side
    path: str = Field(description="JSON Pointer, such as /properties/text/type")
    before: Any = None
    after: Any = None


class GuidelineChange(BaseModel):
    label: str
    before: str
    after: str


class TemplateDiff(BaseModel):
    """What differs between two bodies, part by part; empty parts are alike."""

    bump: Bump | None
    schemas: list[SchemaChange]
    prompt: list[str] = Field(description="Lines of a unified diff, without file names")
    labels_added: list[str]
    labels_removed: list[str]
    labels_changed: list[GuidelineChange]
    labels_reordered: bool
    examples_added: list[int]
    examples_removed: list[int]


class _Contract(NamedTuple):
    """What a schema demands, without what it merely describes."""

    properties: dict[str, Any]
    required: frozenset[str]
    rest: dict[str, Any]


def bump(old: TemplateBody, new: TemplateBody) -> Bump | None:
    """How the version number must change from one body to the next; None if they are equal.

    major: a caller or a stored label may break. A label removed or renamed (capitals count); a
        property removed or changed, newly required of the input, or no longer promised in the
        output; another keyword of a schema changed.
    minor: answers may change. The words of the prompt or of a guideline; a label or an optional
        property added; an example added or removed.
    patch: wording only. White space, case, punctuation; the order of labels and examples;
        titles and descriptions in a schema.
    """
    if old == new:
        return None
    before = {label.name: label.guideline for label in old.labels}
    after = {label.name: label.guideline for label in new.labels}
    inputs = _contract(old.input_schema, "input"), _contract(new.input_schema, "input")
    outputs = _contract(old.output_schema, "output"), _contract(new.output_schema, "output")
    if before.keys() - after.keys() or _breaks(*inputs, "input") or _breaks(*outputs, "output"):
        return "major"
    wording = [(old.prompt, new.prompt), *((before[name], after[name]) for name in before)]
    if (
        after.keys() != before.keys()
        or inputs[0] != inputs[1]
        or outputs[0] != outputs[1]
        or set(old.examples) != set(new.examples)
        or any(_words(was) != _words(now) for was, now in wording)
    ):
        return "minor"
    return "patch"


def next_version(version: str, change: Bump | None) -> str:
    """`1.2.3` after a change: `2.0.0`, `1.3.0` or `1.2.4`; itself for None.

    Raises:
        Invalid: the version is not three numbers with dots between them.
    """
    found = _SEMVER.fullmatch(version)
    if found is None:
        raise Invalid("A version is three numbers with dots between them, such as 1.2.3.")
    major, minor, patch = map(int, found.groups())
    if change == "major":
        return f"{major + 1}.0.0"
    if change == "minor":
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + (change == 'patch')}"


def diff(old: TemplateBody, new: TemplateBody) -> TemplateDiff:
    """What to show a person who decides between two bodies."""
    before = {label.name: label.guideline for label in old.labels}
    after = {label.name: label.guideline for label in new.labels}
    common = [name for name in before if name in after]
    lines = difflib.unified_diff(old.prompt.splitlines(), new.prompt.splitlines(), lineterm="")
    return TemplateDiff(
        bump=bump(old, new),
        schemas=[
            *_schema_changes("input", old.input_schema, new.input_schema),
            *_schema_changes("output", old.output_schema, new.output_schema),
        ],
        prompt=list(lines)[2:],
        labels_added=[name for name in after if name not in before],
        labels_removed=[name for name in before if name not in after],
        labels_changed=[
            GuidelineChange(label=name, before=before[name], after=after[name])
            for name in common
            if before[name] != after[name]
        ],
        labels_reordered=common != [name for name in after if name in before],
        examples_added=[item for item in new.examples if item not in old.examples],
        examples_removed=[item for item in old.examples if item not in new.examples],
    )


def _contract(schema: Schema, side: Side) -> _Contract:
    bare = _constraints(schema)
    properties = bare.pop("properties")
    if side == "output" and "label" in properties:
        properties["label"].pop("enum", None)  # the labels themselves are compared instead
    return _Contract(properties, frozenset(bare.pop("required", ())), bare)


def _constraints(schema: Any) -> Any:
    """A copy of a schema without its annotations, at every depth."""
    if isinstance(schema, list):
        return [_constraints(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for keyword, value in schema.items():
        if keyword in _NAMED and isinstance(value, dict):
            kept[keyword] = {name: _constraints(part) for name, part in value.items()}
        elif keyword in ("enum", "const"):
            kept[keyword] = value
        elif keyword not in _ANNOTATIONS:
            kept[keyword] = _constraints(value)
    return kept


def _breaks(was: _Contract, now: _Contract, side: Side) -> bool:
    """Whether something made for the old schema may fail with the new one."""
    if was.rest != now.rest:
        return True
    if any(now.properties.get(name) != part for name, part in was.properties.items()):
        return True
    if side == "input":
        return bool(now.required - was.required)
    return bool(was.required - now.required)


def _words(text: str) -> list[str]:
    """The words of a text, without case, white space and punctuation (Unicode class P)."""
    bare = "".join(" " if unicodedata.category(mark)[0] == "P" else mark for mark in text)
    return bare.casefold().split()


def _schema_changes(side: Side, old: Schema, new: Schema) -> Iterator[SchemaChange]:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was != now:
            yield SchemaChange(side=side, path=path, before=was, after=now)


def _leaves(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(JSON Pointer, value) of everything that is not an object with something in it."""
    if not isinstance(schema, dict) or not schema:
        yield path, schema
        return
    for name, value in schema.items():
        escaped = name.replace("~", "~0").replace("/", "~1")
        yield from _leaves(value, f"{path}/{escaped}")
