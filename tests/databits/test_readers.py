import codecs
import csv
import io
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databits.errors import Invalid, NotAllowed, NotFound
from databits.readers import (
    Limits,
    comparison_key,
    content_sha,
    find_files,
    normalise_text,
    read_file,
    text_sha,
)
from databits.readers.columns import choose_text_column
from databits.readers.delimited import unique_names

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pdf_of(pages: list[str]) -> bytes:
    """A PDF with a page for each text; a page without text is a white sheet, as a scan looks."""
    kids = " ".join(f"{3 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
    ]
    font = "<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
    for i, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * i} 0 R "
            f"/Resources << /Font {font} >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        f"{out}xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    ).encode()


# --- what is read -------------------------------------------------------------------------------


def test_a_csv_gives_a_record_a_row_and_counts_lines_as_a_person_does(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'id,text\n007,"two\nlines"\n8,next\n')
    read = read_file(path)
    assert [(r.text, r.fields, r.position) for r in read.records] == [
        ("two\nlines", {"id": "007"}, 2),
        ("next", {"id": "8"}, 4),
    ]
    assert read.records[1].origin == {"line": 4}
    assert read.text_column == "text"
    assert read.problems == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_delimiter_is_told_from_the_rows(tmp_path: Path, delimiter: str, name: str) -> None:
    rows = [["id", "text"], ["1", '"a, b; c | d"'], ["2", "plain"]]
    path = written(tmp_path, name, "\n".join(delimiter.join(row) for row in rows))
    assert [r.text for r in read_file(path).records] == ["a, b; c | d", "plain"]


def test_commas_in_a_table_of_one_column_are_text(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "text\nhello, world; again\nplain\n")
    assert [r.text for r in read_file(path).records] == ["hello, world; again", "plain"]


def test_json_lines_keep_numbers_and_turn_nested_values_into_json_text(tmp_path: Path) -> None:
    row = {"text": "hi", "n": 3, "x": 0.5, "ok": True, "no": None, "tags": ["a", {"b": "ü"}]}
    path = written(tmp_path, "a.jsonl", json.dumps(row) + '\n\n"just a text"\n')
    first, second = read_file(path).records
    assert first.fields == {"n": 3, "x": 0.5, "ok": True, "no": None, "tags": '["a", {"b": "ü"}]'}
    assert (second.text, second.position, second.origin) == ("just a text", 3, {"line": 3})


def test_a_json_list_counts_its_elements(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", '[{"text": "a"},\n 5,\n "b"]')
    read = read_file(path)
    assert [(r.text, r.position, r.origin) for r in read.records] == [
        ("a", 1, {"row": 1}),
        ("b", 3, {"row": 3}),
    ]
    assert [p.position for p in read.problems] == [2]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.MARKDOWN"])
def test_a_document_is_one_record(tmp_path: Path, name: str) -> None:
    read = read_file(written(tmp_path, name, "# Title\r\n\r\nTwo paragraphs.\r\n"))
    assert [(r.text, r.position) for r in read.records] == [("# Title\n\nTwo paragraphs.\n", 1)]


def test_a_pdf_gives_its_pages_and_says_which_need_ocr(tmp_path: Path) -> None:
    read = read_file(written(tmp_path, "a.pdf", pdf_of(["First page", "", "Third page"])))
    assert [(r.text, r.position, r.origin) for r in read.records] == [
        ("First page", 1, {"page": 1}),
        ("Third page", 3, {"page": 3}),
    ]
    assert [(p.position, "OCR" in p.reason) for p in read.problems] == [(2, True)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id,text\n1,grün\n".encode(), None),
        ("id,text\n1,grün\n".encode("utf-8-sig"), None),
        ("id,text\n1,grün\n".encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + "id,text\n1,grün\n".encode("utf-16-be"), None),
        ("id,text\n1,grün\n".encode("utf-16-le"), "utf-16-le"),
        ("id,text\n1,grün\n".encode("cp1252"), "cp1252"),
        ("id,text\n1,grün\n".encode("utf-8-sig"), "cp1252"),
    ],
)
def test_text_is_decoded_by_its_mark_or_as_told(
    tmp_path: Path, content: bytes, encoding: str | None
) -> None:
    read = read_file(written(tmp_path, "a.csv", content), encoding=encoding)
    assert [(r.text, r.fields) for r in read.records] == [("grün", {"id": "1"})]


def test_a_hundred_thousand_rows_with_three_broken_ones(tmp_path: Path) -> None:
    rows = [f"{i},The invoice of order {i} is wrong,open" for i in range(2, 100_002)]
    rows[998] = '1000,"never closed,open'
    rows[49_998] = "50000,one cell too many,open,"
    rows[89_998] = "90000,\udcff is not UTF-8,open"
    content = "\n".join(["id,text,state", *rows]).encode("utf-8", "surrogateescape")
    path = written(tmp_path, "large.csv", content)
    start = time.thread_time()
    read = read_file(path)
    took, start = time.thread_time() - start, time.thread_time()
    unquoted = content.decode(errors="replace").replace('"', "")
    assert len([*csv.reader(io.StringIO(unquoted))]) == 100_001
    assert took < 30 * (time.thread_time() - start), "six times the library's parser, as measured"
    assert [p.position for p in read.problems] == [1000, 50_000, 90_000]
    assert len(read.records) == 99_997
    assert all(r.fields["id"] == str(r.position) for r in read.records)


@given(st.lists(st.text(alphabet="ab \",;'\n\r\té😀", max_size=10), min_size=1, max_size=9))
def test_what_a_csv_writer_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("text", "id"), *((text, i) for i, text in enumerate(texts))])
    read = read_file(path)
    kept = {str(i): normalise_text(text) for i, text in enumerate(texts) if text.strip()}
    assert {str(r.fields["id"]): r.text for r in read.records} == kept
    assert len(read.problems) == len(texts) - len(kept)


# --- rows that are left out ---------------------------------------------------------------------

BROKEN_ROWS: dict[str, tuple[str, str | bytes, list[int]]] = {
    "too few cells": ("a.csv", "id,text\n1\n2,good\n", [2]),
    "too many cells": ("a.csv", "id,text\n1,a,b\n2,good\n", [2]),
    "an empty text": ("a.csv", "id,text\n1,  \n2,good\n", [2]),
    "a quote closed nowhere": ("a.csv", 'id,text\n1,"open\n2,good\n', [2]),
    "a quote closed by the next row's": ("a.csv", 'id,text\n1,"open\n2,"good"\n', [2]),
    "an undoubled quote": ("a.csv", 'id,text\n1,"say "hi" to"\n2,good\n', [2]),
    "an unclosed quote at the end": ("a.csv", 'id,text\n2,good\n3,"open', [3]),
    "bytes that are not UTF-8": ("a.csv", b"id,text\n1,\xff\n2,good\n", [2]),
    "a NUL byte far from the start": ("a.csv", "id,text\n2,good\n3," + "x" * 9000 + "\0\n", [3]),
    "a cell over the limit": ("a.csv", f"id,text\n1,{'x' * 20_000}\n2,good\n", [2]),
    "a field over the limit": ("a.jsonl", json.dumps({"text": "a", "f": "x" * 20_000}), [1]),
    "a line that is not JSON": ("a.jsonl", '{"text": "good"}\n{"text": \n', [2]),
    "a line that is not an object": ("a.jsonl", '{"text": "good"}\n17\n[]\n{}\n', [2, 3, 4]),
    "a line nested too deep": ("a.jsonl", '{"text": "good"}\n' + "[" * 100_000, [2]),
    "NaN": ("a.jsonl", '{"text": "good"}\n{"text": "a", "x": NaN}\n', [2]),
    "a number too large for a float": ("a.jsonl", '{"text": "good", "x": 1}\n{"x": 1e999}\n', [2]),
    "a text that is a number": ("a.jsonl", '{"text": "good"}\n{"text": 5}\n', [2]),
    "no text at all": ("a.jsonl", '{"text": "good"}\n{"id": 5}\n{"text": null}\n', [2, 3]),
    "bad bytes in JSON": ("a.jsonl", b'{"text": "good"}\n{"text": "\xff"}\n', [2]),
}


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_a_broken_row_is_named_and_the_rest_is_read(tmp_path: Path, case: str) -> None:
    name, content, positions = BROKEN_ROWS[case]
    read = read_file(written(tmp_path, name, content), limits=Limits(max_cell=15_000))
    assert [p.position for p in read.problems] == positions
    assert all(p.reason for p in read.problems)
    assert {r.text[:4] for r in read.records} <= {"good"}
    assert len(read.records) == (0 if case == "a field over the limit" else 1)


def test_a_cell_of_ten_megabytes_costs_only_its_row(tmp_path: Path) -> None:
    big = "a line of it\n" * 800_000
    path = written(tmp_path, "a.csv", f'id,text\n1,first\n2,"{big}"\n3,last\n')
    read = read_file(path)
    assert [r.text for r in read.records] == ["first", "last"]
    assert [p.position for p in read.problems] == [3]


def test_a_quote_that_swallows_more_than_the_span_costs_only_its_row(tmp_path: Path) -> None:
    rows = "".join(f"{i},good\n" for i in range(2000))
    path = written(tmp_path, "a.csv", f'id,text\n0,"open\n{rows}')
    read = read_file(path, limits=Limits(max_cell=100))
    assert (len(read.records), [p.position for p in read.problems]) == (2000, [2])


@given(st.lists(st.text(alphabet='ab",\n\r;', max_size=12), min_size=1, max_size=8))
def test_every_table_is_read_or_refused_and_no_position_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), "any.csv", "\n".join(rows))
    try:
        read = read_file(path)
    except Invalid:
        return
    positions = [r.position for r in read.records] + [p.position for p in read.problems]
    assert len(set(positions)) == len(positions)


# --- files that are refused ---------------------------------------------------------------------

REFUSED: dict[str, tuple[str, bytes, str | None, str]] = {
    "an empty file": ("a.csv", b"", None, "is empty"),
    "only a header": ("a.csv", b"id,text\n", None, "0 rows"),
    "only line ends": ("a.csv", b"\n\n\n", None, "0 rows"),
    "an unclosed header": ("a.csv", b'id,"text\n1,a\n', None, "header"),
    "no JSON rows": ("a.jsonl", b"\n\n", None, "0 rows"),
    "an empty list": ("a.json", b"[]", None, "0 rows"),
    "one object": ("a.json", b'{"text": "a"}', None, "list"),
    "JSON Lines by another name": ("a.json", b'{"a": 1}\n{"a": 2}', None, ".jsonl"),
    "JSON nested too deep": ("a.json", b"[" * 100_000, None, "not one JSON value"),
    "a binary file": ("a.csv", b"PK\3\4\0\0id,text", None, "NUL"),
    "UTF-16 without a mark": ("a.txt", "text".encode("utf-16-le"), None, "utf-16-le"),
    "half a character of UTF-16": ("a.txt", b"\xff\xfea\0b", None, "not valid utf-16"),
    "text in another encoding": ("a.txt", b"line\ngr\xfcn", None, r"line 2 \(byte 7\).*cp1252"),
    "a table in another encoding": (
        "a.csv", b"id,text\n1,gr\xfcn\n2,sch\xf6n\n3,a", None, r"2 of 3 rows.*line 2 \(byte 12\)",
    ),
    "an unknown encoding": ("a.txt", b"a", "klingon", "encoding is not known"),
    "an encoding that is not one of text": ("a.txt", b"a", "rot13", "encoding is not known"),
    "a blank document": ("a.md", b" \n\t\n", None, "no text"),
    "a document over the limit": ("a.txt", b"x" * 15_001, None, "15,000 characters"),
    "a PDF in name only": ("a.pdf", b"hello", None, "not a PDF"),
    "a damaged PDF": ("a.pdf", b"%PDF-1.4\nrubbish", None, "damaged"),
    "a type that is not read": ("a.docx", b"PK", None, r"\.csv, .*\.pdf"),
    "a file over the limit": ("a.txt", b"x" * 200_001, None, "200,000"),
    "no text in any column": ("a.jsonl", b'{"a": 1}\n', None, "No column"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, case: str) -> None:
    name, content, encoding, says = REFUSED[case]
    limits = Limits(max_cell=15_000, max_bytes=200_000)
    with pytest.raises(Invalid, match=says):
        read_file(written(tmp_path, name, content), encoding=encoding, limits=limits)


def test_a_few_undecodable_rows_are_problems_and_more_than_one_percent_a_refusal(
    tmp_path: Path,
) -> None:
    good = [b"1,fine"] * 198
    few = written(tmp_path, "few.csv", b"\n".join([b"id,text", *good, b"2,\xff", b"3,\xfe"]))
    assert [p.position for p in read_file(few).problems] == [200, 201]
    many = written(tmp_path, "many.csv", b"\n".join([b"id,text", *good[3:], *[b"2,\xff"] * 5]))
    with pytest.raises(Invalid, match="5 of 200 rows"):
        read_file(many)


def test_what_is_not_there_or_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_file(tmp_path / "gone.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(Invalid, match="not a regular file"):
        read_file(tmp_path / "pipe.csv")


# --- columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"id": "a-very-long-identifier", "Text": "x"}, "Text"),
        ({"subject": "a longer subject than body", "body": "it is broken"}, "body"),
        ({"ticket": "T-1", "problem": "nothing works any more"}, "problem"),
        ({"a": "short", "b": "a much longer text"}, "b"),
        ({"a": "same", "b": "size"}, "a"),
        ({"n": 5, "b": "x"}, "b"),
    ],
)
def test_the_text_column_is_the_one_people_write_in(row: dict[str, object], column: str) -> None:
    assert choose_text_column([row]) == column


def test_a_column_that_is_asked_for_is_taken_and_an_unknown_one_lists_the_others(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "a.csv", "id,text,title\n1,a,b\n")
    read = read_file(path, text_column="title")
    assert [(r.text, r.fields) for r in read.records] == [("b", {"id": "1", "text": "a"})]
    with pytest.raises(Invalid, match="id, text, title"):
        read_file(path, text_column="titel")


def test_names_of_columns_are_made_unique() -> None:
    names = unique_names(["a", "a", "", "a_2", " b\n c ", ""])
    assert names == ["a", "a_2", "column_3", "a_2_2", "b c", "column_6"]


# --- text and digests ---------------------------------------------------------------------------


@given(st.text(alphabet=st.characters()))
def test_normalised_text_stays_as_it_is_and_can_be_stored(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert once.encode().decode() == once
    assert not {"\r", "\0", "\x1b"} & set(once)


def test_normalising_composes_letters_and_keeps_tabs_and_newlines() -> None:
    assert normalise_text("e\u0301\r\na\tb\rc\x07\u2028d") == "é\na\tb\nc\nd"
    assert normalise_text("half \ud800") == "half \ufffd"


@given(st.text(), st.dictionaries(st.text(), VALUES))
def test_the_digest_of_content_does_not_depend_on_the_order_of_fields(
    text: str, fields: dict[str, str | int | float | bool | None]
) -> None:
    turned = dict(reversed(list(fields.items())))
    assert content_sha(text, fields) == content_sha(text, turned)
    assert content_sha(text, fields) != content_sha(text + "x", fields)


def test_values_of_different_kinds_are_different_content() -> None:
    assert len({content_sha("a", {"n": value}) for value in (1, 1.0, True, "1", None)}) == 5


@given(st.text())
def test_texts_that_differ_in_case_and_space_say_the_same(text: str) -> None:
    assert text_sha(f"  {text}\n") == text_sha(text)
    assert comparison_key(comparison_key(text)) == comparison_key(text)
    assert text_sha("Order  12\nis LATE") == text_sha("order 12 is late") != text_sha("order 1")


# --- finding files ------------------------------------------------------------------------------


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.txt", ".hidden.csv", "sub/c.md", ".git/d.txt", "sub/photo.png"):
        path = tmp_path / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path / "inbox"


def names(folder: Path, found: list[Path]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_file_a_folder_and_a_glob_are_found(inbox: Path) -> None:
    assert names(inbox, find_files(f' "{inbox}/b.csv" ', allowed_roots=None)) == ["b.csv"]
    everything = find_files(str(inbox), allowed_roots=[inbox])
    assert names(inbox, everything) == ["a.txt", "b.csv", "sub/c.md", "sub/photo.png"]
    assert names(inbox, find_files(f"{inbox}/*.csv", allowed_roots=[inbox])) == ["b.csv"]
    assert names(inbox, find_files(f"{inbox}/**/*.md", allowed_roots=None)) == ["sub/c.md"]
    assert names(inbox, find_files(f"{inbox}/.hidden.csv", allowed_roots=None)) == [".hidden.csv"]


def test_a_file_with_a_name_like_a_glob_is_a_file(inbox: Path) -> None:
    written(inbox, "b[1].csv", "x")
    found = find_files(f"{inbox}/b[1].csv", allowed_roots=None)
    assert names(inbox, found) == ["b[1].csv"]


def test_a_missing_file_names_what_is_nearest_and_the_types(inbox: Path) -> None:
    with pytest.raises(NotFound, match=r"The folder has: b\.csv and 2 more.*\.jsonl"):
        find_files(f"{inbox}/bb.csv", allowed_roots=None)
    with pytest.raises(NotFound, match=r"no sbu in .*The folder has: sub and 2 more"):
        find_files(f"{inbox}/sbu/deep/c.md", allowed_roots=None)
    with pytest.raises(NotFound, match="No file"):
        find_files(f"{inbox}/*.parquet", allowed_roots=None)


@pytest.mark.parametrize("typed", ["", "  ", '""', "a\0b"])
def test_nothing_typed_is_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="file, a folder or a glob"):
        find_files(typed, allowed_roots=None)


@pytest.mark.parametrize(
    "typed", ["{outside}", "{root}/../secret.txt", "{root}/link.txt", "{root}", "{root}/*.txt"]
)
def test_nothing_outside_the_roots_is_read_not_even_by_a_link(inbox: Path, typed: str) -> None:
    outside = written(inbox.parent, "secret.txt", "x")
    (inbox / "link.txt").symlink_to(outside)
    with pytest.raises(NotAllowed, match="outside"):
        find_files(typed.format(root=inbox, outside=outside), allowed_roots=[inbox])


def test_what_does_not_exist_outside_the_roots_is_not_told(inbox: Path) -> None:
    with pytest.raises(NotAllowed):
        find_files(f"{inbox.parent}/nothing.txt", allowed_roots=[inbox])
    with pytest.raises(NotFound) as told:
        find_files(f"{inbox.parent}/gone/a.txt", allowed_roots=[inbox.parent / "gone"])
    assert "inbox" not in str(told.value)


def test_a_link_within_the_roots_is_followed_and_a_file_is_found_once(inbox: Path) -> None:
    (inbox / "loop").symlink_to(inbox)
    (inbox / "again.csv").symlink_to(inbox / "b.csv")
    found = find_files(f"{inbox}/**/*.csv", allowed_roots=[inbox])
    assert names(inbox, found) == ["again.csv"]
