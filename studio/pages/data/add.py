"""The panel that adds data: source, tokenizer, name; errors stand beside their fields."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QWidget

from studio.pages.data.paths import PathList
from studio.pages.data.request import AddForm, SourceKind, TokenizerKind, make_request
from studio.pages.wizard.draft import field_message
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.controls import (
    CheckBox,
    LineEdit,
    PrimaryButton,
    QuietButton,
    SecondaryButton,
    Segmented,
)
from studio.widgets.field import Field
from studio.widgets.label import Label
from trainer_core.errors import KnownError, SpecError

_TOKENIZERS: dict[TokenizerKind, str] = {
    "bytes": "One token per byte, nothing to learn. Texts become long; best for very little text.",
    "bpe": "Learned from this text's training part. Fits it best.",
    "gpt2": "GPT-2's 50,257 tokens. Needs its two vocabulary files, found or fetched once.",
}


class AddDataPanel(Card):
    """Everything that a new dataset needs.

    Signals:
        submitted (object): An `AddRequest` that is valid by itself.
        cancelled: The user does not want to add anything.
    """

    submitted = Signal(object)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(padding=16, spacing=12, parent=parent)
        self._replaces: int | None = None
        self._title = Label("Add data", "title")
        self._python = ChoiceCard(
            "This computer's Python library",
            ("Standard library and installed packages: real, large, local", "secondary"),
            icon="file-text",
        )
        self._files = ChoiceCard(
            "My own files and folders",
            ("UTF-8 text; drop them here or choose them", "secondary"),
            icon="folder-open",
        )
        self._python.clicked.connect(lambda: self._choose_source("python_library"))
        self._files.clicked.connect(lambda: self._choose_source("text_files"))
        sources = QHBoxLayout()
        sources.setSpacing(12)
        sources.addWidget(self._python, 1)
        sources.addWidget(self._files, 1)
        self._paths = PathList()
        self._paths_field = Field("Files and folders", self._paths)
        self._error = Label("", "secondary", "danger", wrap=True)
        self._error.hide()
        self.body.addWidget(self._title)
        self.body.addLayout(sources)
        self.body.addWidget(self._paths_field)
        self.body.addLayout(self._fields())
        self.body.addWidget(self._error)
        self.body.addLayout(self._buttons())
        self._by_path = {
            "source.paths": self._paths_field,
            "source.suffixes": self._suffixes,
            "source.max_bytes": self._limit,
            "tokenizer.vocab_size": self._vocab_size,
            "tokenizer.vocabulary_folder": self._folder,
            "name": self._name,
            "validation_fraction": self._validation,
            "seed": self._seed,
        }
        self.setAcceptDrops(True)
        self.show_form(AddForm())

    def _fields(self) -> QGridLayout:
        self._limit = Field(
            "Read at most",
            LineEdit(placeholder="all of it", mono=True),
            hint="Such as 24 MB. A part is a fair sample of the whole.",
        )
        self._suffixes = Field(
            "Only files ending in",
            LineEdit(placeholder="any text file"),
            hint="Such as .txt .md",
        )
        self._tokenizer = Segmented(
            [("bpe", "Own"), ("bytes", "Bytes"), ("gpt2", "GPT-2")], name="Tokenizer", size="normal"
        )
        self._tokenizer.chosen.connect(self._on_tokenizer_chosen)
        self._tokenizer_field = Field("Tokenizer", self._tokenizer)
        self._vocab_size = Field("Vocabulary", LineEdit(mono=True), hint="258 to 200,000 tokens")
        self._folder = Field("Vocabulary folder", self._folder_row())
        self._name = Field("Name", LineEdit())
        self._what = Field("What it is", LineEdit(placeholder="in a few words"))
        self._validation = Field(
            "Held out, percent", LineEdit(mono=True), hint="Whole documents, never trained on"
        )
        self._seed = Field("Seed of the split", LineEdit(mono=True), hint="Fixed from then on")
        self._private = CheckBox("Private: mark it as never to leave this computer")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        for column, field in enumerate((self._name, self._what)):
            grid.addWidget(field, 0, 2 * column, 1, 2)
        for column, field in enumerate((self._tokenizer_field, self._limit)):
            grid.addWidget(field, 1, 2 * column if column == 0 else 1)
        grid.addWidget(self._suffixes, 1, 1)
        grid.addWidget(self._vocab_size, 2, 0)
        grid.addWidget(self._folder, 2, 0, 1, 2)
        grid.addWidget(self._validation, 1, 2)
        grid.addWidget(self._seed, 1, 3)
        grid.addWidget(self._private, 2, 2, 1, 2, Qt.AlignmentFlag.AlignTop)
        for column in range(4):
            grid.setColumnStretch(column, 1)
        return grid

    def _folder_row(self) -> QWidget:
        self._folder_edit = LineEdit(
            placeholder="found or fetched by itself", name="Vocabulary folder"
        )
        choose = SecondaryButton("Choose…")
        choose.clicked.connect(self._on_choose_vocabulary_clicked)
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._folder_edit, 1)
        layout.addWidget(choose)
        return row

    def _buttons(self) -> QHBoxLayout:
        cancel = QuietButton("Cancel")
        cancel.clicked.connect(self.cancelled)
        self._submit = PrimaryButton("Read the text", "play")
        self._submit.clicked.connect(self._on_submit_clicked)
        row = QHBoxLayout()
        row.addWidget(Label("Reading goes on when the window is closed.", "secondary", "muted"), 1)
        row.addWidget(cancel)
        row.addWidget(self._submit)
        return row

    # --- content -----------------------------------------------------------------------------

    def show_form(self, form: AddForm, replaces: int | None = None) -> None:
        """Show these settings.

        Args:
            form: What the fields say.
            replaces: The dataset whose failed attempt is corrected, if any.
        """
        self._replaces = replaces
        self._title.set_text("Add data" if replaces is None else "Change and read again")
        self._paths.set_paths(form.paths)
        for field, text in (
            (self._suffixes, form.suffixes),
            (self._limit, form.limit),
            (self._vocab_size, form.vocab_size),
            (self._name, form.name),
            (self._what, form.what),
            (self._validation, form.validation),
            (self._seed, form.seed),
        ):
            _edit(field).setText(text)
        self._folder_edit.setText(form.vocabulary_folder)
        self._private.setChecked(form.private)
        self._tokenizer.set_current(form.tokenizer)
        self._on_tokenizer_chosen(form.tokenizer)
        self._choose_source(form.source)
        self.clear_errors()

    def form(self) -> AddForm:
        """The settings as they stand."""
        kinds: dict[str, TokenizerKind] = {"bytes": "bytes", "bpe": "bpe", "gpt2": "gpt2"}
        return AddForm(
            source="text_files" if self._files.isChecked() else "python_library",
            paths=self._paths.paths,
            suffixes=_edit(self._suffixes).text(),
            limit=_edit(self._limit).text(),
            tokenizer=kinds[self._tokenizer.current],
            vocab_size=_edit(self._vocab_size).text(),
            vocabulary_folder=self._folder_edit.text(),
            name=_edit(self._name).text(),
            what=_edit(self._what).text(),
            private=self._private.isChecked(),
            validation=_edit(self._validation).text(),
            seed=_edit(self._seed).text(),
        )

    def show_error(self, error: KnownError) -> None:
        """Show an error beside its field, or at the bottom when it has none here."""
        self.clear_errors()
        path = error.field.split("[")[0]
        field = self._by_path.get(path) or self._by_path.get(path.removeprefix("prepare."))
        if field is not None:
            message = field_message(error) if isinstance(error, SpecError) else error.what
            field.set_error(" ".join(part for part in (message, error.do) if part))
            field.control.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        self._error.set_text(str(error))
        self._error.show()

    def clear_errors(self) -> None:
        """Take every error away."""
        for field in self._by_path.values():
            field.set_error("")
        self._error.hide()

    # --- reactions ---------------------------------------------------------------------------

    def _choose_source(self, source: SourceKind) -> None:
        files = source == "text_files"
        self._python.setChecked(not files)
        self._files.setChecked(files)
        self._paths_field.setVisible(files)
        self._suffixes.setVisible(files)
        self._limit.setVisible(not files)
        _edit(self._name).setPlaceholderText("from the file" if files else "Python library")

    def _on_tokenizer_chosen(self, kind: str) -> None:
        self._vocab_size.setVisible(kind == "bpe")
        self._folder.setVisible(kind == "gpt2")
        self._tokenizer_field.set_hint(
            next(text for key, text in _TOKENIZERS.items() if key == kind)
        )

    def _on_choose_vocabulary_clicked(self) -> None:
        dialog = QFileDialog(self, "Folder with vocab.bpe and encoder.json")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._folder_edit.setText)
        dialog.open()

    def _on_submit_clicked(self) -> None:
        self.clear_errors()
        try:
            request = make_request(self.form(), self._replaces)
        except SpecError as error:
            self.show_error(error)
            return
        self.submitted.emit(request)

    def set_busy(self, busy: bool) -> None:
        """Whether the request is being carried out."""
        self._submit.setEnabled(not busy)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes, Ctrl+Enter submits."""
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers():
            self._on_submit_clicked()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take local files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self._files.set_wanted(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing hovers any more."""
        self._files.set_wanted(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Add what was dropped."""
        self._files.set_wanted(False)
        self.add_paths([url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def add_paths(self, paths: list[str]) -> None:
        """Add files and folders, and take them as the source."""
        self._choose_source("text_files")
        self._paths.add(paths)
        self._paths_field.set_error("")


def _edit(field: Field) -> LineEdit:
    if not isinstance(field.control, LineEdit):
        raise TypeError("this field has no line of text")
    return field.control
