"""The demo: one conversation from files to a monitored endpoint, through the real agent.

The requests are typed into the assistant that the chat page uses; it works through the MCP server,
and its plans are approved by the person who runs the command. Only the reading of every item is
played: the right labels come from the data's own label column, and the output says so.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from rich.console import Console
from rich.markup import escape

from databits.model import every
from ui.demo.answers import Key
from ui.demo.conversation import Conversation, StageFailed

PAGE = 200  # items a page
BATCH = 500  # decisions a call
FIRST_LOOK = 60  # items decided by hand before the engine is asked again
TRAFFIC = 300  # requests to the endpoint, where the data must serve as traffic too
SURE = 0.9  # suggestions above this are approved as a batch


@dataclass
class Task:
    """What the demo works on."""

    path: str
    name: str
    key: Key
    """The right labels."""
    sample: int | None = None
    """How many records to label; None means all of them."""
    traffic: dict[str, str] = field(default_factory=dict)
    """Production texts → right label, in order; empty means records that were not labelled."""


@dataclass
class Report:
    """What each stage made: printed at the end, checked by tests."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Journey:
    """The seven stages, in order; each returns the facts that it established."""

    def __init__(self, talk: Conversation, task: Task, console: Console) -> None:
        self._talk = talk
        self._task = task
        self._console = console
        self._report = Report()

    async def run(self) -> Report:
        for number, (stage, step) in enumerate(self._stages(), 1):
            self._console.print(f"\n[bold reverse] {number} {stage.upper()} [/]")
            begun = time.perf_counter()
            facts = await step()
            self._report.facts[stage] = facts
            self._report.seconds[stage] = time.perf_counter() - begun
            told = ", ".join(f"{name.replace('_', ' ')} {_fact(v)}" for name, v in facts.items())
            self._console.print(
                f"  [bold green]✓[/] {escape(told)} [dim]({self._report.seconds[stage]:.1f} s)[/]"
            )
        return self._report

    def _stages(self) -> Iterator[tuple[str, Any]]:
        for stage in ("data", "template", "curate", "train", "deploy", "monitor", "improve"):
            yield stage, getattr(self, stage)

    async def data(self) -> dict[str, Any]:
        made = await self._talk.ask(f'import "{self._task.path}"', "import_files")
        self._source = made["source"]
        return {k: made[k] for k in ("source", "files", "added", "duplicates", "skipped")}

    async def template(self) -> dict[str, Any]:
        *first, last = self._task.key.labels
        labels = f"{', '.join(first)} and {last}"
        made = await self._talk.ask(
            f"create a databit called {self._task.name} with the labels {labels}", "create_databit"
        )
        return {"databit": made["name"], "version": made["version"], "labels": len(made["labels"])}

    async def curate(self) -> dict[str, Any]:
        name = self._task.name
        some = f"{self._task.sample} records" if self._task.sample else "all records"
        queued = await self._talk.ask(f"queue {some} of {self._source} for {name}", "queue_items")
        self._task.traffic = self._task.traffic or self._left_over()
        await self._talk.ask(f"pre-label {name}", "prelabel_items")
        first = self._review(FIRST_LOOK)
        await self._talk.ask(f"pre-label {name}", "prelabel_items")
        bulk = await self._talk.ask(f"approve everything in {name} above {SURE}", "bulk_label")
        wrong = self._audit()
        rest = self._review(None)
        self._undo_and_redo()
        status = self._talk.act("queue_status", databit=name)
        return {
            "queued": queued["queued"],
            "first_look": first,
            "approved_as_a_batch": bulk["decided"],
            "of_those_wrong_and_corrected": wrong,
            "by_hand": rest,
            "approved": status.approved,  # type: ignore[attr-defined]
        }

    async def train(self) -> dict[str, Any]:
        name = self._task.name
        dataset = await self._talk.ask(f"assemble a dataset from {name}", "assemble_dataset")
        model = await self._talk.ask(f"train a model on {dataset['dataset']}", "launch_fine_tune")
        found = await self._talk.ask(f"evaluate {model['model']}", "evaluate_model")
        accuracy = found["accuracy"]
        self._model = model["model"]
        return {
            "dataset": dataset["dataset"],
            "rows": dataset["rows"],
            "model": model["model"],
            "mlflow_run": model["mlflow_run"],
            "accuracy": f"{accuracy['value']:.1%} [{accuracy['low']:.1%}, {accuracy['high']:.1%}]",
            "held_out": found["rows"],
        }

    async def deploy(self) -> dict[str, Any]:
        made = await self._talk.ask(f"deploy {self._model}", "deploy_model")
        self._endpoint = made["endpoint"]
        first = next(iter(self._task.traffic))
        answer = await self._talk.ask(f'ask {self._endpoint}: "{first}"', "query_endpoint")
        return {
            "endpoint": made["endpoint"],
            "path": made["path"],
            "answers": answer["answers"][0]["label"],
        }

    async def monitor(self) -> dict[str, Any]:
        self._answers = self._send_traffic()
        metrics = await self._talk.ask(f"show the metrics of {self._endpoint}", "query_metrics")
        drift = await self._talk.ask(f"is {self._endpoint} drifting?", "query_drift")
        return {
            "requests": metrics["requests"],
            "p95_ms": metrics["latency_ms"]["p95"],
            "drift": drift["verdict"],
            "because": drift["reason"],
        }

    async def improve(self) -> dict[str, Any]:
        corrected = self._give_feedback()
        found = await self._talk.ask(
            f"collect candidates from the feedback on {self._endpoint}",
            "extract_feedback_candidates",
        )
        await self._talk.ask(f"where does the endpoint {self._endpoint} come from", "trace_lineage")
        pipeline = await self._talk.ask(f"where do we stand with {self._task.name}", "get_pipeline")
        done = sum(stage["state"] == "done" for stage in pipeline["stages"])
        return {
            "feedback": corrected,
            "candidates": found["candidates"],
            "back_in_the_queue_of": found["databit"],
            "stages_done": f"{done} of {len(pipeline['stages'])}",
        }

    # what the person does by hand -------------------------------------------------------------

    def _review(self, most: int | None) -> int:
        """Decide open items as their right labels say: approve what is right, correct the rest."""
        right: list[int] = []
        wrong: dict[str | None, list[int]] = defaultdict(list)
        for item in self._items("open", most):
            label = self._task.key.label(item.text)
            (right if label == item.suggestion else wrong[label]).append(item.id)
        for ids in _batches(right):
            self._talk.act("approve_labels", databit=self._task.name, items=ids)
        self._correct(wrong)
        return len(right) + sum(map(len, wrong.values()))

    def _audit(self) -> int:
        """Look again at what was approved as a batch, and correct what is wrong."""
        wrong: dict[str | None, list[int]] = defaultdict(list)
        for item in self._items("approved", None):
            label = self._task.key.label(item.text)
            if label != item.label:
                wrong[label].append(item.id)
        self._correct(wrong)
        return sum(map(len, wrong.values()))

    def _correct(self, wrong: dict[str | None, list[int]]) -> None:
        name = self._task.name
        for label, found in wrong.items():
            for ids in _batches(found):
                if label is None:
                    self._talk.act("reject_items", databit=name, items=ids, reason="no label fits")
                else:
                    self._talk.act("correct_labels", databit=name, items=ids, label=label)

    def _items(self, state: str, most: int | None) -> Iterator[Any]:
        """Items of the Databit in a state, page by page; nothing may be decided before the end."""
        of = {"databit": self._task.name, "state": state, "limit": PAGE}
        rows = every(lambda after: cast(Any, self._talk.act("list_items", **of, after=after)))
        return islice(rows, most)

    def _undo_and_redo(self) -> None:
        """Reject an item by mistake and take it back, as everybody does once."""
        name = self._task.name
        page = self._talk.act("list_items", databit=name, state="approved", limit=1)
        item = page.rows[0]  # type: ignore[attr-defined]
        slip = self._talk.act("reject_items", databit=name, items=[item.id], reason="a slip")
        self._talk.act("undo_change", change=slip.change_id)  # type: ignore[attr-defined]
        now = self._talk.act("get_item", item=item.id)
        if (now.state, now.label) != ("approved", item.label):  # type: ignore[attr-defined]
            raise StageFailed("An undone change did not restore its item.")

    def _left_over(self) -> dict[str, str]:
        """Records that were not queued: what production sends later."""
        queued = {item.text for item in self._items("open", None)}
        of = {"source": self._source, "limit": PAGE}
        found: dict[str, str] = {}
        for record in every(
            lambda after: cast(Any, self._talk.act("get_records", **of, after=after))
        ):
            label = self._task.key.label(record.text)
            if label is not None and record.text not in queued:
                found[record.text] = label
            if len(found) == TRAFFIC:
                break
        return found

    def _send_traffic(self) -> list[tuple[str, str, str | None]]:
        """Ask the endpoint about every text of the traffic; (text, request id, answer)."""
        found = []
        for text in self._task.traffic:
            answer = self._talk.act("query_endpoint", endpoint=self._endpoint, texts=[text])
            row = answer.answers[0]  # type: ignore[attr-defined]
            found.append((text, row.request_id, row.label))
        return found

    def _give_feedback(self) -> int:
        """Correct the wrong answers among the newest, and praise a few right ones."""
        given: Counter[str] = Counter()
        for text, request_id, answer in reversed(self._answers):
            truth = self._task.traffic.get(text)
            if truth is None:
                continue
            kind = "up" if truth == answer else "correction"
            if given[kind] >= (5 if kind == "up" else 25):
                continue
            said = {"thumbs": "up"} if kind == "up" else {"correction": truth}
            self._talk.act("record_feedback", request_id=request_id, **said)
            given[kind] += 1
        return sum(given.values())


def _batches(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _fact(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
