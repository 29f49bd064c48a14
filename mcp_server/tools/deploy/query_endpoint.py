from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from databits.actor import Actor
from databits.operation import operation
from databits.types import EndpointName

if TYPE_CHECKING:
    from databits.ports import Serving
    from databits.store.database import Database


class AnswerRow(BaseModel):
    request_id: str = Field(description="record_feedback takes it")
    label: str | None
    confidence: float | None


class Answered(BaseModel):
    endpoint: str
    model: str
    answers: list[AnswerRow]
    latency_ms: float


@operation(
    role="viewer",
    effect="read",
    examples=(
        'ask X: "where is my order"',
        "query the endpoint X with some text",
        "what does X say to this message",
        "try the endpoint X",
        'what would X answer to "some text"',
    ),
)
def query_endpoint(
    database: "Database",
    serving: "Serving",
    actor: Actor,
    *,
    endpoint: EndpointName,
    texts: Annotated[
        list[Annotated[str, Field(max_length=100_000)]],
        Field(
            description="Texts to ask about",
            min_length=1,
            max_length=100,
            json_schema_extra={"x-entity": "texts"},
        ),
    ],
) -> Answered:
    """Ask an endpoint about texts. The requests are logged and count in its metrics and drift."""
    answers = serving.answer(database, endpoint, texts, actor.name)
    return Answered(
        endpoint=endpoint,
        model=answers[0].model,
        answers=[
            AnswerRow(request_id=a.request_id, label=a.label, confidence=a.confidence)
            for a in answers
        ],
        latency_ms=round(sum(a.latency_ms for a in answers), 2),
    )
