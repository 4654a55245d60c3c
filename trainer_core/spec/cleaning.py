"""What is done to text before it counts: the cleaning section of a spec."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

import re
from typing import Annotated, Literal

from msgspec import Meta

from trainer_core.spec.section import Section

TEXT_PREFIX = "text:"
"""Begins the hash of a text that is excluded wherever it stands."""
_TEXT_HASH = re.compile(TEXT_PREFIX + "[0-9a-fA-F]{32}")


class CleaningConfig(Section, frozen=True, kw_only=True):
    """Steps that documents go through, in this order; each is counted."""

    repair_unicode: bool = False
    """Undo text that was decoded with the wrong encoding, such as `â€œ`."""
    normalise: Literal["", "NFC", "NFKC"] = ""
    """Unicode normal form."""
    whitespace: bool = False
    """Line ends become newlines; white space at the end of lines and the third and further empty
    lines in a row go."""
    min_characters: Annotated[int, Meta(ge=0)] = 0
    """Shorter documents are left out; 0 keeps them."""
    max_characters: Annotated[int, Meta(ge=0)] = 0
    """Longer documents are left out; 0 keeps them."""
    hook: str = ""
    """A Python file of one's own with a function `clean(text, title, path)` that gives the text,
    changed or not, or None to leave the document out: for language, quality, anything. The file is
    run, so it should be one that you trust."""
    exclude: tuple[str, ...] = ()
    """Documents that are left out: paths as reports name them, or `text:` and the hash of a text
    (32 hexadecimal digits, `text` in the reports), which leaves out each document that has it."""
    near_duplicates: Literal["off", "report", "remove"] = "off"
    """What is done with documents that are nearly equal to an earlier one. Exact duplicates are
    always left out, so that no validation document is also trained on."""
    similarity: Annotated[float, Meta(ge=0.3, le=1.0)] = 0.8
    """Share of common five-word runs (Jaccard) from which on two documents are nearly equal."""

    def __post_init__(self) -> None:
        """Hold the relations between the fields.

        Raises:
            ValueError: No document could be kept, or an excluded one is not named.
        """
        if 0 < self.max_characters < self.min_characters:
            raise ValueError("max_characters is below min_characters, so no document is kept")
        for number, name in enumerate(self.exclude):
            if not name.strip():
                raise ValueError(f"exclude[{number}] is empty: name a path, or {TEXT_PREFIX}HASH")
            if name.startswith(TEXT_PREFIX) and not _TEXT_HASH.fullmatch(name):
                raise ValueError(
                    f"exclude[{number}] is not {TEXT_PREFIX} and the 32 hexadecimal digits of a"
                    " text's hash, as reports have it"
                )
