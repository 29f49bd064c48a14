"""What a person can sensibly do next, as requests the chat understands."""

from typing import Any, NamedTuple

from databits.pipeline import Stage
from databits.store.item_reads import COUNTED
from mcp_server.tools.curate.list_items import list_items
from mcp_server.tools.curate.queue_status import queue_status
from mcp_server.tools.data.list_sources import list_sources
from mcp_server.tools.deploy.list_endpoints import list_endpoints
from mcp_server.tools.registry.get_pipeline import Pipeline, get_pipeline
from mcp_server.tools.train.list_datasets import list_datasets
from mcp_server.tools.train.list_models import list_models
from ui.pages import FOLDER
from ui.person import Person

SAMPLE = FOLDER.parent / "demo" / "tickets.csv"
TO_COMPLETE = "…"
"""A request that ends so is put into the message box for the person to complete."""


SURE = 0.9
ENOUGH = 10
"""Approved items that a dataset takes at least."""


class Step(NamedTuple):
    """A button: what it says, and the request it sends; `open:` and a tab opens that tab."""

    label: str
    request: str


def next_steps(person: Person, pipeline: Pipeline) -> list[Step]:
    """Up to three steps that take the first unfinished stage further."""
    stage = next((s for s in pipeline.stages if s.state != "done"), pipeline.stages[-1])
    return _STEPS[stage.name](person, pipeline.databit or "")[:3]


def steps_after(person: Person, operation: str, result: dict[str, Any]) -> list[Step]:
    """Steps that go on from an operation that went well; those of the pipeline where none are known."""
    pipeline = person.run(get_pipeline)
    stage = _AFTER.get(operation)
    if stage is None:
        return next_steps(person, pipeline)
    dataset = str(result.get("dataset") or "")
    databit = result.get("databit") or dataset.partition("@")[0] or pipeline.databit or ""
    return _STEPS[stage](person, databit)[:3]


def facts(stages: list[Stage]) -> str:
    """What there is, in a sentence."""
    return ", ".join(stage.fact for stage in stages if stage.state == "done")


def _data(person: Person, databit: str) -> list[Step]:
    sample = [Step("Import the sample tickets", f'import "{SAMPLE}"')] if SAMPLE.exists() else []
    return [
        *sample,
        Step("Import a file or folder of this machine…", 'import "/path/to/file.csv"…'),
    ]


def _template(person: Person, databit: str) -> list[Step]:
    return [
        Step(
            "Create a Databit…",
            "create a databit called tickets with the labels billing, login and shipping…",
        )
    ]


def _curate(person: Person, databit: str) -> list[Step]:
    status = person.run(queue_status, databit=databit)
    if not status.open + status.labeled + status.approved:
        sources = _newest([each.name for each in person.all(list_sources)])
        return [
            Step(f"Queue {source} for {databit}", f"queue the records of {source} for {databit}")
            for source in sources
        ]
    review = Step(f"Review {databit}", "open:review")
    if not status.suggested:
        return [Step(f"Pre-label {databit}", f"pre-label {databit}"), review]
    steps = [review]
    sure = person.run(list_items, databit=databit, state="open", min_confidence=SURE, limit=1).total
    if sure:
        request = f"approve everything in {databit} above {SURE}"
        more = "+" if sure >= COUNTED else ""
        steps.append(Step(f"Approve the {sure:,}{more} surest", request))
    if status.approved >= ENOUGH:
        steps.append(
            Step(f"Assemble a dataset from {databit}", f"assemble a dataset from {databit}")
        )
    return steps


def _train(person: Person, databit: str) -> list[Step]:
    datasets = [d for d in person.all(list_datasets) if d.databit == databit]
    assemble = Step(f"Assemble a dataset from {databit}", f"assemble a dataset from {databit}")
    if not datasets:
        return [assemble]
    newest = datasets[-1].name
    return [Step(f"Train on {newest}", f"train a model on {newest}"), assemble]


def _deploy(person: Person, databit: str) -> list[Step]:
    models = person.all(list_models)
    if not models:
        return []
    newest = models[-1]
    deploy = Step(f"Deploy {newest.name}", f"deploy {newest.name}")
    evaluate = Step(f"Evaluate {newest.name}", f"evaluate {newest.name}")
    return [deploy] if newest.accuracy else [evaluate, deploy]


def _monitor(person: Person, databit: str) -> list[Step]:
    endpoints = _newest([each.name for each in person.all(list_endpoints)])[:1]
    return [Step(f"Ask {name} something…", f'ask {name}: "your text"…') for name in endpoints]


def _improve(person: Person, databit: str) -> list[Step]:
    steps = [
        (
            Step(f"Drift of {name}", f"check the drift of {name}"),
            Step(f"Metrics of {name}", f"metrics of {name}"),
            Step(f"Candidates from {name}", f"extract feedback candidates from {name}"),
        )
        for name in _newest([each.name for each in person.all(list_endpoints)])[:1]
    ]
    return [*steps[0]] if steps else []


def _newest(names: list[str]) -> list[str]:
    """Lists come oldest first."""
    return names[::-1]


_STEPS = {
    "data": _data,
    "template": _template,
    "curate": _curate,
    "train": _train,
    "deploy": _deploy,
    "monitor": _monitor,
    "improve": _improve,
}
# What an operation makes possible, by the stage whose steps use it.
_AFTER = {
    "prelabel_items": "curate",
    "extract_feedback_candidates": "curate",
    "assemble_dataset": "train",
    "launch_fine_tune": "deploy",
    "evaluate_model": "deploy",
    "deploy_model": "monitor",
    "query_endpoint": "improve",
    "query_metrics": "improve",
    "query_drift": "improve",
    "record_feedback": "improve",
}
