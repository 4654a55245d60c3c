"""HTML and EPUB: what a reader would see, in reading order, or a plain reason."""

import io
import zipfile

import pytest
from data_for_tests import read_files, zip_of

from trainer_core.data.sources import packed
from trainer_core.data.sources.markup import html_text
from trainer_core.data.sources.reading import NoText

PAGES = 60
PAGE = """<!DOCTYPE html><html><head><title>No text</title><style>p {{color: red}}</style>
<script>alert("no text")</script></head><body><h1>The heading</h1><p>One &amp; the
same <b>bold</b> line.</p><ul><li>first</li><li>second</li></ul>{more}</body></html>"""
CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>"""
PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="text/second%20one.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/first.xhtml" media-type="application/xhtml+xml"/>
<item id="pic" href="cover.xhtml" media-type="application/xhtml+xml"/>
<item id="css" href="style.css" media-type="text/css"/></manifest>
<spine><itemref idref="pic"/><itemref idref="a"/><itemref idref="b"/><itemref idref="gone"/></spine>
</package>"""


def chapter(text):
    return f"""<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head>
<body><p>{text}</p></body></html>"""


def book(**changed):
    members = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/content.opf": PACKAGE,
        "OEBPS/nav.xhtml": chapter("Table of contents"),
        "OEBPS/cover.xhtml": '<html><body><img src="a.png"/></body></html>',
        "OEBPS/text/first.xhtml": chapter("Chapter one, “quoted”."),
        "OEBPS/text/second one.xhtml": chapter("Chapter two &#8212; the end."),
    }
    members |= changed.get("members", {})
    return zip_of({name: text for name, text in members.items() if text is not None})


def test_a_page_gives_what_a_browser_shows(tmp_path):
    (tmp_path / "a.html").write_text(PAGE.format(more=""))
    (text,) = read_files(tmp_path / "a.html")[0].values()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines == ["The heading", "One & the same bold line.", "* first", "* second"]


def test_a_table_gives_its_rows_with_bars_between_the_cells():
    rows = "<tr><th>Name</th><th>Age</th></tr> <tr><td>Ada <b>L.</b></td><td>36</td></tr>"
    text = html_text(f"<p>Before</p><table>{rows}</table><p>After</p>".encode())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines == ["Before", "Name | Age", "Ada L. | 36", "After"]


@pytest.mark.parametrize(
    "page",
    [
        "<table><tr><td>" + "w " * 5000 + "</td></tr>" + "<tr><td>a</td></tr>" * 2000 + "</table>",
        '<table><tr><td rowspan="100000000" colspan="100000000">x</td></tr></table>',
        '<p style="margin-top: 100000000em; padding-left: 9999999em">x</p>',
        "<ul><li>" * 200 + "x<li>" * 2000,
        "<blockquote>" * 200 + "x<br>" * 2000,
    ],
    ids=["wide", "spans", "margins", "lists", "quotes"],
)
def test_no_page_gives_far_more_text_than_it_is_long(page):
    assert len(html_text(page.encode())) < 10 * len(page)


def test_what_stands_on_a_line_of_its_own_stays_there():
    page = "<section><div><div>one</div></div>two<dl><dt>three<dd>four</dl></section><p>f<b>iv</b>e"
    assert html_text(page.encode()).split() == ["one", "two", "three", "four", "five"]


def test_what_a_page_hides_is_left_out():
    hidden = '<p style="color: red; Display:none">no</p><noscript>no</noscript><svg>no</svg>'
    assert html_text(f"<p>seen</p>{hidden}".encode()) == "seen\n"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "windows-1252"])
def test_a_page_is_read_in_the_encoding_that_it_names(encoding):
    page = f'<html><head><meta charset="{encoding}"></head><body>café</body></html>'
    assert html_text(page.encode(encoding)) == "café\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<p>caf\xe9</p>", "not_utf8"),
        (b'<meta charset="no-such-thing"><p>caf\xe9</p>', "not_utf8"),
        (b'<meta charset="punycode"><p>caf\xe9</p>', "not_utf8"),
        (b'<meta charset="unicode-escape"><p>caf\xe9</p>', "not_utf8"),
        (b'<meta charset="hex"><p>caf\xe9</p>', "not_utf8"),
        (b"<p>a\0b</p>", "binary"),
    ],
)
def test_a_page_that_is_no_text_says_why(data, reason):
    with pytest.raises(NoText, match=reason):
        html_text(data)


def test_a_page_without_anything_to_show_is_empty(tmp_path):
    (tmp_path / "a.html").write_text("<html><head><title>x</title></head><body></body></html>")
    (tmp_path / "b.html").write_text(PAGE.format(more=""))
    texts, counts = read_files(tmp_path)
    assert (len(texts), counts) == (1, {"empty": 1})


def test_elements_in_elements_without_end_do_no_harm(tmp_path):
    (tmp_path / "a.html").write_text("<div>" * 100_000 + "deep")
    (tmp_path / "b.txt").write_text("plain\n")
    texts, counts = read_files(tmp_path)
    assert len(texts) + sum(counts.values()) == 2


def test_entities_of_a_page_name_no_files_and_do_not_grow(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    names = zip("abcdefgh", "bcdefghi", strict=True)
    bomb = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in names)
    doctype = f'<!DOCTYPE html [<!ENTITY a "lol"><!ENTITY s SYSTEM "file://{secret}">{bomb}]>'
    text = html_text(f"{doctype}<html><body><p>&s; and &i;</p></body></html>".encode())
    assert "the secret" not in text
    assert len(text) < 2000


def test_a_book_is_one_document_in_reading_order(tmp_path):
    (tmp_path / "a.epub").write_bytes(book())
    texts, counts = read_files(tmp_path / "a.epub")
    assert texts == {"a.epub": "Chapter one, “quoted”.\n\nChapter two — the end.\n\n"}
    assert counts == {}


def test_a_book_inside_an_archive_is_read_too(tmp_path):
    (tmp_path / "books.zip").write_bytes(zip_of({"a.epub": book()}))
    assert list(read_files(tmp_path / "books.zip")[0]) == ["books.zip/a.epub"]


def encryption(name):
    return f"""<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><e:EncryptedData
    xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:CipherData><e:CipherReference URI="{name}"/>
    </e:CipherData></e:EncryptedData></encryption>"""


DOCTYPE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"META-INF/container.xml": None}, "broken"),
        ({"META-INF/container.xml": "<container/>"}, "broken"),
        ({"META-INF/container.xml": "no XML <<<"}, "broken"),
        ({"META-INF/container.xml": CONTAINER.replace("OEBPS/", "../../")}, "broken"),
        ({"OEBPS/content.opf": PACKAGE[:300]}, "broken"),
        ({"OEBPS/content.opf": "<package/>"}, "empty"),
        ({"OEBPS/text/first.xhtml": None}, "broken"),
        ({"OEBPS/text/first.xhtml": b"<p>caf\xe9</p>"}, "not_utf8"),
        ({"META-INF/encryption.xml": encryption("OEBPS/text/first.xhtml")}, "locked"),
    ],
)
def test_a_book_that_cannot_be_read_says_why(tmp_path, members, reason):
    (tmp_path / "a.epub").write_bytes(book(members=members))
    (tmp_path / "b.txt").write_text("plain\n")
    texts, counts = read_files(tmp_path)
    assert (list(texts), counts) == ([f"{tmp_path.name}/b.txt"], {reason: 1})


def test_a_book_that_locks_nothing_but_its_fonts_is_read(tmp_path):
    locked = {"META-INF/encryption.xml": encryption("OEBPS/font.otf")}
    (tmp_path / "a.epub").write_bytes(book(members=locked))
    assert len(read_files(tmp_path / "a.epub")[0]) == 1


def test_a_book_of_pages_that_swell_is_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "FREE_BYTES", 100_000)
    monkeypatch.setattr(packed, "RATIO_MAX", 20)
    pages = {f"OEBPS/{n}.xhtml": chapter("a" * 40_000) for n in range(PAGES)}
    items = "".join(
        f'<item id="x{n}" href="{n}.xhtml" media-type="text/html"/>' for n in range(PAGES)
    )
    spine = "".join(f'<itemref idref="x{n}"/>' for n in range(PAGES))
    package = f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>"
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_LZMA) as archive:
        first = {"META-INF/container.xml": CONTAINER, "OEBPS/content.opf": package}
        for name, text in (first | pages).items():
            archive.writestr(name, text)
    (tmp_path / "a.epub").write_bytes(written.getvalue())
    (tmp_path / "b.txt").write_text("plain\n")
    assert read_files(tmp_path)[1] == {"bomb": 1}
