"""What each prompt tells a model about the workbench: a few reads, kept short."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from databits.operation import CATALOGUE
from mcp_server.reading import Ctx, Reader

Said = Mapping[str, str]
Blocks = list[tuple[str, Any]]
Gather = Callable[["Look", Said], Awaitable[Blocks]]
LABELS, EXAMPLES, RECORDS, ENDPOINTS = 20, 3, 20, 5
_ITEM = ("id", "text", "label")


@dataclass(frozen=True)
class Look:
    """Reads as whoever asked for the prompt."""

    reader: Reader
    ctx: Ctx

    async def at(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """What a read operation gives, as JSON has it.

        Raises:
            DatabitsError: as the operation does.
        """
        assert CATALOGUE[operation].effect == "read"
        found = await self.reader.read(self.ctx, operation, arguments)
        return found.model_dump(mode="json")


async def labelling_guide(look: Look, said: Said) -> Blocks:
    databit = await look.at("get_databit", **said)
    examples = []
    for label in databit["labels"][:LABELS]:
        page = await look.at("list_items", **said, state="approved", label=label, limit=EXAMPLES)
        examples += [_only(item, _ITEM) for item in page["rows"]]
    return [("databit", _labels(databit)), ("approved items", examples)]


async def review_session(look: Look, said: Said) -> Blocks:
    databit = await look.at("get_databit", **said)
    return [("databit", _labels(databit)), ("queue", await look.at("queue_status", **said))]


async def design_databit(look: Look, said: Said) -> Blocks:
    page = await look.at("get_records", source=said["source"], limit=RECORDS)
    records = [_only(record, ("id", "text", "fields")) for record in page["rows"]]
    purpose = [("purpose", said["purpose"])] if "purpose" in said else []
    return [*purpose, ("records", {"total": page["total"], "first": records})]


async def release_check(look: Look, said: Said) -> Blocks:
    model = await look.at("get_model", **said)
    origin = await look.at("trace_lineage", asset=f"model:{model['name']}", direction="up", depth=4)
    return [("model", model), ("origin", origin["up"])]


async def incident_triage(look: Look, said: Said) -> Blocks:
    changes = await look.at("list_changes", asset=f"endpoint:{said['endpoint']}", limit=10)
    return [
        ("endpoint", await look.at("get_endpoint", **said)),
        ("last day", await look.at("query_metrics", **said, hours=24)),
        ("last hour", await look.at("query_metrics", **said, hours=1)),
        ("changes", changes["rows"]),
    ]


async def weekly_review(look: Look, said: Said) -> Blocks:
    week = datetime.now(UTC) - timedelta(days=7)
    pipeline = await look.at("get_pipeline", **said)
    blocks: Blocks = [("pipeline", pipeline)]
    if pipeline["databit"]:
        blocks.append(("queue", await look.at("queue_status", databit=pipeline["databit"])))
    changes = await look.at("list_changes", since=week.isoformat(), limit=30)
    failed = await look.at("list_runs", state="failed", limit=10)
    waiting = await look.at("list_approvals", limit=10)
    blocks += [
        (
            "changes",
            [_only(c, ("id", "at", "actor", "operation", "what")) for c in changes["rows"]],
        ),
        ("failed runs", [r for r in failed["rows"] if r["created_at"] >= f"{week:%Y-%m-%dT%H}"]),
        ("waiting for a person", [_only(p, _PLAN) for p in waiting["rows"]]),
    ]
    endpoints = await look.at("list_endpoints", limit=ENDPOINTS)
    for endpoint in endpoints["rows"]:
        seen = await look.at("query_metrics", endpoint=endpoint["name"], hours=24 * 7)
        blocks.append(("endpoint", {**endpoint, "week": seen}))
    return blocks


_PLAN = ("id", "operation", "summary", "count", "cost", "asked_by", "expires_at")


def _labels(databit: Mapping[str, Any]) -> dict[str, Any]:
    body = databit["body"]
    return {
        **_only(databit, ("name", "version", "status", "items", "approved")),
        "labels": body["labels"],
        "prompt": body["prompt"],
    }


def _only(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}
