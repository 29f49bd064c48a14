"""Approvals: what a question of the server looks like to a person, and what their answer looks like to it."""

from collections.abc import Sequence
from typing import Any

from langgraph.types import Interrupt

from agent.client import Answer, Question
from agent.events import ApprovalAsked


def asked(interrupts: Sequence[Interrupt]) -> list[ApprovalAsked]:
    """The open approvals of a thread, as events."""
    return [
        ApprovalAsked(interrupt.id, interrupt.value["tool"], plan_of(interrupt.value))
        for interrupt in interrupts
    ]


def plan_of(question: Question) -> dict[str, Any]:
    """The plan a question is about; a foreign server's question is put in the same words."""
    plan = question["schema"].get("properties", {}).get("plan", {})
    carried: dict[str, Any] | None = plan.get("x-plan")
    return carried or {
        "operation": question["tool"],
        "arguments": question["arguments"],
        "summary": question["message"],
        "digest": plan.get("default", ""),
    }


def answer(question: Question, approve: bool) -> Answer:
    """The answer in the terms of the question's schema: yes where it asks, its defaults elsewhere.

    The defaults carry the digest of the plan that was shown, so the answer binds to that plan.
    """
    if not approve:
        return {"action": "decline"}
    fields = question["schema"].get("properties", {})
    content = {
        name: True if field.get("type") == "boolean" else field["default"]
        for name, field in fields.items()
        if field.get("type") == "boolean" or "default" in field
    }
    return {"action": "accept", "content": content}
