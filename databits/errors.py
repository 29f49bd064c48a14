"""What can go wrong, said so that a person or a model can act on it.

DatabitsError            an anticipated failure; its text is shown to the caller as it is
├─ Invalid               an argument or a file is not what the operation takes
├─ NotFound              nothing has that name or id; the text lists what does exist
├─ Conflict              the thing is in a state that rules the operation out
├─ NotReady              something must happen first; the text says which operation does it
├─ NotAllowed            the actor may not do this; the text says who may
├─ OverQuota             the actor has too much under way; the text says what to wait for
├─ Unavailable           an engine, an extra or a server is missing; the text says how to get it
└─ Cancelled             somebody cancelled the run

Texts never hold data or third parties' words: they reach language models as they are.
"""

from typing import ClassVar


class DatabitsError(Exception):
    """An anticipated failure; `str(error)` says what was wrong and what to do next."""

    phrase: ClassVar[str] = "Failed"


class Invalid(DatabitsError):
    phrase = "Invalid"


class NotFound(DatabitsError):
    phrase = "Not found"


class Conflict(DatabitsError):
    phrase = "Conflict"


class NotReady(DatabitsError):
    phrase = "Not ready"


class NotAllowed(DatabitsError):
    phrase = "Not allowed"


class OverQuota(DatabitsError):
    phrase = "Over quota"


class Unavailable(DatabitsError):
    phrase = "Unavailable"


class Cancelled(DatabitsError):
    phrase = "Cancelled"


def by_phrase(phrase: str) -> type[DatabitsError]:
    """The error class a surface named by its first phrase, so that it can cross a wire."""
    return next(
        (kind for kind in DatabitsError.__subclasses__() if kind.phrase == phrase), DatabitsError
    )
