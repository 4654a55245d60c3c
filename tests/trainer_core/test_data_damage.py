"""Bad input: damaged, hostile and endless files are named and counted, and harm nothing else."""

import gzip
import io
import os
import random
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_for_tests import PACKERS, read_files, survey_of, tar_of, zip_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.preparing.build import build_corpus
from trainer_core.data.preparing.survey import Changed
from trainer_core.data.sources import documents, packed, records, tables
from trainer_core.errors import DataError
from trainer_core.spec import ByteTokenizer, PrepareSpec, TextFiles


@pytest.fixture
def folder(tmp_path):
    """A folder with one good file in it, so that there is a corpus whatever else is there."""
    made = tmp_path / "in"
    made.mkdir()
    (made / "a.txt").write_text("good text\n")
    return made


def noise(n_bytes=60_000):
    """Text that does not pack well."""
    numbers = random.Random(7)
    return "".join(numbers.choices("abcdefghij klmnopq\n", k=n_bytes)).encode()


# --- cut off and changed -------------------------------------------------------------------------


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("cut", [-1, -8, 0.5])
def test_a_packed_file_that_is_cut_off_is_left_out(folder, ending, cut):
    data = PACKERS[ending](noise())
    (folder / f"b.txt{ending}").write_bytes(data[: cut if cut < 0 else int(len(data) * cut)])
    texts, counts = read_files(folder)
    assert (list(texts.values()), counts) == (["good text\n"], {"broken": 1})


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])  # bzip2's blocks are longer than this
def test_records_before_the_cut_are_kept(folder, ending):
    text = noise(99).replace(b"\n", b" ")
    rows = b"".join(b'{"text": "%d %s"}\n' % (n, text) for n in range(999))
    data = PACKERS[ending](rows + noise(400_000))
    (folder / f"b.jsonl{ending}").write_bytes(data[: -len(data) // 3])
    texts, counts = read_files(folder)
    assert counts["broken"] == 1
    assert set(counts) <= {"broken", "no_record"}
    assert len(texts) > 1


def test_a_zip_loses_only_the_members_that_are_damaged(folder):
    members = {f"{n}.txt": noise(2000 + n) for n in range(5)}
    data = bytearray(zip_of(members))
    at = data.find(b"2.txt") + 500
    data[at : at + 20] = b"x" * 20
    (folder / "b.zip").write_bytes(data)
    texts, counts = read_files(folder)
    names = [title.rsplit("/")[-1] for title in texts]
    assert names == ["a.txt", "0.txt", "1.txt", "3.txt", "4.txt"]
    assert counts == {"broken": 1}


CUT_OFF = zip_of({"x.txt": noise()})[:-30]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all", CUT_OFF])
def test_a_zip_without_its_table_of_contents_is_broken(folder, data):
    (folder / "b.zip").write_bytes(data)
    assert read_files(folder)[1] == {"broken": 1}


@pytest.mark.parametrize("cut", [700, 5000, 20_000])
def test_a_tar_gives_the_members_before_its_damage(folder, cut):
    (folder / "b.tar").write_bytes(tar_of({"x.txt": b"whole\n", "y.txt": noise(9000)})[:cut])
    texts, counts = read_files(folder)
    assert ("whole\n" in texts.values()) is (cut > 600)
    assert ("broken" in counts) is (cut < 12_000)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_is_changed_in_a_file_there_is_no_crash(tmp_path_factory, data):
    names = ["a.zip", "a.tar", "a.tar.gz", "a.parquet", "a.jsonl.xz", "a.jsonl.zst", "a.epub"]
    name = data.draw(st.sampled_from(names))
    whole = bytearray(_whole(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("changed")
    (folder / name).write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    (folder / "z.txt").write_text("good text\n")
    texts, _ = read_files(folder)
    assert texts[f"{folder.name}/z.txt"] == "good text\n"


def _whole(name):
    rows = [f"row {number} {noise(50).decode()}" for number in range(40)]
    lines = "".join(f'{{"text": "{row}"}}\n' for row in rows).encode()
    if name.endswith(".parquet"):
        written = io.BytesIO()
        pq.write_table(pa.table({"text": rows}), written, row_group_size=10)
        return written.getvalue()
    if name.endswith((".zip", ".epub")):
        return zip_of({"x.txt": noise(300), "y.jsonl": lines})
    data = tar_of({"x.txt": noise(300), "y.jsonl": lines}) if ".tar" in name else lines
    return PACKERS.get(os.path.splitext(name)[1], bytes)(data)


def test_files_inside_archives_that_change_meanwhile_are_left_out(folder):
    members = {f"{n}.txt": f"text {n}\n" for n in range(4)}
    archive = folder / "b.zip"
    archive.write_bytes(zip_of(members))
    (folder / "c.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    (folder / "d.jsonl").write_text('{"text": "three"}\n{"text": "four"}\n')
    found = survey_of(TextFiles(paths=(str(folder),)))
    archive.write_bytes(zip_of({**members, "1.txt": "changed\n", "3.txt": ""}))
    (folder / "c.jsonl").write_text('{"text": "one"}\n')
    (folder / "d.jsonl").unlink()
    kept, changed = [], []
    for document in found.again():
        try:
            kept.append("".join(document.texts))
        except Changed as error:
            changed.append(error.reason)
    assert kept == ["good text\n", "text 0\n", "text 2\n", "one"]
    assert sorted(changed) == ["changed"] * 3 + ["vanished"] * 2


# --- bombs ---------------------------------------------------------------------------------------


@pytest.fixture
def small_limits(monkeypatch):
    """Limits that are reached quickly."""
    monkeypatch.setattr(packed, "FREE_BYTES", 100_000)
    for module in (documents, records, tables):
        monkeypatch.setattr(module, "RECORD_BYTES", 50_000)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("ending", PACKERS)
def test_a_file_that_unpacks_to_hundreds_of_times_its_size_is_a_bomb(folder, ending):
    (folder / f"b.txt{ending}").write_bytes(PACKERS[ending](b"a" * 2_000_000))
    texts, counts = read_files(folder)
    assert (list(texts.values()), counts) == (["good text\n"], {"bomb": 1})


def test_a_real_bomb_is_given_up_early(folder):
    bomb = PACKERS[".zst"](b"a " * (50 << 20))  # 100 MiB in 10 KB
    (folder / "b.txt.zst").write_bytes(bomb)
    assert read_files(folder)[1] == {"bomb": 1}


@pytest.mark.usefixtures("small_limits")
def test_the_members_of_an_archive_share_one_limit(folder):
    (folder / "b.zip").write_bytes(zip_of({f"{n}.txt": b"%d" % n * 60_000 for n in range(40)}))
    texts, counts = read_files(folder)
    assert counts["bomb"] >= 20
    assert len(texts) + counts["bomb"] == 41


@pytest.mark.usefixtures("small_limits")
def test_members_that_overlap_are_one_bomb(folder):
    """Every entry of the table of contents names the same packed bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        info = zipfile.ZipInfo("0.txt")
        archive.writestr(info, b"a" * 90_000, zipfile.ZIP_DEFLATED)
        archive.filelist = [info] * 200
    assert len(written.getvalue()) < 30_000
    (folder / "b.zip").write_bytes(written.getvalue())
    texts, counts = read_files(folder)
    assert len(texts) == 2
    assert counts["bomb"] + counts["duplicate"] == 199


@pytest.mark.usefixtures("small_limits")
def test_a_table_that_repeats_one_text_without_end_is_a_bomb(folder):
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["word " * 100])
    pq.write_table(pa.table({"text": column}), folder / "b.parquet")
    assert (folder / "b.parquet").stat().st_size < 10_000
    texts, counts = read_files(folder)
    assert len(texts) == 2
    assert counts["bomb"] == 1


def test_a_file_packed_over_and_over_is_a_bomb(folder):
    data = b"text\n"
    for _ in range(5):
        data = gzip.compress(data)
    (folder / "b.txt.gz").write_bytes(data)
    assert read_files(folder)[1] == {"bomb": 1}


def test_archives_inside_archives_are_not_opened(folder):
    inner = zip_of({"x.txt": "deep\n"})
    (folder / "b.zip").write_bytes(zip_of({"c.zip": inner, "d.tar": b"", "x.txt": "outer\n"}))
    texts, counts = read_files(folder)
    assert list(texts.values()) == ["good text\n", "outer\n"]
    assert counts == {"nested": 2}


# --- names ---------------------------------------------------------------------------------------

EVIL = ("../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "a/../../../evil2.txt", "~/evil3.txt")


@pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
def test_names_inside_archives_are_titles_and_nothing_else(folder, tmp_path, pack):
    members = {name: f"text of {name}\n".encode() for name in EVIL}
    path = folder / ("b.zip" if pack is zip_of else "b.tar")
    path.write_bytes(pack(members))
    before = sorted(tmp_path.rglob("*"))
    texts, counts = read_files(path)
    assert texts == {f"{path.name}/{name}": text.decode() for name, text in members.items()}
    assert counts == {}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_member_whose_name_is_empty_is_read_like_any_other(folder):
    (folder / "b.zip").write_bytes(zip_of({"x.txt": "nameless\n"}).replace(b"x.txt", b"\0.txt"))
    assert read_files(folder / "b.zip") == ({"b.zip/": "nameless\n"}, {})


def test_links_and_devices_in_a_tar_are_never_followed(folder):
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, kind in [("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("c", tarfile.CHRTYPE)]:
            info = tarfile.TarInfo(f"{name}.txt")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    (folder / "b.tar").write_bytes(written.getvalue())
    assert read_files(folder)[1] == {"archive_link": 2, "special": 1}


def test_hidden_members_and_locked_ones_are_told(folder):
    data = bytearray(zip_of({".secret.txt": "no\n", "__MACOSX/x.txt": "no\n", "l.txt": "no\n"}))
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1  # the bit that says "needs a password"
    (folder / "b.zip").write_bytes(data)
    assert read_files(folder)[1] == {"hidden": 2, "locked": 1}


# --- endless lines and records -------------------------------------------------------------------


@pytest.mark.usefixtures("small_limits")
def test_a_line_that_is_too_long_costs_no_other(folder, monkeypatch):
    monkeypatch.setattr(records, "PART_BYTES", 1000)
    long = b'{"text": "%s"}' % (b"x" * 60_000)
    (folder / "b.jsonl").write_bytes(b'{"text": "one"}\n%s\n{"text": "two"}\n%s' % (long, long))
    texts, counts = read_files(folder)
    assert list(texts.values()) == ["good text\n", "one", "two"]
    assert counts == {"too_long": 2}


@pytest.mark.usefixtures("small_limits")
def test_a_quote_that_never_ends_gives_up_the_table(folder):
    (folder / "b.csv").write_text('text\none\n"two' + "\nmore and more" * 10_000)
    texts, counts = read_files(folder)
    assert list(texts.values()) == ["good text\n", "one"]
    assert counts == {"too_long": 1}


@pytest.mark.usefixtures("small_limits")
def test_an_element_that_never_ends_gives_up_the_array(folder, monkeypatch):
    monkeypatch.setattr(records, "RECORD_BYTES", 5000)
    (folder / "b.json").write_text('[{"text": "one"}, {"text": "' + "x" * 2_000_000 + '"}]')
    assert read_files(folder, field="text")[1] == {"too_long": 1}


def test_an_endless_line_of_plain_text_is_read_in_parts(folder):
    line = b"x" * 40_000_000
    (folder / "b.txt").write_bytes(line)
    found = survey_of(TextFiles(paths=(str(folder),)))
    lengths = [[len(part) for part in document.texts] for document in found.again()]
    assert sum(lengths[1]) == len(line)
    assert max(lengths[1]) < 20_000_000


def test_json_nested_without_end_is_no_record(folder):
    (folder / "b.jsonl").write_text('{"text": "one"}\n' + "[" * 100_000 + "\n")
    (folder / "c.json").write_text("[" * 100_000)
    texts, counts = read_files(folder)
    assert list(texts.values()) == ["good text\n", "one", "[" * 100_000]
    assert counts == {"no_record": 1}


# --- the whole way -------------------------------------------------------------------------------


def test_prepare_reports_everything_and_writes_a_whole_corpus(folder, tmp_path):
    for number in range(40):
        (folder / f"n{number}.txt").write_text(f"document {number}, " * 20)
    (folder / "b.zip").write_bytes(b"no zip")
    (folder / "c.parquet").write_bytes(b"PAR1 and then nothing")
    (folder / "d.txt.gz").write_bytes(gzip.compress(noise())[:-9])
    (folder / "e.jsonl").write_text('{"a": "x", "b": "y"}\n')
    (folder / "loop").symlink_to(folder)
    spec = PrepareSpec(source=TextFiles(paths=(str(folder),)), tokenizer=ByteTokenizer())
    corpus = build_corpus(spec, tmp_path / "corpus")
    corpus.verify()
    skipped = corpus.manifest.source.skipped
    assert {group.reason: (group.count, group.examples) for group in skipped} == {
        "broken": (3, tuple(str(folder / name) for name in ("b.zip", "c.parquet", "d.txt.gz"))),
        "no_field": (1, (f"{folder}/e.jsonl line 1",)),
        "reached_twice": (1, (str(folder / "loop"),)),
    }
    assert corpus.manifest.source.documents_read == 41


def test_a_source_of_nothing_but_damage_is_an_error_that_says_so(tmp_path):
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="1 damaged or cut off"):
        read_files(tmp_path)


def test_a_full_disk_while_a_member_is_kept_aside_is_a_known_error(folder, tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(packed.tempfile, "SpooledTemporaryFile", lambda _: Full())
    (folder / "b.parquet.gz").write_bytes(gzip.compress(b"PAR1"))
    spec = PrepareSpec(source=TextFiles(paths=(str(folder),)), tokenizer=ByteTokenizer())
    with pytest.raises(OSError, match="No space left"):
        build_corpus(spec, tmp_path / "corpus")
    assert not list(tmp_path.glob("corpus*"))
