"""What a record says: clean text, and digests that tell whether two records say the same."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping

Value = str | int | float | bool | None

_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
# Cc without tab and newline; the two noncharacters are what PDFium writes for a broken hyphen.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def normalise_text(text: str) -> str:
    r"""Text in NFC with `\n` line ends and no control characters but newline and tab.

    Applying it twice changes nothing. An unpaired surrogate, which no encoding can store,
    becomes U+FFFD. White space at either end is kept: spans point into the text as it is.
    """
    if text.isascii() and text.isprintable():
        return text  # most cells of most tables
    text = _CONTROL.sub("", _LINE_END.sub("\n", text))
    if not text.isascii():
        text = unicodedata.normalize("NFC", _HALF_CHARACTER.sub("\ufffd", text))
    return text


def comparison_key(text: str) -> str:
    """Text without what a reader would not call a difference: case, and how white space is laid.

    Digits and punctuation stay: two tickets that differ in the order number are two tickets.
    """
    return " ".join(normalise_text(normalise_text(text).casefold()).split())


def text_sha(text: str) -> str:
    """SHA-256, in hex, of the text's `comparison_key`: equal for texts that say the same."""
    return hashlib.sha256(comparison_key(text).encode()).hexdigest()


def content_sha(text: str, fields: Mapping[str, Value]) -> str:
    """SHA-256, in hex, of a record's text and fields as canonical JSON (sorted keys, UTF-8).

    Equal content has the equal digest wherever it was read from and in whatever order its columns
    stood, so that importing the same bytes twice makes no second record. `1`, `1.0`, `true` and
    `"1"` are four different values.
    """
    content = {"text": text, "fields": dict(fields)}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
