from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from databits.digest import canonical, digest
from databits.errors import Invalid
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import Definition
from databits.types import NewName

LARGEST = 100_000  # characters of a definition; the largest that are known have 6,000


class ToolDefinition(BaseModel):
    # What else its server says of it goes into the hash, too.
    model_config = ConfigDict(extra="allow")
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]


class ToolsRegistered(Changed):
    server: str
    new: list[str] = Field(description="Tools that were not known")
    changed: list[str] = Field(description="Tools with another definition: a new version each")
    gone: list[str] = Field(description="Tools that the server has no more")
    same: int = Field(description="How many are what they were")


@operation(
    role="engineer",
    effect="write",
    examples=("register the tools of the server X", "pin the tool definitions of X"),
)
def register_tool(
    store: Store,
    *,
    server: Annotated[NewName, Field(description="MCP server that they are tools of")],
    tools: Annotated[
        list[ToolDefinition],
        Field(description="As `tools/list` gives them", min_length=1, max_length=1000),
    ],
    whole: Annotated[bool, Field(description="The server has no others")] = False,
) -> ToolsRegistered:
    """Register tools of an MCP server: a version is pinned by the hash of its definition.

    A changed tool gets a new version and the old one is kept; the same again changes nothing.
    """
    definitions = [definition_of(tool) for tool in tools]
    if len({one.name for one in definitions}) < len(definitions):
        raise Invalid("Two of the tools have the same name. Give each once.")
    done = store.tools.register(server, definitions, whole=whole)
    return ToolsRegistered(
        server=server, new=done.new, changed=done.changed, gone=done.gone, same=len(done.same)
    )


def definition_of(tool: ToolDefinition) -> Definition:
    """A tool as it is kept, with its hash.

    Raises:
        Invalid: when it is larger than any definition is.
    """
    body = tool.model_dump(mode="json", exclude_none=True)
    if len(canonical(body)) > LARGEST:
        raise Invalid(f"The definition of a tool has at most {LARGEST:,} characters.")
    return Definition(tool.name, digest(body), body)
