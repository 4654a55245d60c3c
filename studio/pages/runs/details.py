"""All about a run beside the list: tags, notes, where it comes from, its room on the disk."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.pages.runs.actions import RunListActions
from studio.pages.runs.checkpoint_list import CheckpointList
from studio.pages.runs.details_facts import (
    Relative,
    RunFiles,
    differing_settings,
    read_files,
    relatives,
)
from studio.pages.runs.entries import Catalogue, Entry
from studio.storage.rows import NoteRow
from studio.widgets import figures
from studio.widgets.card import Hairline
from studio.widgets.controls import ComboBox, IconButton, LineEdit, LinkButton
from studio.widgets.label import Label, Part
from studio.widgets.scroll import ClearScroll


class RunDetails(QWidget):
    """One run; shown in a sheet.

    Signals:
        run_chosen(int): Another run of the tree is wanted here.
        run_opened(int): The run's page is wanted.
    """

    run_chosen = Signal(int)
    run_opened = Signal(int)

    def __init__(
        self, context: Context, actions: RunListActions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._actions = actions
        self._entry: Entry | None = None
        self._catalogue = Catalogue()
        self._tree: list[Relative] = []
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(16, 12, 16, 16)
        self._column.setSpacing(8)
        self._lay_out()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ClearScroll(inner))

    @property
    def run_id(self) -> int | None:
        """The run that is shown."""
        return None if self._entry is None else self._entry.run.id

    def show_run(self, entry: Entry, catalogue: Catalogue) -> None:
        """Show a run; what the disk says of it follows."""
        same = self.run_id == entry.run.id
        self._entry, self._catalogue = entry, catalogue
        self._tree = relatives(entry, catalogue.entries)
        self._show_head(entry)
        self._offer_others(entry, keep=same)
        if not same:
            self.note.clear()
            self._show_files(RunFiles())
        self._read()

    # --- making it -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._about = Label("", "secondary", "muted", wrap=True)
        self._column.addWidget(self._about)
        links = QHBoxLayout()
        links.setSpacing(16)
        opened = LinkButton("Open the run")
        opened.clicked.connect(self._on_opened)
        self.tags_link = LinkButton("Edit tags…", "tag")
        self.tags_link.clicked.connect(self._on_tags)
        links.addWidget(opened)
        links.addWidget(self.tags_link)
        links.addStretch(1)
        self._column.addLayout(links)
        self._tags = Label("", "secondary", wrap=True)
        self._column.addWidget(self._tags)

        self._heading("Notes")
        self.note = LineEdit("", "Write a note, and press Enter", name="New note")
        self.note.returnPressed.connect(self._on_note_written)
        self._column.addWidget(self.note)
        self._notes = QVBoxLayout()
        self._notes.setSpacing(4)
        self._column.addLayout(self._notes)

        self._tree_head = self._heading("Lineage")
        self._past = Label("", "secondary", "muted", wrap=True)
        self._past.hide()
        self._column.addWidget(self._past)
        self._tree_rows = QVBoxLayout()
        self._tree_rows.setSpacing(2)
        self._column.addLayout(self._tree_rows)

        self._heading("Checkpoints on the disk")
        self.checkpoints = CheckpointList(self._context)
        self.checkpoints.changed.connect(self._read)
        self._column.addWidget(self.checkpoints)

        self._heading("Other settings than")
        self.other = ComboBox("Run to set it beside")
        self.other.currentIndexChanged.connect(lambda _index: self._compare())
        self._column.addWidget(self.other)
        self._differences = QVBoxLayout()
        self._differences.setSpacing(4)
        self._column.addLayout(self._differences)
        self._column.addStretch(1)

    def _heading(self, word: str) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(Hairline())
        column.addWidget(Label(word, "strong"))
        self._column.addWidget(holder)
        return holder

    # --- content -------------------------------------------------------------------------------

    def _show_head(self, entry: Entry) -> None:
        facts = entry.run.facts
        parts = [figures.started(facts.started_s or entry.run.created_s)]
        if facts.total_steps:
            parts.append(f"step {facts.step:,} of {facts.total_steps:,}")
        if facts.best_loss is not None:
            parts.append(f"best loss {figures.loss(facts.best_loss)}")
        parts += [f"data {entry.dataset}"] if entry.dataset else []
        parts += [f"group {entry.group}"] if entry.group else []
        self._about.set_text(", ".join(parts))
        self._tags.set_text(", ".join(entry.run.tags))
        self._tags.setVisible(bool(entry.run.tags))
        can_write = not self._context.library.read_only
        self.tags_link.setEnabled(can_write)
        self.note.setEnabled(can_write)

    def _offer_others(self, entry: Entry, *, keep: bool) -> None:
        kept = self.other.currentData() if keep else None
        wanted = kept if kept is not None else entry.run.parent_id
        near = sorted(
            (each for each in self._catalogue.entries if each.run.id != entry.run.id),
            key=lambda each: (
                each.run.project_id != entry.run.project_id,
                abs(each.run.created_s - entry.run.created_s),
            ),
        )
        self.other.blockSignals(True)
        self.other.clear()
        for each in near[:_OTHERS_MAX]:
            self.other.addItem(f"{each.run.name}  ({each.project})", each.run.id)
        self.other.setCurrentIndex(max(self.other.findData(wanted), 0))
        self.other.blockSignals(False)
        self._compare()

    def _read(self) -> None:
        entry = self._entry
        if entry is None:
            return
        library, run = self._context.library, entry.run
        folders = {each.run.id: each.run.folder for each in self._catalogue.entries}
        tree = [(each.run_id, folders[each.run_id]) for each in self._tree]

        def read() -> tuple[int, RunFiles]:
            return run.id, read_files(run.folder, tree, library.notes(run.id))

        def show(found: tuple[int, RunFiles]) -> None:
            if found[0] == self.run_id:
                self._show_files(found[1])

        self._context.tasks.run_op(read, show, owner=self, lane="work")

    def _show_files(self, files: RunFiles) -> None:
        _clear(self._notes)
        for note in files.notes:
            self._notes.addWidget(self._note_row(note))
        _clear(self._tree_rows)
        self._tree_head.setVisible(bool(self._tree or files.past))
        for relative in self._tree:
            step = (files.steps or {}).get(relative.run_id)
            self._tree_rows.addWidget(self._tree_row(relative, step))
        self._past.set_text(files.past)
        self._past.setVisible(bool(files.past))
        if self._entry is not None:
            self.checkpoints.show_files(
                self._entry.run, files.checkpoints, files.problem or files.rule
            )

    def _note_row(self, note: NoteRow) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        text = Label("", "body", wrap=True)
        step = "" if note.step is None else f"step {note.step:,}: "
        text.set_parts(Part(step, tone="muted"), Part(note.text))
        row.addWidget(text, 1)
        day = Label(figures.day(note.created_s), "label", "muted", elide=False)
        row.addWidget(day, 0, Qt.AlignmentFlag.AlignTop)
        remove = IconButton("x", f"Remove the note of {figures.day(note.created_s)}", edge=22)
        remove.setEnabled(not self._context.library.read_only)
        remove.clicked.connect(partial(self._remove_note, note))
        row.addWidget(remove, 0, Qt.AlignmentFlag.AlignTop)
        return holder

    def _tree_row(self, relative: Relative, step: int | None) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(relative.depth * 16, 0, 0, 0)
        row.setSpacing(8)
        if relative.is_here:
            row.addWidget(Label(relative.name, "strong"))
        else:
            link = LinkButton(relative.name)
            link.clicked.connect(lambda: self.run_chosen.emit(relative.run_id))
            row.addWidget(link)
        if relative.depth:
            words = "went on" if step is None else f"from step {step:,}"
            row.addWidget(Label(words, "secondary", "muted"))
        row.addStretch(1)
        return holder

    def _compare(self) -> None:
        entry, other_id = self._entry, self.other.currentData()
        other = next((e for e in self._catalogue.entries if e.run.id == other_id), None)
        self.other.setVisible(other is not None)
        if entry is None or other is None:
            self._show_differences([])
            return
        here, there = entry.run.folder, other.run.folder
        key = (entry.run.id, other.run.id)

        def show(found: list[tuple[str, str, str]] | None) -> None:
            if (self.run_id, self.other.currentData()) == key:
                self._show_differences(found)

        self._context.tasks.run_op(
            lambda: differing_settings(here, there), show, owner=self, lane="work"
        )

    def _show_differences(self, found: list[tuple[str, str, str]] | None) -> None:
        _clear(self._differences)
        if not found:
            words = "None." if found is not None else "The settings of one of them are not known."
            self._differences.addWidget(Label(words, "secondary", "muted"))
        for path, here, there in found or ():
            line = Label("", "secondary", wrap=True)
            line.set_parts(
                Part(f"{path}  ", tone="muted"),
                Part(here, "mono"),
                Part("  instead of  ", tone="muted"),
                Part(there, "mono", "muted"),
            )
            self._differences.addWidget(line)

    # --- reactions -----------------------------------------------------------------------------

    def _on_opened(self) -> None:
        if self._entry is not None:
            self.run_opened.emit(self._entry.run.id)

    def _on_tags(self) -> None:
        if self._entry is not None:
            below = self.tags_link.mapToGlobal(QPoint(0, self.tags_link.height() + 4))
            self._actions.tag([self._entry.run], below)

    def _on_note_written(self) -> None:
        text, entry = self.note.text().strip(), self._entry
        if not text or entry is None:
            return
        self.note.clear()
        library, written = self._context.library, list[int]()

        def write() -> None:
            written[:] = [library.add_note(entry.run.id, text).id]

        self._context.undo.do(
            f"Note on {entry.run.name} written",
            write,
            lambda: library.remove_note(written[0]),
            quiet=True,
        )

    def _remove_note(self, note: NoteRow) -> None:
        library = self._context.library
        self._context.undo.do(
            "Note removed",
            lambda: library.remove_note(note.id),
            lambda: library.put_back_note(note),
        )


_OTHERS_MAX = 100


def _clear(column: QVBoxLayout) -> None:
    while (item := column.takeAt(0)) is not None:
        if (old := item.widget()) is not None:
            old.hide()
            old.deleteLater()
