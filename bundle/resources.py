"""The bundle's jobs: one for each operation that runs as a job.

A job runs the wheel's `databits job NAME --arguments JSON`, which performs the operation in its own
process against the database that the bundle's variable names.
"""

from databricks.bundles.core import Bundle, Resources
from databricks.bundles.jobs import Job

from databits.operation import CATALOGUE, Operation, load_catalogue


def load_resources(bundle: Bundle) -> Resources:
    load_catalogue()
    resources = Resources()
    for op in sorted(CATALOGUE.values(), key=lambda op: op.name):
        if op.job:
            resources.add_job(op.name, as_job(op))
    return resources


def as_job(op: Operation) -> Job:
    """A serverless job with one wheel task; its parameter is the operation's arguments as JSON."""
    return Job.from_dict(
        {
            "name": f"databits {op.name}",
            "description": op.description.partition("\n\n")[0],
            "tags": {"databits.stage": op.stage, "databits.effect": op.effect},
            "max_concurrent_runs": 4,
            "queue": {"enabled": True},
            "parameters": [{"name": "arguments", "default": "{}"}],
            "tasks": [
                {
                    "task_key": op.name,
                    "environment_key": "databits",
                    "python_wheel_task": {
                        "package_name": "databits_workbench",
                        "entry_point": "databits",
                        "parameters": [
                            "job",
                            op.name,
                            "--arguments",
                            "{{job.parameters.arguments}}",
                            "--database-url",
                            "${var.database_url}",
                        ],
                    },
                }
            ],
            "environments": [
                {
                    "environment_key": "databits",
                    "spec": {"environment_version": "4", "dependencies": ["../dist/*.whl"]},
                }
            ],
        }
    )
