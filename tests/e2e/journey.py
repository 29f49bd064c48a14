"""The seven stages as a list of calls, with what must be true after each; for any surface."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ui.demo import tickets

Call = Callable[..., Awaitable[dict[str, Any]]]
"""`await call("operation", **arguments)`: to the end, plans approved and runs waited for."""

SAMPLE = tickets.tickets(160)
LIVE = tickets.live_traffic(60)


def write_sample(folder: Path) -> Path:
    path = folder / "tickets.csv"
    tickets.write_csv(path, SAMPLE)
    return path


async def take(call: Call, path: Path) -> None:
    """Take the sample through all seven stages and check the state after each."""
    await _prepare(call, path)
    await _curate(call)
    await _train(call)
    await _deploy_and_watch(call)
    await _improve(call)
    await _check_records(call)


async def _prepare(call: Call, path: Path) -> None:
    texts = {t["text"] for t in SAMPLE}
    imported = await call("import_files", path=str(path), source="tickets")
    assert imported["added"] + imported["duplicates"] == len(SAMPLE)
    again = await call("import_files", path=str(path), source="tickets")
    assert again["added"] == 0, "the same bytes twice are no second record"
    page = await call("get_records", source="tickets", limit=5)
    assert page["total"] == imported["added"]
    assert {r["text"] for r in page["rows"]} <= texts
    made = await call("create_databit", name="support", labels=list(tickets.TOPICS))
    assert made["version"] == "1.0.0"
    queued = await call("queue_items", databit="support", source="tickets")
    assert queued["queued"] == imported["added"]


async def _curate(call: Call) -> None:
    truth = {t["text"]: t["topic"] for t in SAMPLE}
    suggested = await call("prelabel_items", databit="support")
    assert suggested["suggested"] == (await call("queue_status", databit="support"))["suggested"]
    claimed = await call("claim_items", databit="support", count=10)
    assert len({item["id"] for item in claimed["items"]}) == 10
    for item in claimed["items"]:
        label = truth[item["text"]]
        right = item["suggestion"] == label
        name, given = ("approve_labels", {}) if right else ("correct_labels", {"label": label})
        done = await call(name, databit="support", items=[item["id"]], **given)
        assert done["decided"] == [item["id"]]
    last = claimed["items"][-1]["id"]
    undone = await call("undo_change", change=done["change_id"])
    assert undone["undone"] == done["change_id"]
    assert (await call("get_item", item=last))["state"] == "open"
    bulk = await call("bulk_label", databit="support", min_confidence=0.8)
    assert bulk["decided"] > 0
    await _label_the_rest(call, truth)
    left = await call("list_items", databit="support", state="open")
    assert left["total"] == 0


async def _label_the_rest(call: Call, truth: dict[str, str]) -> None:
    for state in ("open", "approved"):
        page = await call("list_items", databit="support", state=state, limit=200)
        wrong: dict[str, list[int]] = {}
        for item in page["rows"]:
            if item.get("label") != truth[item["text"]]:
                wrong.setdefault(truth[item["text"]], []).append(item["id"])
        for label, items in wrong.items():
            await call("correct_labels", databit="support", items=items, label=label)
    rejected = page["rows"][0]["id"]
    await call("reject_items", databit="support", items=[rejected], reason="for the test")
    assert (await call("get_item", item=rejected))["state"] == "rejected"


async def _train(call: Call) -> None:
    dataset = await call("assemble_dataset", databit="support")
    assert sum(dataset["splits"].values()) == dataset["rows"]
    model = await call("launch_fine_tune", dataset=dataset["dataset"])
    assert model["model"] == "support@1"
    found = await call("evaluate_model", model=model["model"])
    assert found["rows"] == dataset["splits"]["test"]
    assert found["accuracy"]["low"] <= found["accuracy"]["value"] <= found["accuracy"]["high"]
    assert found["accuracy"]["value"] > 0.5, "eight topics by chance would be 0.125"
    known = await call("get_model", model="support")
    assert known["dataset"] == dataset["dataset"]
    assert known["accuracy"]["value"] == found["accuracy"]["value"]


async def _deploy_and_watch(call: Call) -> None:
    deployed = await call("deploy_model", model="support@1")
    assert deployed["path"] == "/serving-endpoints/support/invocations"
    texts = [t["text"] for t in LIVE]
    answered = await call("query_endpoint", endpoint="support", texts=texts)
    assert len(answered["answers"]) == len(texts)
    assert {a["label"] for a in answered["answers"]} <= set(tickets.TOPICS)
    metrics = await call("query_metrics", endpoint="support")
    assert metrics["requests"] == len(texts)
    assert metrics["errors"] == 0
    drift = await call("query_drift", endpoint="support")
    assert drift["verdict"] in ("drift", "no drift")
    assert drift["requests"] == len(texts)


async def _improve(call: Call) -> None:
    texts = [t["text"] + " Please call me back." for t in LIVE[:20]]
    answered = await call("query_endpoint", endpoint="support", texts=texts)
    corrected = 0
    for row, ticket in zip(answered["answers"], LIVE, strict=False):
        other = next(topic for topic in tickets.TOPICS if topic != row["label"])
        note = await call("record_feedback", request_id=row["request_id"], correction=other)
        assert note["correction"] == other
        corrected += ticket["topic"] != row["label"]
    before = (await call("queue_status", databit="support"))["open"]
    found = await call("extract_feedback_candidates", endpoint="support", budget=15)
    assert 0 < found["candidates"] <= 15
    after = (await call("queue_status", databit="support"))["open"]
    assert after - before == found["candidates"]
    item = await call("get_item", item=found["items"][0])
    assert item["why"], "it says why a person sees it"


async def _check_records(call: Call) -> None:
    pipeline = await call("get_pipeline", databit="support")
    done = {stage["name"] for stage in pipeline["stages"] if stage["state"] == "done"}
    assert done >= {"data", "template", "train", "deploy", "monitor", "improve"}
    graph = await call("trace_lineage", asset="endpoint:support")
    reached = {edge["target"].partition(":")[0] for edge in graph["up"]}
    assert reached >= {"model", "dataset", "item", "record", "source"}
    audit = await call("search_audit", operation="decide_approval")
    assert audit["total"] > 0
    assert len(audit["rows"]) == 3, "bulk_label, launch_fine_tune and deploy_model were approved"
    assert (await call("verify_audit"))["intact"] is True
