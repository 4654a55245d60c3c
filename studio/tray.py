"""The icon in the system tray: how far the training is, a menu, and messages of the desktop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon, QWidget

from studio.theme import font, pixmap, theme
from studio.widgets import figures
from trainer_core.records import END_STATES

if TYPE_CHECKING:
    from PySide6.QtCore import QSettings

    from studio.runs.model import JobModel

Stay = Literal["busy", "never"]
"""Whether closing the window keeps the studio in the tray: while a training is on, or never."""
SHOWN_SETTING, STAY_SETTING, SAID_SETTING = "tray/shown", "tray/stay", "tray/said"
LOOK_MS = 3000
MESSAGE_MS = 12_000
MOST_LINES = 4
_EDGE_PX = 64


class Tray(QObject):
    """The studio in the system tray, where there is one.

    Args:
        window: The studio's window; closing it may keep the studio in the tray.
        settings: What the user wants of the tray.
        trainings: Those at work, each with its name.
        available: Whether the desktop has a tray; asked again and again, as it may come later.

    Signals:
        pause_wanted(Path): The training of a folder is to be paused.
        run_wanted(int): A run is to be shown: its message was clicked.
    """

    pause_wanted = Signal(object)
    run_wanted = Signal(int)

    def __init__(
        self,
        window: QWidget,
        settings: QSettings,
        trainings: Callable[[], list[tuple[str, JobModel]]],
        available: Callable[[], bool] = QSystemTrayIcon.isSystemTrayAvailable,
    ) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._trainings, self._available = trainings, available
        self._icon: QSystemTrayIcon | None = None
        self._menu: QMenu | None = None
        self._shown: tuple[object, ...] = ()
        self._run_id: int | None = None
        self._leaving = False
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        window.installEventFilter(self)
        self.refresh()

    # --- what the user wants of it --------------------------------------------------------------

    @property
    def is_there(self) -> bool:
        """Whether the icon is shown."""
        return self._icon is not None

    @property
    def has_tray(self) -> bool:
        """Whether this desktop has a tray at all."""
        return self._available()

    @property
    def wanted(self) -> bool:
        """Whether the user wants the icon."""
        return self._settings.value(SHOWN_SETTING, True) in (True, "true", "1", 1)

    def set_wanted(self, on: bool) -> None:
        """Show the icon from now on, or no longer."""
        self._settings.setValue(SHOWN_SETTING, on)
        self.refresh()

    @property
    def stay(self) -> Stay:
        """What closing the window does while a training is on."""
        return "never" if self._settings.value(STAY_SETTING) == "never" else "busy"

    def set_stay(self, stay: Stay) -> None:
        """Change what closing the window does."""
        self._settings.setValue(STAY_SETTING, stay)

    # --- what others tell it --------------------------------------------------------------------

    def show_message(self, title: str, text: str, run_id: int | None = None) -> bool:
        """Have the desktop show a message.

        Args:
            title: What happened.
            text: More of it.
            run_id: Shown when the message is clicked.

        Returns:
            Whether this desktop can.
        """
        if self._icon is None or not QSystemTrayIcon.supportsMessages():
            return False
        self._run_id = run_id
        self._icon.showMessage(title, text or " ", self._icon.icon(), MESSAGE_MS)
        return True

    def refresh(self) -> None:
        """Bring icon, tooltip and menu in step with the trainings."""
        wanted = self.wanted and self._available()
        if wanted and self._icon is None:
            self._make()
        elif not wanted and self._icon is not None:
            self._drop()
        if self._icon is None:
            return
        trainings = self._trainings()
        share = trainings[0][1].share_done if trainings else None
        lines = [_line(name, model) for name, model in trainings[:MOST_LINES]]
        names = tuple((name, str(model.folder)) for name, model in trainings)
        looks = (None if share is None else round(share, 2), *lines, names, theme().palette.name)
        if looks == self._shown:
            return
        if not self._shown or names != self._shown[-2]:
            self._fill_menu(trainings)
        self._shown = looks
        self._icon.setIcon(tray_icon(share))
        self._icon.setToolTip("\n".join(["Hearth", *lines]))

    def close(self) -> None:
        """Take the icon away; may be called twice."""
        self._leaving = True
        self._timer.stop()
        self._drop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Closing the window hides it while a training is on."""
        if watched is self._window and event.type() == QEvent.Type.Close and self._stays():
            event.ignore()
            QGuiApplication.setQuitOnLastWindowClosed(False)
            self._window.hide()
            self._say_once()
            return True
        return super().eventFilter(watched, event)

    # --- parts ---------------------------------------------------------------------------------

    def _stays(self) -> bool:
        app = QApplication.instance()
        ending = isinstance(app, QGuiApplication) and app.isSavingSession()
        busy = self._icon is not None and bool(self._trainings())
        return busy and not ending and not self._leaving and self.stay == "busy"

    def _say_once(self) -> None:
        if self._settings.value(SAID_SETTING) is None:
            self._settings.setValue(SAID_SETTING, "1")
            self.show_message(
                "Hearth stays here while it trains",
                "Quit in this icon's menu leaves the training at work, too. Settings change this.",
            )

    def _make(self) -> None:
        self._menu = QMenu()
        self._menu.setFont(font("body"))
        self._icon = QSystemTrayIcon(tray_icon(None), self)
        self._icon.setContextMenu(self._menu)
        self._icon.activated.connect(self._on_activated)
        self._icon.messageClicked.connect(self._on_message_clicked)
        self._shown = ()
        self._icon.show()

    def _drop(self) -> None:
        if self._icon is not None:
            self._icon.hide()
            self._icon.deleteLater()
            self._icon = None
        if self._menu is not None:
            self._menu.deleteLater()
            self._menu = None
        if not self._window.isVisible() and not self._leaving:
            self._open()  # without an icon there would be no way back

    def _fill_menu(self, trainings: list[tuple[str, JobModel]]) -> None:
        if self._menu is None:
            return
        self._menu.clear()
        self._menu.addAction("Open Hearth").triggered.connect(lambda _=False: self._open())
        if trainings:
            self._menu.addSeparator()
        for name, model in trainings[:MOST_LINES]:
            entry = self._menu.addAction(f"Pause {name}")
            entry.triggered.connect(partial(self._on_pause, model.folder))
        self._menu.addSeparator()
        word = "Quit, the training goes on" if trainings else "Quit"
        self._menu.addAction(word).triggered.connect(lambda _=False: self.quit())

    def _open(self) -> None:
        QGuiApplication.setQuitOnLastWindowClosed(True)
        window = self._window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.show()
        window.raise_()
        window.activateWindow()

    def quit(self) -> None:
        """End the studio, whatever closing the window does otherwise; trainings go on."""
        self._leaving = True
        hidden = not self._window.isVisible()
        self._window.close()
        if hidden:
            QGuiApplication.quit()  # closing a hidden window does not end the program

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        clicks = (
            QSystemTrayIcon.ActivationReason.Trigger,
            QSystemTrayIcon.ActivationReason.DoubleClick,
        )
        if reason in clicks:
            self._open()

    def _on_message_clicked(self) -> None:
        self._open()
        if self._run_id is not None:
            self.run_wanted.emit(self._run_id)

    def _on_pause(self, folder: Path, _checked: bool = False) -> None:
        self.pause_wanted.emit(folder)


def tray_icon(share: float | None) -> QIcon:
    """The hearth; with a ring around it that closes as the training goes on.

    Args:
        share: Progress, 0 to 1; None where nothing trains.
    """
    made = QPixmap(_EDGE_PX, _EDGE_PX)
    made.fill(Qt.GlobalColor.transparent)
    p = theme().palette
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    inset = 12 if share is not None else 4
    size = _EDGE_PX - 2 * inset
    painter.drawPixmap(inset, inset, pixmap("hearth", p.accent, size))
    if share is not None:
        ring = QRectF(4, 4, _EDGE_PX - 8, _EDGE_PX - 8)
        painter.setPen(QPen(QColor(p.faint), 5))
        painter.drawEllipse(ring)
        pen = QPen(QColor(p.accent), 7)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        sixteenths = round(min(max(share, 0.0), 1.0) * 360 * 16)
        painter.drawArc(ring, 90 * 16, -sixteenths)
    painter.end()
    return QIcon(made)


def _line(name: str, model: JobModel) -> str:
    """Such as "index-163m: 40.1 %, 27 h 24 min left"."""
    words = f"{name}: {figures.percent(model.share_done)}"
    if model.state == "waiting":
        return f"{words}, waits"
    if model.state in END_STATES:
        return words
    left_s = model.pace.remaining_s
    return words if left_s is None else f"{words}, {figures.duration(left_s)} left"
