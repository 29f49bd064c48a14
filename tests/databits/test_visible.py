"""What does not show is spelled out; what does stays as it is."""

import json
import unicodedata

import pytest

from databits.visible import visible, visible_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é ß 漢字 😀", "plain, é ß 漢字 😀"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
        ("\x1b]8;;https://evil.example\x07here", "\\u001b]8;;https://evil.example\\u0007here"),
        ("\x9b2J", "\\u009b2J"),
        ("pay\u200bpal ad\u200dmin", "pay\\u200bpal ad\\u200dmin"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("\ud800", "\\ud800"),
        ("a\u2028b\ufeff", "a\\u2028b\\ufeff"),
        ("half\rline", "half\\rline"),
        ("10\u00a0€\u3000", "10\u00a0€\u3000"),
        ("می\u200cخواهم 👨\u200d👩\u200d👧", "می\u200cخواهم 👨\u200d👩\u200d👧"),
        ("\u200d😀", "\\u200d😀"),
    ],
)
def test_only_what_does_not_show_is_spelled(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_json_made_visible_reads_back_exactly() -> None:
    every = "".join(map(chr, range(0x3000))) + "\U000e0041\ud800\U0010ffff\ufeff\U0001f600"
    value = {"text": every, every: [every, 1, None]}
    for said in (visible_json(value), visible_json(value, indent=2)):
        assert json.loads(said) == value
        hidden = [c for c in said if unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp")]
        assert set(hidden) <= {"\n"}
    assert "\n" not in visible_json(value)
