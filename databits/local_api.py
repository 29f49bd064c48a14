"""The serving process's answers to commands of its own user: the other end of `remote.py`.

Framework-free: `ui.app` puts it behind a route, checks the secret, and calls `answer`.
"""

from typing import Any

from databits.actor import Actor
from databits.change import actor_of
from databits.errors import DatabitsError, Invalid
from databits.remote import ALLOWED, envelope, refusal
from databits.workbench import Workbench


def answer(workbench: Workbench, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    """Perform one call; a refusal comes back as data."""
    try:
        if verb not in ALLOWED:
            raise Invalid(f"There is no such call. Calls: {', '.join(sorted(ALLOWED))}.")
        if verb == "carry_out":
            return _carry_out(workbench, int(body["plan"]))
        actor: Actor = actor_of(body["actor"])
        name, arguments = str(body["name"]), dict(body["arguments"])
        if verb == "propose":
            return {
                "kind": "plan",
                "data": workbench.propose(name, arguments, actor).model_dump(mode="json"),
            }
        return envelope(name, workbench.run(name, arguments, actor))
    except DatabitsError as error:
        return refusal(error)


def _carry_out(workbench: Workbench, plan_id: int) -> dict[str, Any]:
    name = workbench.database.read(lambda store: store.plans.raw(plan_id)).operation
    return envelope(name, workbench.carry_out(plan_id))
