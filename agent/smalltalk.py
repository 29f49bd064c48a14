"""What people say that is no request: greetings, thanks, and asking what can be asked."""

import re
from collections.abc import Sequence

from agent.intent import Say
from agent.ranking import ToolSpec

_HELLO = re.compile(
    r"\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day))(?: there| all)?\W*$", re.I
)
_THANKS = re.compile(
    r"\W*(?:many thanks|thanks?(?: you)?(?: (?:so|very) much| a lot)?|great|perfect|nice|cool|well done|good job)"
    r"(?:[,! ]+thanks?(?: you)?)?\W*$",
    re.IGNORECASE,
)
_BYE = re.compile(r"\W*(?:bye|goodbye|see you|that's all|that is all)\W*$", re.I)
_HELP = re.compile(
    r"\W*(?:help(?: me)?|how (?:does this|do you) work|who are you|what (?:can|do) (?:you|i) (?:do|ask|say)(?: here)?"
    r"(?: for me)?|what are you able to do(?: for me)?|how (?:do|can) i (?:start|begin)|how does it work)\W*$",
    re.IGNORECASE,
)


def small_talk(text: str, specs: Sequence[ToolSpec]) -> Say | None:
    """The answer to what is no request; None when the text may be one."""
    if _THANKS.match(text):
        return Say("You are welcome.")
    if _BYE.match(text):
        return Say("Until next time. This conversation stays here.")
    if _HELLO.match(text):
        return Say("Hello! What shall we do?", suggestions=starters(specs))
    if _HELP.match(text):
        return Say(abilities(specs), suggestions=starters(specs))
    return None


def abilities(specs: Sequence[ToolSpec]) -> str:
    """What the tools do, by stage, in the words of their names."""
    stages: dict[str, list[str]] = {}
    for spec in specs:
        stages.setdefault(spec.stage, []).append(spec.name.replace("_", " "))
    lines = "\n".join(f"- {stage}: {', '.join(names)}" for stage, names in stages.items())
    return f"Say in your own words what you want. This is what I can do, by stage:\n\n{lines}"


def starters(specs: Sequence[ToolSpec]) -> list[str]:
    """Requests that can be made as they stand: reading ones that name nothing, one a stage."""
    by_stage: dict[str, str] = {}
    for spec in specs:
        ready = (e for e in spec.examples if not re.search(r"\b[XY]\b|\d", e))
        example = next(ready, None)
        if spec.effect == "read" and not spec.required and example:
            by_stage.setdefault(spec.stage, example)
    return list(by_stage.values())[:5]
