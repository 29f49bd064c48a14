"""Completing what somebody types: the variables of addresses, and the arguments of prompts."""

from collections.abc import Mapping
from typing import Any, get_args

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    PromptReference,
)

from databits.errors import DatabitsError
from databits.model import NameKind
from databits.types import KINDS
from mcp_server import prompts
from mcp_server.reading import Ctx, Reader, protocol_error
from mcp_server.resources import ADDRESSES, Address
from mcp_server.threads import in_thread

# (scheme, variable) → the kind of name, and the variable that says of what; others are kinds themselves
_SPECIAL: Mapping[tuple[str, str], tuple[NameKind, str]] = {
    ("databit", "version"): ("version", "databit"),
    ("dataset", "number"): ("dataset_number", "databit"),
    ("model", "version"): ("model_version", "model"),
}
# kinds of the lineage whose ids can be typed, and how they are called there
_TRACED: Mapping[str, NameKind] = {
    "databit": "databit",
    "dataset": "dataset",
    "model": "model_ref",
    "endpoint": "endpoint",
    "source": "source",
    "item": "item",
}
NONE = Completion(values=[], total=0, has_more=False)


async def complete(reader: Reader, ctx: Ctx, params: CompleteRequestParams) -> CompleteResult:
    """Up to a hundred values that begin with what was typed, and how many there are.

    Raises:
        MCPError: for a prompt or a template that does not exist.
    """
    name, typed = params.argument.name, params.argument.value
    said = (params.context.arguments if params.context else None) or {}
    if isinstance(params.ref, PromptReference):
        prompt = prompts.find(reader, ctx, params.ref.name)
        kind = next((a.kind for a in prompt.arguments if a.name == name), None)
        return CompleteResult(completion=await _names(reader, ctx, kind, typed))
    address = _address(reader, ctx, params.ref.uri)
    return CompleteResult(completion=await _variable(reader, ctx, address, name, typed, said))


def _address(reader: Reader, ctx: Ctx, uri: str) -> Address:
    known = {str(a.template): a for a in ADDRESSES if reader.offers(ctx, a.operation)}
    if uri not in known:
        raise MCPError(
            INVALID_PARAMS,
            f"Not found: there is no resource template of that address. Templates: {', '.join(known)}.",
            {"kind": "Not found", "uri": uri},
        )
    return known[uri]


async def _variable(
    reader: Reader, ctx: Ctx, address: Address, name: str, typed: str, said: Mapping[str, str]
) -> Completion:
    if name not in address.template.variable_names:
        return NONE
    if name == "kind":
        fits = [kind for kind in KINDS if kind.startswith(typed)]
        return Completion(values=fits, total=len(fits), has_more=False)
    if name == "id":
        return await _names(reader, ctx, _TRACED.get(said.get("kind", "")), typed)
    scheme = str(address.template).partition(":")[0]
    if (scheme, name) in _SPECIAL:
        special, of = _SPECIAL[scheme, name]
        return await _names(reader, ctx, special, typed, said.get(of, ""))
    return await _names(reader, ctx, name if name in get_args(NameKind) else None, typed)


async def _names(reader: Reader, ctx: Ctx, kind: Any, typed: str, of: str = "") -> Completion:
    if kind is None:
        return NONE
    try:
        found = await in_thread(reader.runner.names, kind, typed, reader.actor(ctx), of)
    except DatabitsError as error:
        raise protocol_error(error) from None
    more = found.total is None or found.total > len(found.values)
    return Completion(values=found.values, total=found.total, has_more=more)
