"""Measure what the assistant's model makes of requests: `python -m evals.run [--set held-out]`.

Measures the chat model of the settings, or the built-in planner when none is set. The scores go to
MLflow, in the workspace's own store.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

# MLflow evaluates in parallel by default, and its own SQLite store runs out of connections.
os.environ.setdefault("MLFLOW_GENAI_EVAL_MAX_WORKERS", "1")

import mlflow
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from mlflow.genai import evaluate

from agent.conversation import Memory
from agent.intent import Call, Interpreter
from agent.models import chat_model
from agent.ranking import Phrasebook, Ranker, ToolSpec
from databits import tracking
from databits.operation import CATALOGUE, load_catalogue
from databits.settings import Settings
from evals.cases import cases, world
from evals.scorers import SCORERS
from prompts import load

Answer = dict[str, Any]
Choose = Callable[[str], Answer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--set", choices=["tuned", "held-out", "fresh"], help="only these cases")
    chosen = parser.parse_args().set
    load_catalogue()
    settings = Settings()
    model = chat_model(settings)
    choose = by_chat_model(model) if model else by_planner()
    tracking.start(settings)
    data = [
        {
            "inputs": {"request": case.request},
            "expectations": {"tool": case.tool, "arguments": case.arguments},
        }
        for case in cases(chosen)
    ]
    with mlflow.start_run(run_name="evals"):
        mlflow.log_params({"model": settings.model or "planner", "cases": chosen or "all"})
        result = evaluate(data=data, predict_fn=lambda request: choose(request), scorers=SCORERS)
    for name, value in sorted(result.metrics.items()):
        print(f"{name}: {value:.3f} of {len(data)}")


def by_planner() -> Choose:
    """The built-in planner, without a conversation before the request."""
    ranker, known = Ranker(specs(), Phrasebook()), world()

    def choose(request: str) -> Answer:
        step = Interpreter(ranker, known, Memory()).read(request)
        if isinstance(step, Call):
            return {"tool": step.spec.name, "arguments": step.arguments}
        return {"tool": None, "arguments": {}}

    return choose


def by_chat_model(model: BaseChatModel) -> Choose:
    """A chat model that is offered every tool at once; its first call counts."""
    offered = [
        {"name": op.name, "description": op.description, "parameters": op.input_schema}
        for op in CATALOGUE.values()
        if not op.people_only
    ]
    bound = model.bind_tools([{"type": "function", "function": tool} for tool in offered])
    known = world()
    there = f"{load('supervisor')}\n\nThere are: {dict(known.names)}. Labels: {dict(known.labels)}."

    def choose(request: str) -> Answer:
        reply = bound.invoke([SystemMessage(there), HumanMessage(request)])
        call = reply.tool_calls[0] if reply.tool_calls else None
        return {"tool": call["name"] if call else None, "arguments": call["args"] if call else {}}

    return choose


def specs() -> list[ToolSpec]:
    """The catalogue as the planner sees it."""
    return [
        ToolSpec(op.name, op.description, tuple(op.examples), op.input_schema, op.effect, op.stage)
        for op in CATALOGUE.values()
        if not op.people_only
    ]


if __name__ == "__main__":
    main()
