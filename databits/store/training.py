"""Datasets, models and their evaluations."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from databits.errors import Invalid, NotFound
from databits.model import Dataset, Interval, Model
from databits.store.pages import oldest_first
from databits.store.shapes import now
from databits.store.tables import (
    databits,
    dataset_rows,
    datasets,
    evaluations,
    items,
    models,
    records,
)
from databits.store.transaction import Transaction

_REF = re.compile(r"^(?P<name>[^@]+)(?:@(?P<number>[0-9]{1,18}))?$")


def split_ref(ref: str) -> tuple[str, int | None]:
    """`name@3` → ("name", 3); `name` → ("name", None).

    Raises:
        Invalid: when it is neither.
    """
    found = _REF.match(ref.strip())
    if found is None:
        raise Invalid("A reference is a name, or name@number.")
    return found["name"], int(found["number"]) if found["number"] else None


class DatasetRow(NamedTuple):
    item_id: int
    record_id: int
    label: str
    split: str
    text: str


class Datasets:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def refs(self) -> list[str]:
        query = select(databits.c.name, datasets.c.number).join(
            databits, databits.c.id == datasets.c.databit_id
        )
        return [f"{r.name}@{r.number}" for r in self._tx.rows(query.order_by(datasets.c.id.desc()))]

    def raw(self, ref: str) -> Row[Any]:
        """The dataset's row, with the Databit's name as `databit`.

        Raises:
            NotFound: naming the datasets that exist.
        """
        name, number = split_ref(ref)
        query = (
            select(datasets, databits.c.name.label("databit"))
            .join(databits, databits.c.id == datasets.c.databit_id)
            .where(databits.c.name == name)
            .order_by(datasets.c.number.desc())
        )
        row = self._tx.one(query if number is None else query.where(datasets.c.number == number))
        if row is None:
            known = ", ".join(self.refs()[:10]) or "none yet; assemble_dataset makes one"
            raise NotFound(f"There is no such dataset. Datasets: {known}.")
        return row

    def get(self, ref: str) -> Dataset:
        return _dataset(self.raw(ref))

    def page(self, after: int, limit: int) -> list[tuple[int, Dataset]]:
        query = select(datasets, databits.c.name.label("databit")).join(
            databits, databits.c.id == datasets.c.databit_id
        )
        rows = self._tx.rows(oldest_first(query, datasets.c.id, after, limit))
        return [(row.id, _dataset(row)) for row in rows]

    def count(self) -> int:
        return self._tx.count(datasets)

    def same(self, databit_id: int, sha256: str) -> int | None:
        """Number of the dataset that already holds exactly this content."""
        found: int | None = self._tx.value(
            select(datasets.c.number).where(
                datasets.c.databit_id == databit_id, datasets.c.sha256 == sha256
            )
        )
        return found

    def add(
        self,
        databit_id: int,
        version_id: int,
        recipe: Mapping[str, Any],
        summary: Mapping[str, Any],
        sha256: str,
        rows: Sequence[tuple[int, str, str]],
    ) -> int:
        """Freeze a dataset of (item_id, label, split) rows; returns its number."""
        last = self._tx.value(
            select(func.max(datasets.c.number)).where(datasets.c.databit_id == databit_id)
        )
        number = (last or 0) + 1
        dataset_id = self._tx.add(
            datasets,
            databit_id=databit_id,
            databit_version_id=version_id,
            number=number,
            recipe=dict(recipe),
            summary=dict(summary),
            sha256=sha256,
            created_at=now(),
        )
        self._tx.insert(
            dataset_rows,
            [
                {"dataset_id": dataset_id, "item_id": i, "label": label, "split": part}
                for i, label, part in rows
            ],
        )
        return number

    def rows(self, dataset_id: int, split: str | None = None) -> list[DatasetRow]:
        query = (
            select(
                dataset_rows.c.item_id,
                items.c.record_id,
                dataset_rows.c.label,
                dataset_rows.c.split,
                records.c.text,
            )
            .join(items, items.c.id == dataset_rows.c.item_id)
            .join(records, records.c.id == items.c.record_id)
            .where(dataset_rows.c.dataset_id == dataset_id)
            .order_by(dataset_rows.c.item_id)
        )
        found = self._tx.rows(
            query if split is None else query.where(dataset_rows.c.split == split)
        )
        return [DatasetRow(r.item_id, r.record_id, r.label, r.split, r.text) for r in found]


class Models:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def refs(self) -> list[str]:
        rows = self._tx.rows(select(models.c.name, models.c.version).order_by(models.c.id.desc()))
        return [f"{row.name}@{row.version}" for row in rows]

    def raw(self, ref: str) -> Row[Any]:
        """The model's row.

        Raises:
            NotFound: naming the models that exist.
        """
        name, version = split_ref(ref)
        query = select(models).where(models.c.name == name).order_by(models.c.version.desc())
        row = self._tx.one(query if version is None else query.where(models.c.version == version))
        if row is None:
            known = ", ".join(self.refs()[:10]) or "none yet; launch_fine_tune makes one"
            raise NotFound(f"There is no such model. Models: {known}.")
        return row

    def by_id(self, model_id: int) -> Row[Any]:
        row = self._tx.get(models, model_id)
        if row is None:
            raise NotFound("There is no model of that id.")
        return row

    def get(self, ref: str) -> Model:
        return self._model(self.raw(ref))

    def page(self, after: int, limit: int) -> list[tuple[int, Model]]:
        rows = self._tx.rows(oldest_first(select(models), models.c.id, after, limit))
        return [(row.id, self._model(row)) for row in rows]

    def count(self) -> int:
        return self._tx.count(models)

    def newest_of(self, databit_id: int) -> str | None:
        """The newest model that was trained for a Databit."""
        row = self._tx.one(
            select(models.c.name, models.c.version)
            .join(datasets, datasets.c.id == models.c.dataset_id)
            .where(datasets.c.databit_id == databit_id)
            .order_by(models.c.id.desc())
        )
        return f"{row.name}@{row.version}" if row is not None else None

    def add(
        self,
        name: str,
        version: int,
        dataset_id: int,
        strategy: str,
        labels: Sequence[str],
        uri: str,
        mlflow_run: str,
        run_id: int | None,
    ) -> int:
        """Register a model. `version` is the one MLflow's registry gave it."""
        return self._tx.add(
            models,
            name=name,
            version=version,
            dataset_id=dataset_id,
            strategy=strategy,
            labels=list(labels),
            uri=uri,
            mlflow_run=mlflow_run,
            run_id=run_id,
            created_at=now(),
        )

    def add_evaluation(
        self, model_id: int, dataset_id: int, split: str, result: Mapping[str, Any]
    ) -> int:
        return self._tx.add(
            evaluations,
            model_id=model_id,
            dataset_id=dataset_id,
            split=split,
            result=dict(result),
            created_at=now(),
        )

    def evaluation(self, model_id: int) -> dict[str, Any] | None:
        """The newest evaluation's result."""
        query = select(evaluations.c.result).where(evaluations.c.model_id == model_id)
        found: dict[str, Any] | None = self._tx.value(
            query.order_by(evaluations.c.id.desc()).limit(1)
        )
        return found

    def _model(self, row: Row[Any]) -> Model:
        source = self._tx.one(
            select(databits.c.name, datasets.c.number)
            .join(databits, databits.c.id == datasets.c.databit_id)
            .where(datasets.c.id == row.dataset_id)
        )
        assert source is not None  # a foreign key
        result = self.evaluation(row.id)
        return Model(
            name=f"{row.name}@{row.version}",
            dataset=f"{source.name}@{source.number}",
            strategy=row.strategy,
            labels=row.labels,
            accuracy=Interval.model_validate(result["accuracy"]) if result else None,
            uri=row.uri,
            mlflow_run=row.mlflow_run,
            created_at=row.created_at,
        )


def _dataset(row: Row[Any]) -> Dataset:
    return Dataset(
        name=f"{row.databit}@{row.number}",
        databit=row.databit,
        rows=row.summary["rows"],
        splits=row.summary["splits"],
        labels=row.summary["labels"],
        sha256=row.sha256,
        created_at=row.created_at,
    )
