"""Toolsets: the stages, `core` and `all`; what a choice of them lists, and what it lets a caller call."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from databits.errors import DatabitsError, Invalid, NotAllowed
from databits.operation import STAGES, Operation

CORE = frozenset(
    {
        "get_pipeline",
        "import_files",
        "create_databit",
        "queue_items",
        "prelabel_items",
        "claim_items",
        "list_items",
        "approve_labels",
        "correct_labels",
        "bulk_label",
        "assemble_dataset",
        "launch_fine_tune",
        "evaluate_model",
        "deploy_model",
        "query_endpoint",
        "query_metrics",
        "query_drift",
        "extract_feedback_candidates",
        "get_run",
        "undo_change",
    }
)
"""One way through the seven stages: what is asked for most often. `search_tools` finds the rest."""

# Offered with any toolset: without them a run's handle or a change_id would lead nowhere.
ALWAYS = frozenset({"get_run", "undo_change"})

TOOLSETS = ("core", *STAGES, "all")


@dataclass(frozen=True)
class Choice:
    """Toolsets that somebody chose: stages are the only ones that can be called then.

    `core` lists the tools that are asked for most often and rules out none; `all` lists every tool.
    """

    names: tuple[str, ...]
    whose: str = "this server's"
    remedy: str = "Its owner chooses them with --toolsets or DATABITS_TOOLSETS."

    @property
    def rules_out(self) -> bool:
        """Whether there is anything that can not be called."""
        return not {"core", "all"} & set(self.names)

    def allows(self, op: Operation) -> bool:
        return not self.rules_out or op.stage in self.names or op.name in ALWAYS

    def lists(self, op: Operation) -> bool:
        if "all" in self.names or op.stage in self.names or op.name in ALWAYS:
            return True
        return "core" in self.names and op.name in CORE

    def refusal(self, op: Operation) -> DatabitsError:
        """Why an operation that is not allowed can not be called, and who can help."""
        chosen = ", ".join(self.names)
        return NotAllowed(
            f"{op.name} is not in {self.whose} toolsets: {chosen}. It is in `{op.stage}`. {self.remedy}"
        )


def of_token(stages: Iterable[str]) -> Choice:
    """The stages that a token is limited to."""
    return Choice(tuple(stages), "this token's", "A token with that toolset may call it.")


def of_request(names: Iterable[str]) -> Choice:
    """What the headers of a request choose."""
    return Choice(parse(names), "this request's", "The header X-MCP-Toolsets chooses them.")


def parse(names: Iterable[str]) -> tuple[str, ...]:
    """Names of toolsets as somebody wrote them.

    Raises:
        Invalid: for one that does not exist, with those that do.
    """
    said = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    unknown = [name for name in said if name not in TOOLSETS]
    if not said or unknown:
        near = difflib.get_close_matches(unknown[0], TOOLSETS, n=1) if unknown else []
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Invalid(
            f"There is no toolset of that name. Toolsets are {', '.join(TOOLSETS)}.{hint}"
        )
    return said
