"""The panel at the foot of the navigation: what trains here, and how busy it is."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.widgets.card import Panel
from studio.widgets.figures import MISSING, NARROW, gib
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label
from studio.widgets.progress import ProgressLine

if TYPE_CHECKING:
    from studio.device import DeviceReading

_log = logging.getLogger(__name__)


class DeviceSampler(QObject):
    """Samples the device in a thread of its own.

    Signals:
        sampled(DeviceReading): A new sample, on the thread of the receiver.
    """

    sampled = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="device-sampler", daemon=True)

    def start(self) -> None:
        """Begin; the first sample comes at once."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        from studio.device import PERIOD_S, read_device  # psutil is slow to import: not before

        while not self._stop.is_set():
            try:
                reading = read_device()
            except Exception:  # noqa: BLE001 - the outermost border of the thread
                _log.exception("sampling the device failed")
                return
            if not self._stop.is_set():
                self.sampled.emit(reading)
            self._stop.wait(PERIOD_S)


class _Meter(QWidget):
    """A label, a figure and a bar."""

    def __init__(self, label: str, colour: str) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.label = Label(label, "label", "muted", elide=False)
        self.figure = Label(MISSING, "mono_small", elide=False)
        row.addWidget(self.label)
        row.addStretch(1)
        row.addWidget(self.figure)
        self.bar = ProgressLine(colour=colour)
        column.addLayout(row)
        column.addWidget(self.bar)

    def show_value(self, text: str, share: float) -> None:
        self.figure.set_text(text)
        self.bar.set_share(share)
        self.bar.show()


class DevicePanel(Panel):
    """GPU with temperature and memory, or the processor where there is no GPU; CPU and RAM."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", top_line=True, right_line=True, parent=parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 13, 17, 16)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(6)
        self._icon = IconLabel("cpu", "text", 14)
        self._name = Label("", "secondary", weight=QFont.Weight.Medium)
        self._temperature = Label("", "mono_small", elide=False)
        head.addWidget(self._icon)
        head.addWidget(self._name, 1)
        head.addWidget(self._temperature)
        self._no_gpu = Label("No NVIDIA GPU", "label", "muted")
        self._vram = _Meter("VRAM", "fill")
        self._cpu = _Meter("CPU", "muted")
        self._ram = _Meter("RAM", "muted")
        column.addLayout(head)
        for part in (self._no_gpu, self._vram, self._cpu, self._ram):
            column.addWidget(part)
        self._parts = (self._name, self._temperature, self._no_gpu)
        self._collapsed = False
        self._has_gpu = False
        self._vram.hide()
        self.setAccessibleName("This computer")

    def set_collapsed(self, collapsed: bool) -> None:
        """Keep only the icon and the bars, for the narrow navigation."""
        self._collapsed = collapsed
        margins = (14, 12, 15, 14) if collapsed else (16, 13, 17, 16)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(*margins)
        for meter in (self._vram, self._cpu, self._ram):
            meter.label.setVisible(not collapsed)
            meter.figure.setVisible(not collapsed)
        self._lay_out()

    def show_reading(self, reading: DeviceReading) -> None:
        """Show a sample."""
        facts = reading.facts
        self._has_gpu = facts.gpu is not None
        self._name.set_text(facts.trains_on)
        self._icon.set_icon("gpu" if self._has_gpu else "cpu")
        self._no_gpu.set_text(facts.no_gpu)
        temperature = reading.gpu_temp_c
        self._temperature.set_text("" if temperature is None else f"{temperature:.0f}{NARROW}°C")
        if reading.vram_used_gib is not None and facts.vram_gib:
            text = f"{gib(reading.vram_used_gib)}{NARROW}/{NARROW}{gib(facts.vram_gib)}{NARROW}GiB"
            self._vram.show_value(text, reading.vram_used_gib / facts.vram_gib)
        self._cpu.show_value(f"{reading.cpu_pct:.0f}{NARROW}%", reading.cpu_pct / 100)
        ram = f"{gib(reading.ram_used_gib)}{NARROW}/{NARROW}{gib(facts.ram_gib, 0)}{NARROW}GiB"
        self._ram.show_value(ram, reading.ram_used_gib / facts.ram_gib)
        self._lay_out()
        self.setToolTip(self._spoken(reading))

    def _lay_out(self) -> None:
        wide = not self._collapsed
        self._name.setVisible(wide)
        self._temperature.setVisible(wide and bool(self._temperature.text()))
        self._no_gpu.setVisible(wide and not self._has_gpu and bool(self._no_gpu.text()))
        self._vram.setVisible(self._has_gpu)

    def _spoken(self, reading: DeviceReading) -> str:
        facts = reading.facts
        lines = [facts.gpu or facts.no_gpu, f"{facts.cpu}, {facts.cores} cores"]
        if reading.gpu_pct is not None:
            lines.insert(1, f"GPU {reading.gpu_pct:.0f}{NARROW}% busy, driver {facts.driver}")
        if self._collapsed:
            lines.append(f"CPU {self._cpu.figure.text()}, RAM {self._ram.figure.text()}")
        return "\n".join(line for line in lines if line)
