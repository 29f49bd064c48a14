from pathlib import Path

from databricks.bundles.core import Bundle

from bundle.resources import load_resources
from databits.operation import CATALOGUE


def test_there_is_a_job_for_each_long_operation_and_for_no_other() -> None:
    jobs = load_resources(Bundle(target="dev", variables={})).jobs
    assert set(jobs) == {op.name for op in CATALOGUE.values() if op.job}


def test_a_job_runs_the_operation_by_the_wheels_own_command() -> None:
    jobs = load_resources(Bundle(target="dev", variables={})).jobs
    task = jobs["prelabel_items"].as_dict()["tasks"][0]["python_wheel_task"]
    assert task["entry_point"] == "databits"
    assert task["parameters"][:2] == ["job", "prelabel_items"]


def test_the_bundle_names_the_function_that_makes_its_jobs() -> None:
    described = (Path(__file__).parents[2] / "bundle" / "databricks.yml").read_text("utf-8")
    assert "bundle.resources:load_resources" in described
