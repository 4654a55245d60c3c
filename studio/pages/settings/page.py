"""Settings: the look, the charts, the data, trainings, who is told, what Hearth is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.context import Context
from studio.keys import KEYS
from studio.pages.page import Page, PageHeader, ScrollBody
from studio.pages.settings.facts import (
    GPT2_SETTING,
    SMOOTHING_SETTING,
    About,
    computer_words,
    gpt2_folder_problem,
    licences,
    read_about,
)
from studio.pages.settings.notifications import NotificationsSection
from studio.pages.settings.section import Section
from studio.pages.settings.trainings import (
    CURRENCY,
    PRICE,
    WATTS,
    Electricity,
    HoldingSection,
    TrainingsSection,
)
from studio.runs.manners import read_defaults, write_defaults
from studio.runs.supervisor import STUDIO_LOG
from studio.storage.library import Library
from studio.theme import Mode
from studio.widgets import figures
from studio.widgets.card import Card
from studio.widgets.controls import LineEdit, LinkButton, SecondaryButton, Segmented
from studio.widgets.label import Label, Part
from trainer_core.errors import KnownError
from trainer_core.manners import Manners

_MODES: dict[str, Mode] = {"system": "system", "dark": "dark", "light": "light"}
_SMOOTHINGS = [
    ("0", "By run length"),
    ("1", "Off"),
    ("50", "50"),
    ("200", "200"),
    ("1000", "1,000"),
]


class SettingsPage(Page):
    """The settings; each one takes effect at once."""

    nav_key = "settings"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(PageHeader("Settings"))
        body = ScrollBody()
        self._make_choices()
        sides = QHBoxLayout()
        sides.setSpacing(12)
        for stretch, sections in (
            (3, (self._appearance(), self._data(), self.trainings, self.holding)),
            (2, (self.notifications, self._about(), self._keys())),
        ):
            side = QVBoxLayout()
            side.setSpacing(12)
            for section in sections:
                side.addWidget(section)
            side.addStretch(1)
            sides.addLayout(side, stretch)
        body.column.addLayout(sides)
        body.column.addStretch(1)
        column.addWidget(body, 1)

    def shown(self) -> None:
        """Look again at what may have changed."""
        home = self._context.home
        self._context.tasks.run_op(
            lambda: read_about(home), self._on_about_read, owner=self, lane="work"
        )
        self.theme_choice.set_current(self._context.theme.mode)
        self.trainings.show_state()
        self.notifications.show_state()
        library = self._context.library
        self._context.tasks.run_op(lambda: _read_choices(library), self._on_read, owner=self)

    # --- sections ---

    def _make_choices(self) -> None:
        """The sections whose choices the library keeps; they wait until it has told them."""
        self._manners = Manners()
        self.trainings = TrainingsSection(self._context)
        self.trainings.awake_changed.connect(self._on_manners_edited)
        self.trainings.electricity_changed.connect(self._on_electricity_edited)
        self.holding = HoldingSection(self._on_manners_edited)
        self.notifications = NotificationsSection(self._context)
        self.notifications.edited.connect(self._on_manners_edited)

    def _appearance(self) -> Card:
        section = Section("Appearance")
        self.theme_choice = Segmented(
            [("system", "System"), ("dark", "Dark"), ("light", "Light")],
            self._context.theme.mode,
            name="Theme",
        )
        self.theme_choice.chosen.connect(self._on_theme_chosen)
        section.add_row(
            "Theme",
            "System follows your desktop; where the desktop does not say, it is dark.",
            self.theme_choice,
        )
        kept = str(self._context.settings.value(SMOOTHING_SETTING, "0"))
        self.smoothing_choice = Segmented(_SMOOTHINGS, "0", name="Smoothing at first")
        self.smoothing_choice.set_current(kept)
        self.smoothing_choice.chosen.connect(
            lambda key: self._context.settings.setValue(SMOOTHING_SETTING, key)
        )
        section.add_row(
            "Smoothing at first",
            "Steps that the training loss is averaged over when a run is opened.",
            self.smoothing_choice,
        )
        return section

    def _data(self) -> Card:
        context = self._context
        section = Section("Data")
        home = SecondaryButton("Open folder", "folder-open", size="small")
        home.clicked.connect(lambda: self._open(context.home))
        self._home_hint = section.add_row("Data home", str(context.home), home)
        log = SecondaryButton("Open log", "file-text", size="small")
        log.clicked.connect(lambda: self._open(context.home / STUDIO_LOG))
        section.add_row("Log", "What this window did, with the details of every error.", log)
        self.gpt2_field = LineEdit(
            str(context.settings.value(GPT2_SETTING, "")),
            "fetched when needed",
            name="GPT-2 vocabulary folder",
        )
        self.gpt2_field.setMinimumWidth(200)
        self.gpt2_field.editingFinished.connect(self._on_gpt2_edited)
        browse = SecondaryButton("Choose", "folder-open", size="small")
        browse.clicked.connect(self._on_browse)
        self._gpt2_hint = section.add_row("GPT-2 vocabulary", "", self.gpt2_field, browse)
        self._show_gpt2_problem()
        return section

    def _keys(self) -> Card:
        section = Section("Keys")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        everywhere = KEYS[0][1]
        for place, key in enumerate(everywhere):
            grid.addWidget(Label(key.keys, "mono", elide=False), place, 0)
            grid.addWidget(Label(key.does, "secondary", "muted", wrap=True), place, 1)
        grid.setColumnStretch(1, 1)
        section.body.addLayout(grid)
        section.body.addWidget(Label("F1 lists those of each page.", "secondary", "muted"))
        return section

    def _about(self) -> Card:
        section = Section("About")
        self._computer = section.add_row("This computer", "reading …")
        self._versions = section.add_row("Versions", "reading …")
        links = QWidget()
        column = QVBoxLayout(links)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for title, path in licences():
            link = LinkButton(title, trailing_icon="external-link")
            link.clicked.connect(self._opener(path))
            column.addWidget(link, 0, Qt.AlignmentFlag.AlignLeft)
        section.add_row("Licences", "Hearth is free software, Apache-2.0. It comes with these:")
        section.body.addWidget(links, 0, Qt.AlignmentFlag.AlignLeft)
        return section

    # --- reactions ---

    def _on_read(self, found: tuple[Manners, Electricity]) -> None:
        self._manners, electricity = found
        self.trainings.show_awake(self._manners.keep_awake)
        self.trainings.show_electricity(electricity)
        self.holding.form.set_value(self._manners.conditions)
        self.notifications.show_webhook(self._manners.webhook, self._manners.occasions)

    def _on_manners_edited(self) -> None:
        """Keep what is shown, and tell the trainings at work."""
        library = self._context.library
        address = self.notifications.webhook
        manners = Manners(
            keep_awake=self.trainings.awake.isChecked(),
            conditions=self.holding.form.value(),
            webhook=self._manners.webhook if address is None else address,
            occasions=self.notifications.occasions,
        )
        if manners != self._manners:
            self._manners = manners
            self._context.tasks.run_op(lambda: write_defaults(library, manners), owner=self)

    def _on_electricity_edited(self) -> None:
        said, library = self.trainings.electricity(), self._context.library
        if said is not None:
            self._context.tasks.run_op(lambda: _write_electricity(library, said), owner=self)

    def _on_about_read(self, about: About) -> None:
        self._computer.set_text(computer_words(about.device))
        parts: list[Part | str] = []
        for name, version in about.versions:
            parts += [f"{', ' if parts else ''}{name} ", Part(version, "mono", "text")]
        self._versions.set_parts(*parts)
        free = "" if about.free_bytes is None else f" — {figures.size(about.free_bytes)} free"
        self._home_hint.set_text(f"{self._context.home}{free}")

    def _on_theme_chosen(self, key: str) -> None:
        self._context.settings.setValue("theme", key)
        self._context.theme.set_mode(_MODES[key])

    def _on_browse(self) -> None:
        dialog = QFileDialog(self, "GPT-2 vocabulary folder", self.gpt2_field.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._on_gpt2_chosen)
        dialog.open()

    def _on_gpt2_chosen(self, folder: str) -> None:
        self.gpt2_field.setText(folder)
        self._on_gpt2_edited()

    def _on_gpt2_edited(self) -> None:
        folder = self.gpt2_field.text().strip()
        self._show_gpt2_problem()
        if not gpt2_folder_problem(folder):
            self._context.settings.setValue(GPT2_SETTING, folder)

    def _show_gpt2_problem(self) -> None:
        problem = gpt2_folder_problem(self.gpt2_field.text())
        self.gpt2_field.set_invalid(bool(problem))
        self._gpt2_hint.set_tone("danger" if problem else "muted")
        self._gpt2_hint.set_text(
            problem or "Folder with vocab.bpe and encoder.json, where they cannot be fetched."
        )

    def _opener(self, path: Path) -> Callable[[], None]:
        return lambda: self._open(path)

    def _open(self, path: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self._context.toast(
                KnownError(
                    "No program of this computer opens that.",
                    safe=f"It is {path}.",
                    do="Open it by hand.",
                )
            )


def _read_choices(library: Library) -> tuple[Manners, Electricity]:
    said = Electricity(
        library.setting(PRICE, 0.0), library.setting(CURRENCY, "€"), library.setting(WATTS, 0.0)
    )
    return read_defaults(library), said


def _write_electricity(library: Library, said: Electricity) -> None:
    library.set_setting(PRICE, said.per_kwh)
    library.set_setting(CURRENCY, said.currency)
    library.set_setting(WATTS, said.watts)
