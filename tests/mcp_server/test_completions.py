"""Completing names and ids as somebody types them."""

from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import Completion, PromptReference, ResourceTemplateReference

from databits.actor import Actor
from databits.completing import AT_MOST
from databits.store.beginnings import COUNTED
from databits.store.tables import databit_versions, datasets, endpoints, models
from databits.workbench import Workbench
from mcp_server.auth import local_actor
from mcp_server.prompts import PROMPTS
from mcp_server.resources import ADDRESSES
from tests.mcp_server.conftest import Connect, Grow

pytestmark = pytest.mark.anyio


def person(workbench: Workbench) -> Actor:
    return local_actor(workbench.settings, "command").through("command", person=True)


async def variable(
    client: Client, template: str, name: str, typed: str = "", **said: str
) -> Completion:
    ref = ResourceTemplateReference(type="ref/resource", uri=template)
    argument = {"name": name, "value": typed}
    return (await client.complete(ref, argument, context_arguments=said or None)).completion


async def argument(client: Client, prompt: str, name: str, typed: str = "") -> Completion:
    ref = PromptReference(type="ref/prompt", name=prompt)
    return (await client.complete(ref, {"name": name, "value": typed})).completion


async def test_databits_and_their_versions_are_completed(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    for name in ("sales", "support-2"):
        workbench.run("create_databit", {"name": name, "labels": ["a", "b"]}, person(workbench))
    async with connect(era) as client:
        found = await variable(client, "databit://{databit}", "databit", "su")
        assert (found.values, found.total, found.has_more) == (["support", "support-2"], 2, False)
        assert (await variable(client, "queue://{databit}", "databit")).values[0] == "sales"
        assert (await argument(client, "labelling_guide", "databit", "sal")).values == ["sales"]
        versions = await variable(
            client, "databit://{databit}/{version}", "version", "1", databit="support"
        )
        assert versions.values == ["1.0.0"]
        unsaid = await variable(client, "databit://{databit}/{version}", "version", "1")
        assert unsaid.values == []


async def test_a_percent_sign_is_no_wildcard(connect: Connect, grow: Grow) -> None:
    grow(1)
    async with connect() as client:
        for typed in ("%", "_upport", "s%t", "'", '"', "\\"):
            found = await variable(client, "databit://{databit}", "databit", typed)
            assert (found.values, found.total) == ([], 0)


async def test_ids_of_items_are_completed_by_their_first_digits(
    connect: Connect, grow: Grow, era: str
) -> None:
    grow(COUNTED + 130)
    async with connect(era) as client:
        found = await variable(client, "item://{item}", "item", "113")
        assert (found.values, found.total) == (["113", "1130"], 2)
        many = await variable(client, "item://{item}", "item", "1")
        assert len(many.values) == AT_MOST
        assert many.values[:4] == ["1", "10", "11", "12"]
        assert (many.total, many.has_more) == (1 + 10 + 100 + 131, True)
        every = await variable(client, "item://{item}", "item")
        assert (len(every.values), every.total, every.has_more) == (AT_MOST, None, True)
        for typed in ("0", "x", "-1", "1" * 30, "1.5", "١"):
            assert (await variable(client, "item://{item}", "item", typed)).values == []


async def test_runs_sources_and_traced_assets_are_completed(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(1)
    for _ in range(2):
        run: Any = workbench.run("prelabel_items", {"databit": "support"}, person(workbench))
        workbench.run("cancel_run", {"run": run.id}, person(workbench))
    async with connect(era) as client:
        assert (await variable(client, "run://{run}", "run")).values == ["2", "1"]
        assert (await argument(client, "design_databit", "source", "tick")).values == ["tickets-0"]
        kinds = await variable(client, "lineage://{kind}/{+id}", "kind", "d")
        assert kinds.values == ["databit", "dataset"]
        traced = await variable(client, "lineage://{kind}/{+id}", "id", "", kind="databit")
        assert traced.values == ["support"]
        for kind in ("dataset", "model", "endpoint", "request", "nonsense"):
            found = await variable(client, "lineage://{kind}/{+id}", "id", "", kind=kind)
            assert found.values == []


async def test_datasets_models_and_endpoints_are_completed_newest_first(
    workbench: Workbench, connect: Connect, grow: Grow
) -> None:
    grow(2)
    add_training(workbench)
    async with connect() as client:
        numbers = await variable(
            client, "dataset://{databit}/{number}", "number", databit="support"
        )
        assert numbers.values == ["2", "1"]
        assert (await variable(client, "model://{model}", "model", "s")).values == ["support"]
        versions = await variable(client, "model://{model}/{version}", "version", model="support")
        assert versions.values == ["2", "1"]
        assert (await argument(client, "release_check", "model", "support@")).values == [
            "support@2",
            "support@1",
        ]
        assert (await argument(client, "incident_triage", "endpoint")).values == ["mail"]


def add_training(workbench: Workbench) -> None:
    """Two datasets, two models of one name and an endpoint, without training anything."""

    def write(store: Any) -> None:
        tx = store.tx
        tx.begin_change("test", "ana", "test")
        version = store.databits.get("support")
        for number in (1, 2):
            dataset = tx.add(
                datasets,
                databit_id=version.databit_id,
                databit_version_id=tx.value(databit_versions.select()),
                number=number,
                recipe={},
                summary={},
                sha256="0" * 64,
                created_at=0,
            )
            tx.add(
                models,
                name="support",
                version=number,
                dataset_id=dataset,
                strategy="head",
                labels=[],
                uri="models:/support/1",
                mlflow_run="0",
                created_at=0,
            )
        tx.add(endpoints, name="mail", status="ready", created_at=0)
        tx.end_change()

    workbench.database.write(write)


async def test_ids_of_items_are_for_those_who_may_read_them(
    workbench: Workbench, connect: Connect, grow: Grow, era: str
) -> None:
    grow(3)
    admin = person(workbench)
    workbench.run("create_databit", {"name": "secret", "labels": ["a", "b"]}, admin)
    workbench.run("queue_items", {"databit": "secret"}, admin)
    workbench.run("add_person", {"person": "ana", "role": "admin"}, admin)
    workbench.run("add_person", {"person": "ro", "role": "viewer"}, admin)
    workbench.settings = workbench.settings.model_copy(update={"user": "ro"})
    events = workbench.database.read(lambda store: store.audit.count())
    async with connect(era) as client:

        async def items() -> list[str]:
            return (await variable(client, "item://{item}", "item")).values

        assert await items() == []
        assert (await variable(client, "databit://{databit}", "databit")).total == 2
        workbench.run(
            "grant_role", {"person": "ro", "role": "labeler", "databit": "support"}, admin
        )
        assert await items() == ["1", "2", "3"]
        workbench.run("grant_role", {"person": "ro", "role": "labeler"}, admin)
        workbench.run("grant_role", {"person": "ro", "role": "viewer", "databit": "support"}, admin)
        assert await items() == ["4", "5", "6"]
        workbench.run("disable_person", {"person": "ro"}, admin)
        with pytest.raises(MCPError, match="disabled"):
            await items()
    # Typing is no business of the audit trail's: the grants above are all that is on record.
    assert workbench.database.read(lambda store: store.audit.count()) == events + 4


async def test_what_is_outside_of_the_toolsets_is_not_completed(connect: Connect) -> None:
    async with connect(toolsets=["curate"]) as client:
        with pytest.raises(MCPError, match="Templates: queue"):
            await variable(client, "databit://{databit}", "databit")
        with pytest.raises(MCPError, match="no prompt of that name"):
            await argument(client, "labelling_guide", "databit")


async def test_every_variable_and_argument_can_be_asked_about(connect: Connect, era: str) -> None:
    async with connect(era) as client:
        for address in ADDRESSES:
            for name in address.template.variable_names:
                await variable(client, str(address.template), name, "x")
        for prompt in PROMPTS:
            for one in prompt.arguments:
                await argument(client, prompt.name, one.name, "x")
        assert (await argument(client, "labelling_guide", "nonsense")).values == []
        with pytest.raises(MCPError, match="no resource template"):
            await variable(client, "nonsense://{x}", "x")


async def test_the_server_says_that_it_completes(connect: Connect) -> None:
    for era in ("legacy", "auto"):
        async with connect(era) as client:
            assert client.server_capabilities.completions is not None
