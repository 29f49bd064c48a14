"""Endpoints, where their traffic goes, and the requests they answered."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from databits.errors import NotFound
from databits.model import Endpoint
from databits.store.pages import oldest_first
from databits.store.shapes import now
from databits.store.tables import datasets, endpoints, models, requests, routes
from databits.store.transaction import Transaction


class Route(NamedTuple):
    """A share of an endpoint's traffic and the model that answers it."""

    endpoint_id: int
    model_id: int
    model: str
    uri: str
    share: int


class Endpoints:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def names(self) -> list[str]:
        return [
            row.name for row in self._tx.rows(select(endpoints.c.name).order_by(endpoints.c.name))
        ]

    def find(self, name: str) -> Row[Any] | None:
        return self._tx.one(select(endpoints).where(endpoints.c.name == name))

    def raw(self, name: str) -> Row[Any]:
        """The endpoint's row.

        Raises:
            NotFound: naming the endpoints that exist.
        """
        row = self.find(name)
        if row is None:
            known = ", ".join(self.names()) or "none yet; deploy_model makes one"
            raise NotFound(f"There is no endpoint of that name. Endpoints: {known}.")
        return row

    def routes(self, name: str) -> list[Route]:
        """Where the traffic goes now."""
        endpoint = self.raw(name)
        rows = self._tx.rows(
            select(routes, models.c.name, models.c.version, models.c.uri)
            .join(models, models.c.id == routes.c.model_id)
            .where(routes.c.endpoint_id == endpoint.id, routes.c.retired_at.is_(None))
            .order_by(routes.c.id)
        )
        return [
            Route(endpoint.id, r.model_id, f"{r.name}@{r.version}", r.uri, r.share) for r in rows
        ]

    def route_all(self, name: str, model_id: int) -> int:
        """Send the whole traffic to one model; makes the endpoint when it is new. Returns its id."""
        row = self.find(name)
        moment = now()
        if row is None:
            endpoint_id = self._tx.add(endpoints, name=name, status="ready", created_at=moment)
        else:
            endpoint_id = row.id
            self._tx.update(endpoints, {endpoint_id: {"status": "ready"}})
            live = select(routes.c.id).where(
                routes.c.endpoint_id == endpoint_id, routes.c.retired_at.is_(None)
            )
            self._tx.update(routes, {r.id: {"retired_at": moment} for r in self._tx.rows(live)})
        self._tx.add(
            routes,
            endpoint_id=endpoint_id,
            model_id=model_id,
            share=100,
            created_at=moment,
            retired_at=None,
        )
        return endpoint_id

    def get(self, name: str) -> Endpoint:
        return self._endpoint(self.raw(name))

    def page(self, after: int, limit: int) -> list[tuple[int, Endpoint]]:
        rows = self._tx.rows(oldest_first(select(endpoints), endpoints.c.id, after, limit))
        return [(row.id, self._endpoint(row)) for row in rows]

    def newest_of(self, databit_id: int) -> str | None:
        """The endpoint that last began to serve a model of a Databit."""
        found: str | None = self._tx.value(
            select(endpoints.c.name)
            .join(routes, routes.c.endpoint_id == endpoints.c.id)
            .join(models, models.c.id == routes.c.model_id)
            .join(datasets, datasets.c.id == models.c.dataset_id)
            .where(datasets.c.databit_id == databit_id, routes.c.retired_at.is_(None))
            .order_by(routes.c.id.desc())
            .limit(1)
        )
        return found

    def count(self) -> int:
        return self._tx.count(endpoints)

    def log(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Append answered requests to the log."""
        return self._tx.insert(requests, rows)

    def request(self, request_id: str) -> Row[Any]:
        row = self._tx.one(select(requests).where(requests.c.request_id == request_id))
        if row is None:
            raise NotFound(
                "There is no request of that id. query_endpoint and the endpoint's replies give it."
            )
        return row

    def request_by_id(self, row_id: int) -> Row[Any]:
        row = self._tx.get(requests, row_id)
        if row is None:
            raise NotFound("There is no request of that id.")
        return row

    def window(self, name: str, since: int, limit: int | None = None) -> Sequence[Row[Any]]:
        """Requests of an endpoint from `since` (µs) on, oldest first; `limit` keeps the newest."""
        endpoint = self.raw(name)
        query = select(requests).where(
            requests.c.endpoint_id == endpoint.id, requests.c.created_at >= since
        )
        rows = self._tx.rows(query.order_by(requests.c.id.desc()).limit(limit))
        return list(reversed(rows))

    def _endpoint(self, row: Row[Any]) -> Endpoint:
        live = self.routes(row.name)
        return Endpoint(
            name=row.name,
            status=row.status,
            model=", ".join(r.model for r in live) or None,
            path=f"/serving-endpoints/{row.name}/invocations",
            requests=self._tx.count(requests, requests.c.endpoint_id == row.id),
            created_at=row.created_at,
        )
