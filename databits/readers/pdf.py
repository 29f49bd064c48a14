"""The text layer of PDF files, one record a page."""

import threading
from contextlib import closing
from pathlib import Path

import pypdfium2 as pdfium

from databits.errors import Invalid
from databits.readers.content import normalise_text
from databits.readers.record import FileRead, Limits, Problem, RawRecord

# PDFium is not thread-safe, not even for two different documents, and imports run in threads.
_PDFIUM = threading.Lock()
_HEAD = 1024  # bytes in which readers look for the signature


def read_pdf(path: Path, *, limits: Limits) -> FileRead:
    """The text of every page that has a text layer; other pages are problems.

    Raises:
        Invalid: it is not a PDF, is damaged or protected, or has no pages.
    """
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(_HEAD):
            raise Invalid(f"{path.name} is not a PDF file, whatever its name says.")
    read = FileRead()
    with _PDFIUM:
        try:
            document = pdfium.PdfDocument(path)
        except pdfium.PdfiumError:
            raise Invalid(
                f"{path.name} cannot be opened: it is damaged or protected by a password. "
                "Save an unprotected copy."
            ) from None
        with closing(document):
            for number in range(1, len(document) + 1):
                found = _read_page(document, number, limits)
                if isinstance(found, Problem):
                    read.problems.append(found)
                else:
                    read.records.append(found)
    if not read.records and not read.problems:
        raise Invalid(f"{path.name} has no pages.")
    return read


def _read_page(document: pdfium.PdfDocument, number: int, limits: Limits) -> RawRecord | Problem:
    try:
        with closing(document[number - 1]) as page, closing(page.get_textpage()) as layer:
            text = normalise_text(layer.get_text_range()).strip()
    except pdfium.PdfiumError:
        return Problem(number, "the page is damaged")
    if not text:
        return Problem(number, "the page has no text layer; a scan needs OCR (extract_text)")
    if len(text) > limits.max_cell:
        return Problem(
            number, f"the page has {len(text):,} characters; the limit is {limits.max_cell:,}"
        )
    return RawRecord(text, {}, number, {"page": number})
