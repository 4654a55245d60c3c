"""Text in other encodings than UTF-8: named, or found file by file."""

import codecs
import gzip
import json
import zipfile

import pytest
from data_for_tests import read_source
from hypothesis import given
from hypothesis import strategies as st

from trainer_core.data.sources.encodings import Recoded
from trainer_core.data.sources.reading import PART_BYTES, NoText
from trainer_core.errors import SpecError
from trainer_core.spec import TextFiles, convert, from_toml, to_toml

GERMAN = "Größere Städte wie München, Köln und Düsseldorf ärgern sich über die Öffnung.\n" * 30
FRENCH = "Où est passée la façade de l’hôtel ? À côté du château, près de l’évêché.\n" * 30
POLISH = "Zażółć gęślą jaźń. Wśród nocnej ciszy głos się rozchodzi, że śnieg już spadł.\n" * 30
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю.\n" * 30
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 30


class Slowly:
    """A stream that gives few bytes at a time."""

    def __init__(self, data, size):
        self.data, self.size = data, size

    def read(self, size):
        given, self.data = self.data[: min(size, self.size)], self.data[min(size, self.size) :]
        return given


def recoded(data, encoding, size=7):
    stream, found = Recoded(Slowly(data, size), encoding), b""
    while chunk := stream.read(PART_BYTES):
        found += chunk
    return found.decode()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "latin-1"),
        (GERMAN, "cp1252"),
        (GERMAN, "cp437"),
        (FRENCH, "cp1252"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "utf-8"),
        (JAPANESE, "utf-8-sig"),
        (GERMAN, "utf-16"),
        ("plain letters only\n" * 9, "ascii"),
    ],
)
@pytest.mark.parametrize("size", [5, 1 << 20])
def test_the_encoding_of_real_text_is_found(text, encoding, size):
    assert recoded(text.encode(encoding), "auto", size) == text


def test_letters_that_come_late_are_found_as_well():
    text = "nothing but plain letters\n" * 100_000 + GERMAN
    assert recoded(text.encode("latin-1"), "auto", 1 << 16) == text
    assert recoded(text.encode(), "auto", 1 << 16) == text


def test_a_named_encoding_is_taken_at_its_word():
    assert recoded("š".encode("cp1250"), "cp1250") == "š"
    assert recoded("š".encode("cp1250"), "latin-1") == "\x9a"
    assert recoded(codecs.BOM_UTF16_LE + "aé".encode("utf-16-le"), "utf-16") == "aé"
    assert recoded("aé".encode("utf-16-le"), "utf-16-le", 1) == "aé"


@given(st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_whatever_is_utf_8_stays_as_it_is(text):
    assert recoded(text.encode(), "auto", 3) == text
    assert recoded(text.encode(), "utf-8", 2) == text


@given(st.binary(max_size=200), st.sampled_from(["auto", "utf-8", "cp1252", "shift_jis", "utf-16"]))
def test_any_bytes_are_text_or_are_left_out_with_a_reason(data, encoding):
    try:
        recoded(data, encoding, 11).encode()
    except NoText as error:
        assert error.reason in ("other_encoding", "binary")


def test_files_of_every_kind_are_read_in_their_encoding(tmp_path):
    rows = [{"text": GERMAN}, {"text": "zwölf"}]
    (tmp_path / "a.txt").write_bytes(GERMAN.encode("cp1252"))
    (tmp_path / "b.csv").write_bytes("text;n\nfünf;5\n".encode("cp1252"))
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "c.jsonl").write_bytes(lines.encode("cp1252"))
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(("gepackt: " + GERMAN).encode("cp1252")))
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("f.txt", ("im Archiv: " + GERMAN).encode("cp1252"))
    (tmp_path / "g.html").write_bytes('<meta charset="cp1252"><p>Höhe'.encode("cp1252"))
    found = {
        "a.txt": GERMAN,
        "b.csv row 1": "fünf",
        "c.jsonl line 2": "zwölf",
        "d.txt.gz": "gepackt: " + GERMAN,
        "e.zip/f.txt": "im Archiv: " + GERMAN,
        "g.html": "Höhe\n",
    }
    folder = tmp_path.name
    for encoding in ("cp1252", "auto"):
        texts, counts = read_source(TextFiles(paths=(str(tmp_path),), encoding=encoding))
        assert counts == {"duplicate": 1}
        expected = {f"{folder}/{title}": text for title, text in found.items()}
        if encoding == "auto":  # too short to tell: some letters, but not surely these
            expected = {title: text for title, text in expected.items() if "b.csv" not in title}
            texts.pop(f"{folder}/b.csv row 1", None)
        assert texts == expected


def test_mixed_encodings_are_counted_with_their_files(tmp_path):
    (tmp_path / "good.txt").write_text("so weit gut: ä\n")
    (tmp_path / "mixed.txt").write_bytes("erst so: ä\n".encode() + "dann so: ä\n".encode("cp1252"))
    (tmp_path / "program").write_bytes(b"\x7fELF\0\0\0\xff" * 100)
    for encoding, reason in (("", "not_utf8"), ("utf-8", "other_encoding")):
        texts, counts = read_source(TextFiles(paths=(str(tmp_path),), encoding=encoding))
        assert list(texts) == [f"{tmp_path.name}/good.txt"]
        assert counts == {reason: 1, "binary": 1}


def test_settings_with_an_encoding_are_whole(tmp_path):
    source = {"kind": "text_files", "paths": ["a"], "encoding": "cp1252"}
    spec = from_toml('verb = "prepare"\n[source]\nkind = "text_files"\npaths = ["a"]\n')
    assert spec.source.encoding == ""
    spec = convert({"source": source}, type(spec), "a spec")
    assert from_toml(to_toml(spec)) == spec


@pytest.mark.parametrize(
    "name", ["nope", "zip", "rot13", "idna", "x" * 9_999, "a\0b", " ", "undefined"]
)
def test_what_is_no_encoding_of_text_is_refused(name):
    with pytest.raises(SpecError, match="none that is known") as refused:
        convert({"paths": ["a"], "encoding": name}, TextFiles, "a spec")
    assert refused.value.field == "encoding"
    assert len(refused.value.what) < 200
