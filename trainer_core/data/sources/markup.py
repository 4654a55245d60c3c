"""HTML pages and EPUB books to plain text."""

from __future__ import annotations

import codecs
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote

from trainer_core.data.sources.documents import RECORD_BYTES
from trainer_core.data.sources.packed import Budget, Unpacked, all_bytes
from trainer_core.data.sources.reading import NoText, Readable
from trainer_core.spec.sources import is_text_encoding

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_CELLS = frozenset(("td", "th"))
# fmt: off
_BLOCKS = frozenset((
    "table", "caption", "thead", "tbody", "tfoot", "tr", "dl", "dt", "dd", "section", "details",
    "summary", "form", "fieldset", "legend", "center", "menu", "dir", "option",
))
# fmt: on
"""What stands on lines of its own, and is told to the library as a `div`."""
_UNSEEN = frozenset(("template", "noscript", "svg", "iframe", "object"))
_LISTS = frozenset(("ul", "ol"))
_LISTS_MAX = 8
_CHARSET_WITHIN = 2048
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGE_TYPES = ("application/xhtml+xml", "text/html")

if TYPE_CHECKING:
    import lxml.html

ZIP_ERRORS = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, EOFError, ValueError, IndexError),
)
"""What `zipfile` raises for damaged archives."""


def html_text(data: bytes) -> str:
    """What a browser would show of a page, as text: a list keeps its signs, a table its rows.

    Raises:
        NoText: Its encoding is not what it says, or there is nothing to show.
    """
    import lxml.etree
    import lxml.html
    from inscriptis.css_profiles import STRICT_CSS_PROFILE
    from inscriptis.html_engine import Inscriptis
    from inscriptis.model.config import ParserConfig

    utf8 = _as_utf8(data)
    if not utf8.strip():
        raise NoText("empty")
    parser = lxml.html.HTMLParser(encoding="utf-8")
    try:
        tree = lxml.html.document_fromstring(utf8, parser=parser)
        _tame(tree)
        config = ParserConfig(css=STRICT_CSS_PROFILE)  # the other one indents with every `div`
        return str(Inscriptis(tree, config).get_text()).strip("\n") + "\n"
    except lxml.etree.ParserError:
        raise NoText("empty") from None
    except (lxml.etree.LxmlError, RecursionError):
        raise NoText("broken") from None


def _tame(tree: lxml.html.HtmlElement) -> None:
    """Take out of a page what could make its text far longer than the page.

    Columns that are aligned by spaces, margins of a million lines and lists within lists are as
    useless to a model. Cells are parted by a bar instead.
    """
    import lxml.etree

    lists = 0
    for event, element in lxml.etree.iterwalk(tree, events=("start", "end")):
        tag = element.tag
        if not isinstance(tag, str):  # a comment
            continue
        if tag in _LISTS:
            lists += 1 if event == "start" else -1
        if event == "start":
            style = element.attrib.pop("style", "")
            if tag in _UNSEEN or _HIDDEN.search(style):
                element.set("style", "display: none")
        elif tag in _CELLS:
            element.tag = "span"
            if element.getnext() is not None:
                element.tail = " | "
        elif tag in _BLOCKS or (tag in _LISTS and lists >= _LISTS_MAX):
            element.tag = "div"


def _as_utf8(data: bytes) -> bytes:
    if b"\0" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NoText("binary")
    named = _CHARSET.search(data[:_CHARSET_WITHIN])
    encodings = ["utf-8-sig", *([named[1].decode("ascii")] if named else [])]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            if is_text_encoding(encoding):
                return data.decode(encoding).encode()
        except UnicodeError:
            continue
    raise NoText("not_utf8")


def html_parts(stream: Readable) -> Iterator[str]:
    """The text of an HTML file.

    Raises:
        NoText: It is too long to be held, or `html_text` cannot use it.
    """
    yield html_text(all_bytes(stream, RECORD_BYTES))


def epub_parts(file: IO[bytes], budget: Budget) -> Iterator[str]:
    """The text of an EPUB book, chapter by chapter in reading order.

    Args:
        file: Can be read in any order.
        budget: Of the file that it comes from.

    Raises:
        NoText: It is no book, damaged, or locked.
    """
    try:
        with zipfile.ZipFile(file) as book:
            locked = _locked(book, budget)
            for name in _reading_order(book, budget):
                if name in locked:
                    raise NoText("locked")
                text = _chapter(book, name, budget)
                if not text.isspace():
                    yield text + "\n"
    except (*ZIP_ERRORS, KeyError, OSError):
        raise NoText("broken") from None
    except RuntimeError:  # how `zipfile` says that a password is needed
        raise NoText("locked") from None


def _chapter(book: zipfile.ZipFile, name: str, budget: Budget) -> str:
    try:
        return html_text(_member(book, name, budget))
    except NoText as error:
        if error.reason == "empty":  # a page with a picture
            return "\n"
        raise


def _member(book: zipfile.ZipFile, name: str, budget: Budget) -> bytes:
    with book.open(name) as member:
        return all_bytes(Unpacked(member, budget), RECORD_BYTES)


def _locked(book: zipfile.ZipFile, budget: Budget) -> set[str]:
    """The members that only the shop's own reader can read; many books lock nothing but fonts."""
    if _ENCRYPTION not in book.NameToInfo:
        return set()
    found = _elements(_member(book, _ENCRYPTION, budget), "CipherReference")
    return {unquote(attributes.get("URI", "")) for attributes in found}


def _reading_order(book: zipfile.ZipFile, budget: Budget) -> list[str]:
    """The members with the book's pages, in the order of its spine."""
    roots = _elements(_member(book, _CONTAINER, budget), "rootfile")
    package = roots[0]["full-path"] if roots else ""
    content = _member(book, package, budget)
    folder = posixpath.dirname(package)
    pages = {
        item["id"]: posixpath.normpath(posixpath.join(folder, unquote(item["href"])))
        for item in _elements(content, "item")
        if item.get("media-type") in _PAGE_TYPES and "id" in item and "href" in item
    }
    spine = [item.get("idref", "") for item in _elements(content, "itemref")]
    return [pages[name] for name in dict.fromkeys(spine) if name in pages]


def _elements(xml: bytes, name: str) -> list[dict[str, str]]:
    """The attributes of every element of this name, whatever its namespace."""
    import lxml.etree

    # Entities stay as they are: they could name files, or grow beyond all bounds.
    parser = lxml.etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = lxml.etree.fromstring(xml, parser)
    except lxml.etree.LxmlError:
        raise NoText("broken") from None
    return [dict(found.attrib) for found in root.iter(f"{{*}}{name}")]  # type: ignore[arg-type]
