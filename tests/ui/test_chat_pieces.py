"""Pieces of the chat: what is kept, what is uploaded, what a turn looks like."""

from pathlib import Path

import pytest

from agent.events import ApprovalAsked, Failed, Suggestions, Text, ToolFinished, ToolStarted
from databits.errors import Invalid
from databits.platforms.embedded import Embedded
from databits.settings import Settings
from mcp_server.tools.registry.get_pipeline import get_pipeline
from tests.conftest import Desk
from ui import uploads
from ui.person import Person
from ui.steps import next_steps
from ui.telling import Telling
from ui.transcripts import Message, Transcripts


def test_a_conversation_survives_a_restart(tmp_path: Path) -> None:
    first = Transcripts(tmp_path)
    thread = first.thread("")
    first.messages(thread).append(Message(role="user", content="import the tickets"))
    first.save(thread)
    again = Transcripts(tmp_path)
    assert again.messages(thread) == [{"role": "user", "content": "import the tickets"}]
    assert again.recent() == [("import the tickets", thread)]
    assert (tmp_path / "chats" / f"{thread}.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("asked", ["../../etc/passwd", "x" * 32, "", None, 7, "a" * 31 + "/"])
def test_the_name_of_a_thread_is_never_a_path(tmp_path: Path, asked: object) -> None:
    thread = Transcripts(tmp_path).thread(asked)
    assert thread != asked
    assert thread.isalnum()


def test_a_dropped_file_becomes_one_of_the_workspace(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    for number in ("", "-2"):
        dropped = tmp_path / 'my "best" tickets; rm -rf.CSV'
        dropped.write_text("text\nhello\n", encoding="utf-8")
        kept = uploads.keep(settings, dropped)
        assert kept == tmp_path / "home" / "uploads" / f"my-best-tickets-rm-rf{number}.csv"
        assert kept.stat().st_mode & 0o077 == 0
        assert not dropped.exists()


def test_a_file_that_can_not_be_imported_is_refused(tmp_path: Path) -> None:
    dropped = tmp_path / "program.exe"
    dropped.write_bytes(b"MZ")
    with pytest.raises(Invalid, match=r"\.csv"):
        uploads.keep(Settings(home=tmp_path), dropped)


def test_a_turn_becomes_bubbles_folded_calls_and_buttons() -> None:
    messages: list[Message] = []
    telling = Telling(messages)
    for event in (
        Text("Let me "),
        Text("look."),
        ToolStarted("1", "list_items", {"databit": "support"}, "curate"),
        ToolFinished("1", "list_items", True, "two items"),
        Text("There are two."),
        Suggestions(["pre-label support"]),
    ):
        telling.take(event)
    telling.close()
    look, call, answer = messages
    assert look["content"] == "Let me look."
    assert call["metadata"]["title"] == "List items"
    assert call["metadata"]["status"] == "done"
    assert '"databit": "support"' in call["content"]
    assert "two items" in call["content"]
    assert answer["options"] == [{"label": "pre-label support", "value": "ask:pre-label support"}]


def test_buttons_vanish_once_something_follows() -> None:
    messages = [Message(role="assistant", content="?", options=[{"label": "a", "value": "ask:a"}])]
    Telling(messages)
    assert "options" not in messages[0]


def test_a_turn_that_breaks_off_leaves_nothing_spinning() -> None:
    messages: list[Message] = []
    telling = Telling(messages)
    telling.take(ToolStarted("1", "list_items", {}, "curate"))
    telling.take(Failed("The model [x](http://e) is down."))
    telling.close()
    assert messages[0]["metadata"]["status"] == "done"
    assert "[x](" not in messages[1]["content"].replace("\\[", "")


def test_the_buttons_of_a_plan_carry_what_was_shown() -> None:
    messages: list[Message] = []
    Telling(messages).take(ApprovalAsked("i1", "bulk_label", {"summary": "s", "digest": "d9"}))
    assert [o["value"] for o in messages[0]["options"]] == ["approve:i1:d9", "reject:i1:d9"]


def test_the_next_steps_follow_the_stages(workbench: Embedded, desk: Desk) -> None:
    person = Person(workbench, "chat")

    def steps() -> list[str]:
        return [step.request for step in next_steps(person, person.run(get_pipeline))]

    assert steps()[0].endswith('tickets.csv"')
    desk("import_files", path=str(Path("ui/demo/tickets.csv").resolve()))
    assert steps()[0].startswith("create a databit")
    desk("create_databit", name="support", labels=["billing", "login"])
    assert steps() == ["queue the records of tickets for support"]
    desk("queue_items", databit="support", source="tickets")
    assert steps()[0] == "pre-label support"


def test_what_a_button_does_is_a_persons_act(workbench: Embedded) -> None:
    actor = Person(workbench, "review").actor
    assert actor.person
    assert actor.surface == "review"
