"""A source whose documents go through the cleaning steps, whenever they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from trainer_core.data.cleaning.hook import Hook, load_hook
from trainer_core.data.cleaning.repairs import (
    SHOWN_CHARACTERS,
    Normalise,
    Repair,
    RepairUnicode,
    Whitespace,
    first_difference,
)
from trainer_core.data.cleaning.report import STEPS, CleaningCounts, StepName
from trainer_core.data.manifest import CleaningExample
from trainer_core.data.preparing.split import DIGEST_BYTES
from trainer_core.data.sources.documents import RECORD_BYTES, FoundDocument, LeaveOut
from trainer_core.data.sources.files import Place, SourceFile
from trainer_core.data.sources.protocol import OpenSource
from trainer_core.data.sources.reading import NoText, in_parts
from trainer_core.data.sources.skipped import Reason, printable
from trainer_core.spec import CleaningConfig
from trainer_core.spec.cleaning import TEXT_PREFIX


def steps_of(config: CleaningConfig) -> tuple[StepName, ...]:
    """The steps that are switched on, in their order; near duplicates are found later."""
    on: dict[StepName, bool] = {
        "repair_unicode": config.repair_unicode,
        "normalise": bool(config.normalise),
        "whitespace": config.whitespace,
        "length": bool(config.min_characters or config.max_characters),
        "hook": bool(config.hook),
        "exclude": bool(config.exclude),
    }
    return tuple(step for step in STEPS if on[step])


def cleaned(
    opened: OpenSource, config: CleaningConfig, counts: CleaningCounts | None = None
) -> OpenSource:
    """The source with its documents cleaned; itself where no step is switched on.

    Args:
        opened: The source.
        config: The steps.
        counts: Told what they do while it is counting.

    Raises:
        DataError: The user's own step cannot be run.
    """
    steps = steps_of(config)
    if not steps:
        return opened
    return _Cleaned(opened, config, counts or CleaningCounts(steps))


def as_found(opened: OpenSource) -> OpenSource:
    """The source below its cleaning."""
    return opened.found if isinstance(opened, _Cleaned) else opened


class _Cleaned:
    """See `cleaned`."""

    def __init__(self, opened: OpenSource, config: CleaningConfig, counts: CleaningCounts) -> None:
        self.found, self._config, self._counts = opened, config, counts
        self._hook: Hook | None = load_hook(config.hook) if config.hook else None
        self._paths = frozenset(e for e in config.exclude if not e.startswith(TEXT_PREFIX))
        self._texts = frozenset(
            e.removeprefix(TEXT_PREFIX).lower() for e in config.exclude if e.startswith(TEXT_PREFIX)
        )

    @property
    def files(self) -> Sequence[SourceFile]:
        """What is read, in order."""
        return self.found.files

    @property
    def max_bytes(self) -> int:
        """Read no further after this much text; 0 reads all."""
        return self.found.max_bytes

    def documents(
        self, file: SourceFile, leave_out: LeaveOut, watch: Callable[[Place], None]
    ) -> Iterator[FoundDocument]:
        """The documents of one of the files, cleaned.

        What a step leaves out raises `NoText` when its text is read, possibly after its last part.
        """
        for document in self.found.documents(file, leave_out, watch):
            parts = self._parts(document)
            yield FoundDocument(document.title, document.path, parts)

    def _parts(self, document: FoundDocument) -> Iterator[str]:
        title = printable(document.title)
        if printable(document.path) in self._paths:
            raise self._out("exclude", "excluded", title, "", 0)
        texts: Iterator[str] = document.parts
        for repair in self._repairs():
            texts = self._counted(repair, title, texts)
        if self._config.min_characters or self._config.max_characters:
            texts = self._within_lengths(title, texts)
        if self._hook is not None:
            texts = self._hooked(self._hook, title, printable(document.path), texts)
        # A step may have moved the places where no token is cut, or left nothing.
        yield from self._unless_excluded(title, in_parts(texts))

    def _repairs(self) -> Iterator[Repair]:
        if self._config.repair_unicode:
            yield RepairUnicode()
        if self._config.normalise:
            yield Normalise(self._config.normalise)
        if self._config.whitespace:
            yield Whitespace()

    def _counted(self, repair: Repair, title: str, texts: Iterable[str]) -> Iterator[str]:
        before = after = 0

        def watched() -> Iterator[str]:
            nonlocal before
            for text in texts:
                before += len(text.encode())
                yield text

        for text in repair(watched()):
            after += len(text.encode())
            yield text
        change = repair.change and CleaningExample(
            title=title, before=repair.change[0], after=repair.change[1]
        )
        self._counts.passed(repair.name, before, after, change)

    def _within_lengths(self, title: str, texts: Iterable[str]) -> Iterator[str]:
        low, high = self._config.min_characters, self._config.max_characters
        length = n_bytes = 0
        beginning = ""
        for text in texts:
            beginning += text[: 2 * SHOWN_CHARACTERS - len(beginning)]
            length += len(text)
            n_bytes += len(text.encode())
            if 0 < high < length:
                raise self._out("length", "too_large", title, beginning, n_bytes)
            yield text
        if length < low:
            raise self._out("length", "too_short", title, beginning, n_bytes)
        self._counts.passed("length", n_bytes, n_bytes, None)

    def _hooked(self, hook: Hook, title: str, path: str, texts: Iterable[str]) -> Iterator[str]:
        held: list[str] = []
        n_bytes = 0
        for text in texts:
            held.append(text)
            n_bytes += len(text.encode())
            if n_bytes > RECORD_BYTES:  # the step sees whole documents, so these must fit memory
                raise NoText("too_long")
        before = "".join(held)
        after = hook(before, title, path)
        if after is None:
            raise self._out("hook", "hook", title, before[: 2 * SHOWN_CHARACTERS], n_bytes)
        change = None
        if after != before:
            shown = first_difference(before, after)
            change = CleaningExample(title=title, before=shown[0], after=shown[1])
        self._counts.passed("hook", n_bytes, len(after.encode("utf-8", "surrogatepass")), change)
        if "\0" in after:
            raise NoText("binary")
        yield after.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _unless_excluded(self, title: str, texts: Iterable[str]) -> Iterator[str]:
        if not self._texts:
            yield from texts
            return
        hashed = hashlib.blake2b(digest_size=DIGEST_BYTES)
        n_bytes = 0
        beginning = ""
        for text in texts:
            beginning += text[: 2 * SHOWN_CHARACTERS - len(beginning)]
            data = text.encode()
            hashed.update(data)
            n_bytes += len(data)
            yield text
        if hashed.hexdigest() in self._texts:
            raise self._out("exclude", "excluded", title, beginning, n_bytes)
        self._counts.passed("exclude", n_bytes, n_bytes, None)

    def _out(
        self, step: StepName, reason: Reason, title: str, beginning: str, n_bytes: int
    ) -> NoText:
        """Count a document that a step leaves out after so many bytes of it."""
        self._counts.passed(step, n_bytes, 0, None)
        self._counts.left_out(step, CleaningExample(title=title, before=beginning))
        return NoText(reason)
