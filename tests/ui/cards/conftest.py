"""Cards as a person meets them: in the sandboxed frame of a host, over the real server and store."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from databits.platforms.embedded import Embedded
from databits.store import Store
from tests import needs
from tests.conftest import TICKETS, Desk
from tests.ui.cards.host import Host
from tests.ui.conftest import PATIENCE_MS


class Card:
    """A page of the host with one card in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.frame = page.frame_locator("iframe")
        self.opened: dict[str, Any] = {}

    def open(self, tool: str, given: dict[str, Any], **more: Any) -> "Card":
        """Call the tool and show its card; `context` and `stored` as in host.html."""
        self.opened = self.page.evaluate(
            "([tool, given, context, stored]) => openCard(tool, given, context, stored)",
            [tool, given, more.get("context", {"theme": "light"}), more.get("stored")],
        )
        return self

    def seen(self, what: str) -> list[Any]:
        found: list[Any] = self.page.evaluate(f"seen.{what}")
        return found

    def get(self, part: str) -> Any:
        return self.frame.locator(f"#{part}")

    def shows(self, part: str, text: str) -> None:
        """Wait until a part of the card holds this text."""
        self.frame.locator(f"#{part}", has_text=text).wait_for()

    def at(self, item: int) -> None:
        """Wait until this item shows and nothing is being saved."""
        self.shows("where", f"item {item}")
        self.frame.locator("#card:not([aria-busy=true])").wait_for()

    def press(self, key: str) -> None:
        self.get("text").focus()
        self.page.keyboard.press(key)


@pytest.fixture
def suggested(queued: Desk) -> Desk:
    """Every item has a suggestion: the right label, with a confidence that orders them by id."""

    def write(store: Store) -> None:
        store.tx.begin_change("prelabel_items", "engine", "test")
        found = [
            (n, topic, 0.3 + n / 100, "engine. Learnt from 9.")
            for n, (_, topic) in enumerate(TICKETS, 1)
        ]
        store.items.suggest(found, "test", None)
        store.tx.end_change()

    queued.workbench.database.write(write)
    return queued


@pytest.fixture
def show(browser: Any, workbench: Embedded) -> Iterator[Callable[[Desk], Card]]:
    """Opens the host's page over a workbench; cards must ask nobody and break no policy.

    It asks for the workbench only to be taken down before it.
    """
    if not needs.node_packages():
        pytest.skip("The packages of tests/node are missing; `make test` installs them.")
    hosts: list[Host] = []
    contexts: list[Any] = []
    problems: list[str] = []

    def at(desk: Desk) -> Card:
        host = Host(desk.workbench)
        host.__enter__()
        hosts.append(host)
        context = browser.new_context(viewport={"width": 760, "height": 900})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()

        def look(request: Any) -> None:
            if not request.url.startswith((host.url, "data:")):
                problems.append(f"a request to {request.url}")

        def listen(message: Any) -> None:
            if message.type == "error":  # a broken content security policy is one
                problems.append(message.text)

        page.on("request", look)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", listen)
        page.goto(host.url)
        page.wait_for_function("window.ready")
        return Card(page)

    yield at
    for context in contexts:
        context.close()
    for host in hosts:
        host.__exit__()
    assert not problems
