"""An operation: one function that every surface of the workbench offers.

Parameters before the `*` are what the workbench hands in, by name (store, actor, embedder, …): the
signature is the list of what an operation may touch. Those after it are what the caller says; they
make the input schema. The return model is the output schema, the docstring the description.

Two of the names decide how it runs:
- `store`: the whole call is one transaction.
- `work`: the operation reads, computes for as long as it must, and ends in `work.commit(...)`,
  one transaction in which the change, its audit row and the end of the run are written together.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from databits.actor import Actor, Role
from databits.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from databits.store.shapes import Foreseen

Effect = Literal["read", "write", "consequential"]
F = TypeVar("F", bound=Callable[..., BaseModel])

CATALOGUE: dict[str, "Operation"] = {}
_NAME = re.compile("[A-Za-z0-9_.-]{1,40}")
_DEEPEST = 100  # levels; the schemas of tools that are known have a tenth of that
_TOO_DEEP = f"It nests deeper than {_DEEPEST} levels."
_PLAIN = (str, int, float)
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
STAGES = ("data", "template", "curate", "train", "deploy", "monitor", "improve", "registry")


class Preview(BaseModel):
    """What a consequential operation would do; it is what a person approves."""

    summary: str
    """One sentence a domain expert understands."""
    count: int = 1
    """How many things change."""
    sample: list[str] = []
    """Up to five of them."""
    cost: str = "none"
    irreversible: str = ""
    """What `undo_change` can not bring back; empty when everything can."""
    basis: dict[str, Any] = {}
    """The state that the preview rests on. When it moves, the plan is stale."""


@dataclass(frozen=True)
class Operation:
    """One entry of the catalogue; everything a surface needs is derived from it."""

    fn: Callable[..., BaseModel]
    role: Role
    effect: Effect
    job: bool = False
    people_only: bool = False
    preview: Callable[..., Preview] | None = None
    examples: Sequence[str] = field(default=())
    """Requests in a person's words, with X for a name; the built-in planner learns from them."""
    foresees: "Callable[[Actor, Any], Foreseen] | None" = None
    """What a call by this actor with these arguments will look at; see `databits.store.ahead`."""
    quick_with: frozenset[str] = frozenset()
    """Arguments with which, and no others, a call looks up a page by an index, however much there is."""

    @property
    def name(self) -> str:
        return self.fn.__name__

    @property
    def stage(self) -> str:
        return self.fn.__module__.split(".")[-2]

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @cached_property
    def description(self) -> str:
        return inspect.cleandoc(self.fn.__doc__ or "")

    def is_quick(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a call takes less than handing it to a thread, where the database is at hand."""
        return bool(self.quick_with) and arguments.keys() <= self.quick_with

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Names of what the workbench hands in."""
        return _needs(self.fn)

    @cached_property
    def preview_needs(self) -> tuple[str, ...]:
        return _needs(self.preview) if self.preview else ()

    @cached_property
    def input(self) -> type[BaseModel]:
        fields: dict[str, Any] = {
            p.name: (p.annotation, ... if p.default is p.empty else p.default)
            for p in inspect.signature(self.fn).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
        return create_model(self.name, __config__=ConfigDict(extra="forbid"), **fields)

    def parse(self, arguments: Mapping[str, Any]) -> BaseModel:
        """The arguments as the operation takes them.

        Raises:
            Invalid: saying in plain words what is wrong, and what it takes.
        """
        try:
            asked = self.input.model_validate(dict(arguments))
        except ValidationError as error:
            raise Invalid(_in_plain_words(self, error)) from None
        if why := _why_unstorable(asked):
            raise Invalid(f"{self.name} was not run. {why}")
        return asked

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, without the titles, which tell a model nothing."""
        schema: dict[str, Any] = _lean(self.input.model_json_schema())
        said = schema.get("properties", {})
        return {**schema, "properties": {name: _sayable(part) for name, part in said.items()}}

    @cached_property
    def output(self) -> type[BaseModel]:
        # Only what callers see is resolved: resources may be named by a string, so that a
        # signature can say what it touches without importing it.
        return inspect.signature(self.fn).return_annotation  # type: ignore[no-any-return]

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the result as `BaseModel.model_dump(mode="json")` gives it."""
        return schema_of(self.output)


def operation(
    *,
    role: Role,
    effect: Effect,
    job: bool = False,
    people_only: bool = False,
    preview: Callable[..., Preview] | None = None,
    examples: Sequence[str] = (),
    foresees: "Callable[[Actor, Any], Foreseen] | None" = None,
    quick_with: Collection[str] = (),
) -> Callable[[F], F]:
    """Enter a function in the catalogue; the function itself stays as it was."""
    if (effect == "consequential") != (preview is not None):
        raise TypeError("a consequential operation has a preview, and only such a one has")

    def declare(fn: F) -> F:
        CATALOGUE[fn.__name__] = Operation(
            fn,
            role,
            effect,
            job,
            people_only,
            preview,
            tuple(examples),
            foresees,
            frozenset(quick_with),
        )
        return fn

    return declare


def load_catalogue() -> None:
    """Load every installed set of operations: ours, and those of other packages."""
    for entry in entry_points(group="databits.tools"):
        entry.load()()
    foreign = [op.fn.__module__ for op in CATALOGUE.values() if op.stage not in STAGES]
    if not CATALOGUE or foreign:
        raise Unavailable(
            "The operations could not be loaded. If the current folder has a folder named "
            "`mcp_server` or `databits`, it hides the installed one: run `databits` from elsewhere."
        )


def find(name: str) -> Operation:
    """The operation of that name.

    Raises:
        NotFound: with the names most like it.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        near = difflib.get_close_matches(name, CATALOGUE, n=3, cutoff=0.5) or sorted(CATALOGUE)
        raise NotFound(f"There is no operation of that name. Near: {', '.join(near)}.") from None


def schema_of(
    model: type[BaseModel], mode: Literal["serialization", "validation"] = "serialization"
) -> dict[str, Any]:
    """JSON Schema of what `model_dump(mode="json")` gives, or of what is taken, without titles."""
    return _lean(TypeAdapter(model).json_schema(mode=mode))  # type: ignore[no-any-return]


def _in_plain_words(op: Operation, error: ValidationError) -> str:
    """Validation errors in words, without the values (they may be data)."""
    told = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:5]:
        where = ".".join(map(_named, problem["loc"])) or "arguments"
        told.append(f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}")
    takes = ", ".join(
        f"{name}{'' if field.is_required() else ' (optional)'}"
        for name, field in op.input.model_fields.items()
    )
    return f"{op.name} was not run. {'; '.join(told)}. It takes: {takes or 'no arguments'}."


def _named(part: int | str) -> str:
    """A part of a place in the arguments; what a caller made up is not said back unless it is a name."""
    said = str(part)
    return said if _NAME.fullmatch(said) else "(a name it does not take)"


def _why_unstorable(asked: BaseModel) -> str:
    """Why the arguments could not be kept; empty when they could."""
    for value in vars(asked).values():
        for part in value if type(value) is list else (value,):
            if part is not None and not isinstance(part, _PLAIN):
                return _why_not_within(asked)
            if why := _no_value(part):
                return why
    return ""


def _why_not_within(asked: BaseModel) -> str:
    """The same, of arguments that hold something to look into."""
    try:
        return unstorable(asked.model_dump())
    except (ValueError, RecursionError):  # what pydantic, and Python, say of very deep ones
        return _TOO_DEEP


def unstorable(value: Any, level: int = 0) -> str:
    """Why no database could hold a value in it; empty when it could."""
    if level > _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, dict | list):
        parts = (*value, *value.values()) if isinstance(value, dict) else value
        return next(filter(None, (unstorable(part, level + 1) for part in parts)), "")
    return _no_value(value)


def _no_value(value: Any) -> str:
    """Why no database could hold a number or a text; empty when it could."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "A number in it is larger than any id or count can be."
    if isinstance(value, str) and _NO_TEXT.search(value):
        return "A text in it holds a NUL or half a character (a lone surrogate). Leave that out."
    return ""


def _needs(fn: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(fn).parameters.values()
    return tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)


def _lean(schema: Any, *, names: bool = False) -> Any:
    """A schema without `title` keys; `names` says that the keys here are property names."""
    if isinstance(schema, dict):
        return {
            key: _lean(value, names=key in ("properties", "$defs"))
            for key, value in schema.items()
            if names or key != "title" or not isinstance(value, str)
        }
    return [_lean(value) for value in schema] if isinstance(schema, list) else schema


def _sayable(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is described by what it is when it is there.

    `X | None` costs a model a union and a null default; leaving the argument out says the same.
    """
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1 and len(options) < len(schema["anyOf"]):
        rest = {k: v for k, v in schema.items() if k != "anyOf" and (k, v) != ("default", None)}
        return {**options[0], **rest}
    return schema
