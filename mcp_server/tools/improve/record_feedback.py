from typing import Annotated, Literal

from pydantic import Field

from databits.actor import Actor
from databits.errors import Invalid
from databits.model import Changed
from databits.operation import operation
from databits.store import Store
from databits.types import Label

SCORES = {"down": -1, "none": 0, "up": 1}


class FeedbackRecorded(Changed):
    feedback: int
    request_id: str
    answer: str | None
    correction: str | None = None


@operation(
    role="labeler",
    effect="write",
    examples=(
        "that answer was wrong, it should be refund",
        "thumbs down for request X",
        "record that request X should have been billing",
        "thumbs up",
    ),
)
def record_feedback(
    store: Store,
    actor: Actor,
    *,
    request_id: Annotated[
        str,
        Field(
            description="From the endpoint's answer",
            max_length=40,
            json_schema_extra={"x-entity": "request"},
        ),
    ],
    thumbs: Annotated[
        Literal["up", "down", "none"], Field(description="Was the answer good")
    ] = "none",
    correction: Annotated[Label | None, Field(description="What it should have been")] = None,
    comment: Annotated[str, Field(description="In the person's words", max_length=4000)] = "",
) -> FeedbackRecorded:
    """Record what a person thinks of an endpoint's answer; a correction becomes a candidate label."""
    request = store.endpoints.request(request_id)
    model = store.models.by_id(request.model_id)
    name = None
    if correction is not None:
        name = next(
            (label for label in model.labels if label.casefold() == correction.strip().casefold()),
            None,
        )
        if name is None:
            raise Invalid(f"The model has no such label. Its labels: {', '.join(model.labels)}.")
    score = (
        SCORES[thumbs]
        if thumbs != "none" or name is None
        else (1 if name == request.answer else -1)
    )
    if score == 0 and name is None and not comment:
        raise Invalid(
            "Feedback says thumbs up or down, a correction, or a comment; this says nothing."
        )
    made = store.feedback.add(request.id, score, name, comment, actor.name)
    return FeedbackRecorded(
        feedback=made, request_id=request_id, answer=request.answer, correction=name
    )
