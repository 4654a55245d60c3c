"""Text in other encodings than UTF-8, as the UTF-8 that everything behind expects."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from trainer_core.data.sources.reading import PART_BYTES, NoText, Readable

if TYPE_CHECKING:
    import charset_normalizer

AUTO = "auto"
_GUESSED_BYTES = 1 << 16
"""An encoding is guessed from so much, from the first letter on that is none of ASCII's."""
_BEFORE_BYTES = 1 << 10
_NEVER_GUESSED = ("utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7")
"""They say what they are, or look like anything."""
_USUAL = "cp1252"
"""Taken wherever the words are as likely by it: others agree on most signs, and not on all."""
_ABOUT_AS_LIKELY = 0.1
"""Difference of `charset_normalizer`'s coherence, which reaches from 0 to 1."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Recoded:
    """A stream of another encoding as a stream of UTF-8.

    Args:
        stream: Its bytes.
        encoding: A name that Python knows, or `auto`: UTF-8 where it is that, else what the first
            letters outside of ASCII are likeliest to be.
    """

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = None if encoding == AUTO else _decoder(encoding)
        self._held = b""
        self._is_first = True
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end.

        Raises:
            NoText: It is no text of this encoding, or none that could be guessed.
        """
        while not self._ready and not self._ended:
            chunk = self._stream.read(PART_BYTES)
            self._ended = not chunk
            self._ready += self._text(chunk).encode("utf-8", "surrogatepass")
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _text(self, chunk: bytes) -> str:
        if self._decoder is None:
            chunk = self._held + chunk
            if not self._is_known(chunk):
                return self._plain(chunk)
        first, self._is_first = self._is_first, False
        try:
            text = self._decoder.decode(chunk, self._ended) if self._decoder else ""
        except (UnicodeError, ValueError):  # a mark in the middle, a sign that is none
            raise NoText("binary" if b"\0" in chunk else "other_encoding") from None
        if "\0" in text:
            raise NoText("binary")
        return text.removeprefix("\ufeff") if first else text

    def _plain(self, chunk: bytes) -> str:
        """As much as is ASCII, while nothing else has come; the rest waits for more."""
        end = len(chunk) if chunk.isascii() else _ascii_bytes(chunk)
        self._held = chunk[end:]
        if b"\0" in chunk:
            raise NoText("binary")
        self._is_first = self._is_first and not end
        return chunk[:end].decode("ascii")

    def _is_known(self, chunk: bytes) -> bool:
        """Whether the encoding is known, now that this is read."""
        if self._is_first and chunk.startswith(_UTF_16):
            self._decoder = _decoder("utf-16")
            return True
        begin = _ascii_bytes(chunk)
        other = chunk[begin:]
        if not other or (len(other) < _GUESSED_BYTES and not self._ended):
            return False
        self._decoder = _decoder(
            _guessed(other[:_GUESSED_BYTES], chunk[max(0, begin - _BEFORE_BYTES) : begin])
        )
        return True


def _ascii_bytes(data: bytes) -> int:
    """How many bytes at the beginning are ASCII."""
    try:
        data.decode("ascii")
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def _guessed(data: bytes, before: bytes) -> str:
    """What some bytes are likeliest to be, the first of which is none of ASCII's.

    Raises:
        NoText: Nothing is likely.
    """
    import charset_normalizer

    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data)
        return "utf-8"
    except UnicodeDecodeError:
        pass
    found = charset_normalizer.from_bytes(before + data, cp_exclusion=list(_NEVER_GUESSED))
    best = found.best()
    if best is None or b"\0" in data:
        raise NoText("other_encoding")
    likely = [match for match in found if match.coherence > best.coherence - _ABOUT_AS_LIKELY]
    if any(_USUAL in _names(match) for match in likely):
        return _USUAL
    return best.encoding


def _names(match: charset_normalizer.CharsetMatch) -> set[str]:
    """Every encoding by which the bytes are the same text."""
    names = (match.encoding, *match.could_be_from_charset)
    return {codecs.lookup(name).name for name in names}


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(encoding)()
