"""Formats: the documents inside a file, each under a name of its own, and what is no document."""

import csv
import gzip
import io
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_for_tests import PACKERS, read_files, survey_of, tar_of, texts_of, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.sources import reading, records
from trainer_core.data.sources.records import NoJson, json_values
from trainer_core.errors import DataError
from trainer_core.spec import TextFiles

ROWS = ["The first text.\n", "Zweiter Text, mit Komma\nund Zeile.", 'Third "quoted" текст 🙂']


def table(rows=ROWS, delimiter=",", column="text"):
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerow(["id", column])
    writer.writerows(enumerate(rows))
    return written.getvalue().encode()


def parquet(rows=ROWS, column="text", **settings):
    written = io.BytesIO()
    pq.write_table(pa.table({"id": list(range(len(rows))), column: rows}), written, **settings)
    return written.getvalue()


def json_lines(rows=ROWS, field="text"):
    return "".join(json.dumps({"id": 1, field: row}) + "\n" for row in rows).encode()


def json_array(rows=ROWS, field="text"):
    return json.dumps([{"id": 1, field: row} for row in rows], indent=1).encode()


WRITERS = {
    ".jsonl": (json_lines, "line"),
    ".ndjson": (json_lines, "line"),
    ".json": (json_array, "item"),
    ".csv": (table, "row"),
    ".tsv": (lambda *rows: table(*rows, delimiter="\t"), "row"),
    ".parquet": (parquet, "row"),
}


def expected(name, unit, rows=ROWS):
    return {f"{name} {unit} {number}": row for number, row in enumerate(rows, 1)}


# --- every format, packed in every way -----------------------------------------------------------


@pytest.mark.parametrize("ending", WRITERS)
def test_each_record_is_a_document_that_says_where_it_stands(tmp_path, ending):
    write, unit = WRITERS[ending]
    (tmp_path / f"file{ending}").write_bytes(write())
    assert read_files(tmp_path / f"file{ending}") == (expected(f"file{ending}", unit), {})
    documents = survey_of(TextFiles(paths=(str(tmp_path),)))
    paths = [document.path for document in documents.again()]
    assert paths[1] == f"{tmp_path}/file{ending} {unit} 2"


@pytest.mark.parametrize("ending", [*WRITERS, ".txt"])
@pytest.mark.parametrize("packer", PACKERS)
def test_packed_files_give_what_is_in_them(tmp_path, ending, packer):
    path = tmp_path / f"file{ending}{packer}"
    write, unit = WRITERS.get(ending, (None, ""))
    path.write_bytes(PACKERS[packer](write() if write else ROWS[1].encode()))
    wanted = expected(path.name, unit) if write else {path.name: ROWS[1]}
    assert read_files(path) == (wanted, {})


@pytest.mark.parametrize("pack", ["zip", "tar", "tar.gz", "tar.zst", "tgz", "tar.bz2", "tar.xz"])
def test_archives_give_the_documents_of_their_members(tmp_path, pack):
    # Equal texts are read once: each member is made different.
    members = {
        f"in/file{ending}": write([f"{ending} {row}" for row in ROWS])
        for ending, (write, _) in WRITERS.items()
    }
    members["in/plain.txt"] = b"plain text\n"
    members["in/more.txt.gz"] = gzip.compress(b"packed text\n")
    data = zip_of(members) if pack == "zip" else tar_of(members)
    ending = "." + pack.rsplit(".", 1)[-1].replace("tgz", "gz")
    path = tmp_path / f"all.{pack}"
    path.write_bytes(PACKERS[ending](data) if ending in PACKERS else data)
    wanted = {f"all.{pack}/in/plain.txt": "plain text\n"}
    wanted[f"all.{pack}/in/more.txt.gz"] = "packed text\n"
    for ending, (_, unit) in WRITERS.items():
        rows = [f"{ending} {row}" for row in ROWS]
        wanted |= expected(f"all.{pack}/in/file{ending}", unit, rows)
    assert read_files(path) == (wanted, {})


def test_what_is_packed_is_seen_by_its_first_bytes_whatever_the_name(tmp_path):
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"packed after all\n"))
    (tmp_path / "b.gz").write_bytes(b"not packed at all\n")
    assert read_files(tmp_path)[0] == {
        f"{tmp_path.name}/a.txt": "packed after all\n",
        f"{tmp_path.name}/b.gz": "not packed at all\n",
    }


def test_chosen_endings_hold_for_packed_files_and_inside_archives(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"first\n"))
    (tmp_path / "a.md.gz").write_bytes(gzip.compress(b"no\n"))
    (tmp_path / "b.zip").write_bytes(zip_of({"x.txt": "second\n", "x.md": "no\n"}))
    name = tmp_path.name
    texts, counts = read_files(tmp_path, suffixes=(".txt",))
    assert (list(texts), counts) == ([f"{name}/a.txt.gz"], {"other_suffix": 2})
    texts, counts = read_files(tmp_path, suffixes=(".txt", ".zip"))
    assert (list(texts), counts) == (
        [f"{name}/a.txt.gz", f"{name}/b.zip/x.txt"],
        {"other_suffix": 2},
    )
    texts, counts = read_files(tmp_path / "b.zip", suffixes=("zip",))
    assert list(texts) == ["b.zip/x.txt", "b.zip/x.md"]


strange = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet"])
@settings(max_examples=60)
@given(rows=st.lists(strange, min_size=1, max_size=8, unique=True))
def test_any_text_comes_back_from_any_format(ending, rows, tmp_path_factory):
    write, unit = WRITERS[ending]
    path = tmp_path_factory.mktemp("any") / f"a{ending}"
    path.write_bytes(write(rows))
    kept = {f"a{ending} {unit} {n}": row for n, row in enumerate(rows, 1) if row.strip()}
    if not kept:
        with pytest.raises(DataError, match="no usable text"):
            read_files(path)
        return
    texts, counts = read_files(path)
    assert texts == kept
    assert counts == ({"empty": len(rows) - len(kept)} if len(kept) < len(rows) else {})


# --- which field holds the text ------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet"])
def test_a_chosen_field_is_taken_and_a_wrong_one_is_named(tmp_path, ending):
    write, unit = WRITERS[ending]
    path = tmp_path / f"a{ending}"
    path.write_bytes(
        write(ROWS, **{("column" if ending in (".csv", ".parquet") else "field"): "Lied"})
    )
    assert read_files(path, field="Lied")[0] == expected(path.name, unit)
    with pytest.raises(
        DataError, match="without the field or column that holds the text"
    ) as caught:
        read_files(path, field="text")
    assert caught.value.field == "source.field"


@pytest.mark.parametrize("name", ["text", "content", "Body", "story"])
def test_the_usual_names_are_found_among_other_strings(tmp_path, name):
    record = {"url": "http://a", "id": 3, name: "the text itself"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    (tmp_path / "a.csv").write_text(f"url,id,{name}\nhttp://a,3,the other text\n")
    texts, _ = read_files(tmp_path / "a.jsonl", tmp_path / "a.csv")
    assert list(texts.values()) == ["the text itself", "the other text"]


def test_the_only_string_is_the_text_and_of_two_unknown_ones_none_is(tmp_path):
    (tmp_path / "one.jsonl").write_text('{"n": 1, "x": "only"}\n{"x": "second"}\n"bare"')
    (tmp_path / "two.jsonl").write_text('{"x": "one", "y": "two"}\n')
    texts, counts = read_files(tmp_path)
    assert list(texts.values()) == ["only", "second", "bare"]
    assert counts == {"no_field": 1}


def test_a_text_that_is_missing_is_not_taken_for_another_field(tmp_path):
    lines = ['{"url": "http://a", "text": null}', '{"url": "http://b", "text": 7}']
    lines += ['{"url": "http://c", "text": "good"}', '{"url": "http://d"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    texts, counts = read_files(tmp_path / "a.jsonl")
    assert texts == {"a.jsonl line 3": "good"}
    assert counts == {"empty": 1, "no_string": 1, "no_field": 1}


def test_records_without_text_are_counted_one_by_one(tmp_path):
    lines = ['{"text": "good"}', '{"text": null}', '{"text": 5}', '{"other": "x"}', "{broken", "7"]
    lines += ['{"text": ""}', '{"text": "a\\u0000b"}', "", '{"text": "good too"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    texts, counts = read_files(tmp_path / "a.jsonl")
    assert texts == {"a.jsonl line 1": "good", "a.jsonl line 10": "good too"}
    assert counts == {"empty": 2, "no_string": 1, "no_field": 1, "no_record": 2, "binary": 1}


def test_one_bad_line_or_row_costs_no_other(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(
        b'\xef\xbb\xbf{"text": "one"}\n{"text": "caf\xe9"}\r\n{"text": "two"}'
    )
    (tmp_path / "b.csv").write_bytes(b"id,text\n1,three\n2,caf\xe9\n3\n4,four\n")
    texts, counts = read_files(tmp_path)
    assert list(texts.values()) == ["one", "two", "three", "four"]
    assert counts == {"not_utf8": 2, "no_field": 1}


def test_half_an_emoji_in_json_becomes_a_replacement_character(tmp_path):
    (tmp_path / "a.jsonl").write_text(r'{"text": "\ud83d\ude42 and \ud83d"}')
    assert read_files(tmp_path / "a.jsonl")[0] == {"a.jsonl line 1": "🙂 and �"}


def test_bytes_in_a_parquet_column_are_text_when_it_is_chosen(tmp_path):
    pq.write_table(pa.table({"raw": [b"as bytes", b"\xff", None]}), tmp_path / "a.parquet")
    texts, counts = read_files(tmp_path / "a.parquet", field="raw")
    assert (texts, counts) == ({"a.parquet row 1": "as bytes"}, {"not_utf8": 1, "empty": 1})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_of_a_table_tells_what_separates_its_columns(tmp_path, delimiter):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + table(delimiter=delimiter))
    assert read_files(tmp_path / "a.csv")[0] == expected("a.csv", "row")


# --- JSON that is no set of records --------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['{"name": "x", "version": 1}', "[1, 2, 3]", '["a", "b"]', "no JSON", '{"a": ', "[]"]
)
def test_json_without_records_is_a_document_as_it_stands(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert read_files(tmp_path / "a.json") == ({"a.json": text}, {})


def test_json_records_one_after_another_are_read_too(tmp_path):
    (tmp_path / "a.json").write_bytes(json_lines())
    assert read_files(tmp_path / "a.json")[0] == expected("a.json", "item")


def test_an_array_that_is_cut_off_gives_what_was_whole(tmp_path):
    (tmp_path / "a.json").write_bytes(json_array()[:-30])
    texts, counts = read_files(tmp_path / "a.json")
    assert list(texts.values()) == ROWS[:2]
    assert counts == {"broken": 1}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150)
@given(
    values=st.lists(anything, max_size=6), size=st.integers(1, 9), indent=st.sampled_from([None, 1])
)
def test_json_in_any_pieces_gives_the_same_values(values, size, indent):
    array = json.dumps(values, indent=indent)
    assert list(json_values(_pieces(array, size))) == values
    assert list(json_values(_pieces(f" {array}\n", size))) == values
    objects = [{"x": value} for value in values]
    lines = "\n".join(map(json.dumps, objects))
    assert list(json_values(_pieces(lines, size))) == objects


@settings(max_examples=150)
@given(values=st.lists(anything, min_size=1, max_size=4), size=st.integers(1, 9), data=st.data())
def test_json_that_is_cut_off_is_never_taken_for_whole(values, size, data):
    array = json.dumps(values)
    cut = array[: data.draw(st.integers(1, len(array) - 1))]
    with pytest.raises(NoJson):
        list(json_values(_pieces(cut, size)))


def _pieces(text, size):
    return (text[at : at + size] for at in range(0, len(text), size))


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet", ".jsonl.gz"])
def test_memory_stays_flat_however_long_the_file_is(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(reading, "PART_BYTES", 1 << 14)
    monkeypatch.setattr(records, "PART_BYTES", 1 << 14)
    write, _ = WRITERS[ending.removesuffix(".gz")]
    data = write([f"{number} and a few words. " * 20 for number in range(6000)])  # 2.7 MB
    path = tmp_path / f"a{ending}"
    path.write_bytes(gzip.compress(data, 1) if ending.endswith(".gz") else data)
    del data
    documents = survey_of(TextFiles(paths=(str(path),)))  # imports what it needs
    tracemalloc.start()
    assert sum(len(text) for text in _lengths(documents)) > 2_500_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 700_000


def _lengths(documents):
    for document in documents.again():
        yield from document.texts


def test_a_long_record_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PART_BYTES", 256)
    text = "words and spaces " * 5000
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    documents = survey_of(TextFiles(paths=(str(tmp_path),)))
    assert texts_of(documents) == {f"{tmp_path.name}/a.jsonl line 1": text}
    (document,) = documents.again()
    assert max(map(len, document.texts)) < 2 * 256


def test_tables_and_archives_of_nothing_are_counted_as_empty(tmp_path):
    (tmp_path / "a.csv").write_text("text,n\n")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text("\n\n")
    (tmp_path / "d.json").write_text("[]")
    (tmp_path / "e.zip").write_bytes(zip_of({}))
    (tmp_path / "f.txt").write_text("some text")
    texts, counts = read_files(tmp_path)
    assert list(texts.values()) == ["[]", "some text"]
    assert counts == {"empty": 4}


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_column_of_nothing_is_told_row_by_row(tmp_path, ending):
    if ending == "parquet":
        column = pa.array([None, "", None], pa.string())
        pq.write_table(pa.table({"text": column, "n": [1, 2, 3]}), tmp_path / "a.parquet")
    else:
        rows = {"csv": "text,n\n,1\n,2\n,3\n", "jsonl": '{"text": null}\n{"text": ""}\n' * 2}
        (tmp_path / f"a.{ending}").write_text(rows[ending])
    with pytest.raises(DataError, match=r"[34] empty, or white space only") as failed:
        read_files(tmp_path)
    assert failed.value.field == "source"
