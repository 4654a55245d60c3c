"""The first documents of each source, and what its files did not give."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.adding.preview import Failed, Preview, ShownDocument, SourcePreview
from studio.pages.data.corpus import SkippedGroup
from studio.pages.data.quote import Quote, clipped
from studio.widgets.card import Card, Hairline
from studio.widgets.controls import ComboBox, LinkButton, SecondaryButton, Segmented
from studio.widgets.empty import ErrorCard, LoadingBlocks
from studio.widgets.figures import count, plural, size, whole
from studio.widgets.headings import card_title
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from trainer_core.errors import KnownError

_SHOWN = 3
_TEXT_CHARACTERS = 600
_TEXT_LINES = 8
_PATHS_SHOWN = 6


class DocumentsCard(Card):
    """The first documents of one source at a time.

    Signals:
        field_chosen (int, str): Another field of the source at this place holds the text.
        again_requested: The sources are to be looked at once more, unchanged.
        correction_requested (object): A source cannot be read; carries the `KnownError`.
    """

    field_chosen = Signal(int, str)
    again_requested = Signal()
    correction_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=10, parent=parent)
        self._preview: Preview | None = None
        self._current = 0
        self._all_shown = False
        self._shown = 0
        self._sources = Segmented([("0", "")], name="Source")
        self._sources.chosen.connect(self._on_source_chosen)
        head = QHBoxLayout()
        head.addWidget(card_title("First documents"))
        head.addStretch(1)
        head.addWidget(self._sources)
        self._facts = Label("", "secondary", "muted", wrap=True)
        self._field = ComboBox("Field with the text", prefix="Text is in")
        self._field.activated.connect(self._on_field_activated)
        self._column = QVBoxLayout()
        self._column.setSpacing(10)
        self._more = LinkButton("")
        self._more.clicked.connect(self._on_more_clicked)
        self.body.addLayout(head)
        self.body.addWidget(self._facts)
        self.body.addWidget(self._field)
        self.body.addLayout(self._column)
        self.body.addWidget(self._more)
        self.show_preview(None)

    @property
    def shown(self) -> int:
        """How many documents are shown."""
        return self._shown

    def show_preview(self, preview: Preview | None) -> None:
        """Show what was found; None while it is looked for."""
        self._preview = preview
        sources = preview.sources if preview is not None else ()
        self._current = min(self._current, max(len(sources) - 1, 0))
        broken = next((n for n, source in enumerate(sources) if source.failed), None)
        self._current = self._current if broken is None else broken
        self._all_shown = False
        names = [(str(n), source.name) for n, source in enumerate(sources)]
        self._sources.set_choices(names or [("0", "")], str(self._current))
        self._sources.setVisible(len(sources) > 1)
        self._show()

    def _show(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        preview = self._preview
        self._shown = 0
        if preview is None or not preview.sources:
            self._facts.set_text("")
            self._facts.hide()
            self._field.hide()
            self._more.hide()
            if preview is None:
                self._column.addWidget(LoadingBlocks(rows=3, height=64))
            return
        source = preview.sources[self._current]
        if source.failed is not None:
            self._show_failed(source.failed)
            return
        self._facts.set_text(source_words(source))
        self._facts.show()
        self._show_field(source)
        shown = source.documents if self._all_shown else source.documents[:_SHOWN]
        for document in shown:
            self._column.addWidget(DocumentView(document))
        self._shown = len(shown)
        more = len(source.documents) - len(shown)
        self._more.setVisible(more > 0)
        self._more.set_text(f"Show {plural(more, 'more document', 'more documents')}")

    def _show_failed(self, failed: Failed) -> None:
        for widget in (self._facts, self._field, self._more):
            widget.hide()
        error = KnownError(failed.what, do=failed.do, field=failed.field)
        card = ErrorCard(error, button="Correct it")
        card.clicked.connect(lambda: self.correction_requested.emit(error))
        self._column.addWidget(card)
        again = SecondaryButton("Look again", "refresh-cw", size="small")
        again.clicked.connect(self.again_requested)
        row = QHBoxLayout()
        row.addWidget(again)
        row.addStretch(1)
        holder = QWidget()
        row.setContentsMargins(0, 0, 0, 0)
        holder.setLayout(row)
        self._column.addWidget(holder)

    def _show_field(self, source: SourcePreview) -> None:
        self._field.setVisible(len(source.fields) > 1)
        self._field.clear()
        for name in source.fields:
            self._field.addItem(name, name)
        self._field.setCurrentIndex(max(self._field.findData(source.field), 0))

    def _on_source_chosen(self, key: str) -> None:
        self._current = int(key)
        self._all_shown = False
        self._show()

    def _on_field_activated(self) -> None:
        self.field_chosen.emit(self._current, self._field.currentData())

    def _on_more_clicked(self) -> None:
        self._all_shown = True
        self._show()


def source_words(source: SourcePreview) -> str:
    """How much of a source was looked at."""
    if not source.documents_read:
        return (
            f"{source.description}: no document with text was found."
            if (source.description)
            else "No document with text was found."
        )
    read = f"{plural(source.documents_read, 'document')} with {size(source.bytes_read)} of text"
    of_all = ""
    if source.bytes_total is not None and source.bytes_total > source.bytes_read:
        documents = source.documents_total
        many = f"{count(documents)} documents with " if documents is not None else ""
        of_all = f", of about {many}{size(source.bytes_total)} in all"
    where = f"{source.description}: " if source.description else ""
    return f"{where}{read}{of_all}."


class DocumentView(QWidget):
    """One document: its name, its size and its beginning."""

    def __init__(self, document: ShownDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        name = Label(document.title, "strong")
        name.set_tooltip(document.path)
        row = QHBoxLayout()
        row.addWidget(name, 1)
        row.addWidget(Label(size(document.size_bytes), "mono_small", "muted", elide=False))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        text = clipped(document.text, _TEXT_CHARACTERS, _TEXT_LINES, cut=document.cut)
        column.addWidget(Quote(text))


class LeftOutCard(Card):
    """What gave no document, with the reasons; hidden while that is nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=6, parent=parent)
        self._column = QVBoxLayout()
        self._column.setSpacing(8)
        self.body.addWidget(card_title("Left out"))
        self.body.addLayout(self._column)
        self.hide()

    def show_preview(self, preview: Preview | None) -> None:
        """Show what a preview left out."""
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        groups = [g for s in (preview.sources if preview else ()) for g in s.skipped if g.count]
        for group in groups:
            self._column.addWidget(GroupView(group))
        self.setVisible(bool(groups))


class GroupView(QWidget):
    """One reason: how many, and the first names, folded away."""

    def __init__(self, group: SkippedGroup, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        serious = group.level != "info"
        icon = IconLabel("triangle-alert" if serious else "info", "warn" if serious else "info", 14)
        reason = group.meaning or group.reason.replace("_", " ")
        self._more = LinkButton("Show")
        self._more.clicked.connect(self._on_more_clicked)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(icon)
        row.addWidget(Label(whole(group.count), "mono", elide=False))
        row.addWidget(Label(reason, "secondary", "text" if serious else "muted"), 1)
        row.addWidget(self._more)
        paths = list(group.examples[:_PATHS_SHOWN])
        more = group.count - len(paths)
        self._paths = Label("\u2028".join(paths), "label", "muted", wrap=True)
        if paths and more > 0:
            self._paths.set_text("\u2028".join([*paths, f"and {more:,} more"]))
        self._paths.hide()
        self._more.setVisible(bool(paths))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(Hairline())
        column.addLayout(row)
        column.addWidget(self._paths)

    def _on_more_clicked(self) -> None:
        shown = self._paths.isHidden()
        self._paths.setVisible(shown)
        self._more.set_text("Hide" if shown else "Show")
