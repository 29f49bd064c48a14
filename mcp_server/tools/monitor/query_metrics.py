from typing import Annotated

from pydantic import BaseModel, Field

from databits.metrics import HOUR, over_time, summarise
from databits.model import Moment
from databits.operation import operation
from databits.store import Store
from databits.store.shapes import now
from databits.types import EndpointName


class Latency(BaseModel):
    p50: float
    p95: float
    p99: float


class ModelMetrics(BaseModel):
    model: str
    requests: int
    errors: int
    mean_confidence: float | None
    latency_ms: Latency | None
    answers: dict[str, int]


class Span(BaseModel):
    hours_ago: float = Field(description="Where it begins")
    requests: int
    errors: int
    p95_ms: float | None


class Metrics(BaseModel):
    endpoint: str
    since: Moment
    requests: int
    errors: int
    error_rate: float
    latency_ms: Latency | None = Field(description="None when nothing was answered")
    feedback: dict[str, int]
    by_model: list[ModelMetrics]
    over_time: list[Span] = Field(description="Equal spans, oldest first; none without requests")


@operation(
    role="viewer",
    effect="read",
    examples=(
        "metrics of X",
        "how slow is X",
        "how many requests and errors does X have",
        "error rate of X",
        "traffic of X",
    ),
)
def query_metrics(
    store: Store,
    *,
    endpoint: EndpointName,
    hours: Annotated[float, Field(description="How far back", gt=0, le=24 * 366)] = 24,
) -> Metrics:
    """Measure an endpoint: requests, errors, latency p50/p95/p99 in ms, answers and feedback, by model, over time."""
    until = now()
    since = until - int(hours * HOUR)
    rows = store.endpoints.window(endpoint, since)
    names = {row.model_id: row.model_id for row in rows}
    for model_id in names:
        model = store.models.by_id(model_id)
        names[model_id] = f"{model.name}@{model.version}"
    whole = summarise(rows)
    scores = store.feedback.scores(store.endpoints.raw(endpoint).id)
    return Metrics(
        endpoint=endpoint,
        since=since,  # microseconds, as the store keeps them
        requests=whole.requests,
        errors=whole.errors,
        error_rate=round(whole.errors / whole.requests, 4) if whole.requests else 0.0,
        latency_ms=Latency(**whole.latency_ms) if whole.latency_ms else None,
        feedback={"up": scores[1], "neutral": scores[0], "down": scores[-1]},
        by_model=[
            ModelMetrics(
                model=str(name), **summarise([r for r in rows if r.model_id == i])._asdict()
            )
            for i, name in names.items()
        ],
        over_time=[Span(**span._asdict()) for span in over_time(rows, since, until)],
    )
