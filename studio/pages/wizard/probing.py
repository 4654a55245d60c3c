"""Measures batch sizes for the plan: a probe in a process of its own, whose rows come in live.

What was measured is kept in the home for each shape of a model on each computer, so that it is
there at once the next time.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from studio.context import Context
from studio.pages.wizard.draft import Draft
from studio.pages.wizard.plan import Plan, Surroundings, make_plan
from studio.planner import ProbeFacts
from studio.runs.model import JobModel
from trainer_core.errors import KnownError, from_os_error
from trainer_core.probe_table import PROBE_FILE, ProbeTable, read_table
from trainer_core.spec import DataConfig, OptimizerConfig, ProbeSpec, TrainSpec
from trainer_core.spec.probe import probe_of

PROBES_FOLDER = "probes"
_NO_SEED = 1337
BUDGET_S = 90.0
"""How long a probe may take."""
_BUSY = ("train", "probe", "tour", "rules", "prepare", "index")
ProbeState = Literal["none", "measuring", "measured", "partly", "failed"]
"""`partly`: it was stopped before its end, and what was measured stands."""


@dataclass(frozen=True)
class Measured:
    """What is known of a shape on this computer.

    Attributes:
        table: Rows so far.
        measured_s: When its last row came, in seconds since the epoch; 0 without any.
    """

    table: ProbeTable
    measured_s: float = 0.0


def probe_spec(train: TrainSpec, *, index_is_built: bool, budget_s: float = BUDGET_S) -> ProbeSpec:
    """What to probe for a plan: only what speed and memory depend on, so that plans share it."""
    spec = probe_of(train)
    data = DataConfig(packing=train.data.packing, mask_documents=train.data.mask_documents)
    kept = {
        "optimizer": OptimizerConfig(kind=train.optimizer.kind),
        "data": data,
        "batch_size": 0,
        "budget_s": budget_s,
        "seed": _NO_SEED,
        "index": train.index if index_is_built and train.model.match_input else "",
    }
    return msgspec.structs.replace(spec, **kept)


def probe_folder(home: Path, spec: ProbeSpec) -> Path:
    """Where the figures of a shape on this computer are kept."""
    what = msgspec.json.encode(spec) + platform.node().encode()
    return home / PROBES_FOLDER / hashlib.sha256(what).hexdigest()[:20]


def read_measured(folder: Path) -> Measured:
    """What a folder holds; a damaged one counts as empty, since measuring again mends it."""
    with contextlib.suppress(KnownError, OSError):
        table = read_table(folder)
        if table.rows:
            return Measured(table, (folder / PROBE_FILE).stat().st_mtime)
    return Measured(ProbeTable())


class Probing(QObject):
    """The probe of the shape that is planned.

    Signals:
        changed: Rows, progress or state are others than before.
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._spec: ProbeSpec | None = None
        self._folder: Path | None = None
        self._starting = False
        self._began_s = 0.0
        self._reading = False
        self._stale = False
        self._refused = ""
        self.budget_s = BUDGET_S
        self.train: TrainSpec | None = None
        self.measured = Measured(ProbeTable())
        context.watcher.job_updated.connect(self._on_job_updated)

    # --- what it is --------------------------------------------------------------------------

    @property
    def table(self) -> ProbeTable:
        """What was measured so far."""
        return self.measured.table

    @property
    def state(self) -> ProbeState:
        """Where it stands."""
        model = self._model
        if self._starting or (model is not None and model.alive):
            return "measuring"
        if self._refused or (model is not None and model.state in ("failed", "killed")):
            return "failed"
        if not self.table.rows:
            return "none"
        return "measured" if self.table.complete else "partly"

    @property
    def progress(self) -> tuple[float, str]:
        """Share of the probe's time, and what it does, in words."""
        model = self._model
        progress = model.progress if model is not None and not self._starting else None
        if progress is None or not progress.total:
            return 0.0, "Starting"
        return min(progress.done / progress.total, 1.0), progress.phase

    @property
    def problem(self) -> str:
        """Why it failed, in a sentence or two; empty unless it did."""
        if self.state != "failed":
            return ""
        model = self._model
        if self._refused or model is None:
            return self._refused
        error = model.error
        return f"{error.what} {error.do}".strip() if error else "The probe ended without a word."

    @property
    def obstacle(self) -> str:
        """Why nothing can be measured now, or an empty string."""
        if self._spec is None:
            return "A setting is wrong"
        if self._context.library.read_only:
            return "Hearth is open in another window"
        own = self._folder
        for model in self._context.watcher.models:
            busy = model.alive and model.verb in _BUSY and model.state not in ("waiting", "paused")
            if busy and model.folder != own:
                return "Another job is at work: figures would be wrong"
        return ""

    @property
    def _model(self) -> JobModel | None:
        return None if self._folder is None else self._context.watcher.model(self._folder)

    # --- what can be done --------------------------------------------------------------------

    def show(self, train: TrainSpec | None, *, index_is_built: bool) -> None:
        """Show what is known of a plan's shape; None: the plan is wrong, and nothing changes."""
        if train is None:
            return
        self.train = train
        spec = probe_spec(train, index_is_built=index_is_built, budget_s=self.budget_s)
        if spec == self._spec:
            return
        self._spec = spec
        self._starting = False
        self._refused = ""
        self._let_go()
        self._folder = probe_folder(self._context.home, spec)
        self.measured = Measured(ProbeTable())
        self._context.watcher.watch(self._folder, self)
        self._read()

    def start(self) -> None:
        """Measure anew, or go on where an earlier probe was stopped."""
        spec, folder = self._spec, self._folder
        if spec is None or folder is None or self.obstacle or self.state == "measuring":
            return
        anew = self.state != "partly"
        self._starting, self._began_s, self._refused = True, time.time(), ""
        if anew:
            self.measured = Measured(ProbeTable())
        self.changed.emit()

        def launch() -> None:
            if anew:
                _clear(folder)
            self._context.supervisor.start(spec, folder)

        self._context.tasks.run_op(
            launch, self._started(folder), self._on_refused, owner=self, lane="work"
        )

    def stop(self) -> None:
        """End it; what was measured stays."""
        folder = self._folder
        if folder is not None and self.state == "measuring":
            self._context.tasks.follow(self._context.supervisor.stop(folder), owner=self)

    @property
    def folder(self) -> Path | None:
        """Of the job that measures this shape."""
        return self._folder

    def close(self) -> None:
        """Let go of the folder; a probe at work is ended, since nobody waits for it."""
        self.stop()
        self._let_go()
        self._spec = self.train = None
        self._folder = None
        self._starting = False
        self.measured = Measured(ProbeTable())

    # --- parts -------------------------------------------------------------------------------

    def _let_go(self) -> None:
        if self._folder is not None:
            model = self._model
            if model is not None and model.alive:
                self._context.tasks.follow(self._context.supervisor.stop(self._folder), owner=self)
            self._context.watcher.unwatch(self._folder, self)

    def _started(self, folder: Path) -> Callable[[object], None]:
        def on_started(_nothing: object) -> None:
            self._context.watcher.look_now(folder)

        return on_started

    def _on_refused(self, error: Exception) -> None:
        self._starting = False
        if isinstance(error, KnownError):
            self._refused = f"{error.what} {error.do}".strip()
        else:
            self._context.toast(error)
        self.changed.emit()

    def _on_job_updated(self, key: str) -> None:
        model = self._model
        if model is None or key != str(self._folder):
            return
        if self._starting and model.status.started_s >= self._began_s - 1.0:
            self._starting = False
        if self._starting and model.error is not None and not model.alive:
            self._starting = False
        self._read()

    def _read(self) -> None:
        """Read the table in a thread; once more afterwards where more came meanwhile."""
        folder = self._folder
        if folder is None:
            return
        if self._reading:
            self._stale = True
            return
        self._reading = True

        def on_read(measured: Measured) -> None:
            self._reading = False
            if folder == self._folder and not (self._starting and not measured.table.rows):
                self.measured = measured
            if self._stale:
                self._stale = False
                self._read()
            self.changed.emit()

        def on_failed(error: Exception) -> None:
            self._reading = False
            self._context.toast(error)

        self._context.tasks.run_op(
            lambda: read_measured(folder), on_read, on_failed, owner=self, lane="work"
        )


def _clear(folder: Path) -> None:
    """Remove earlier figures.

    Raises:
        KnownError: The disk refuses.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise from_os_error(error, "removing earlier measurements") from error


def measured_plan(draft: Draft, around: Surroundings, probing: Probing) -> Plan:
    """The plan of a draft, with what was measured for its shape; the probe turns to that shape."""
    plan = make_plan(draft, around)
    probing.show(plan.spec, index_is_built=plan.index_is_built)
    measured, train = probing.measured, probing.train
    if plan.spec is None or not measured.table.rows or train is None:
        return plan
    probe = ProbeFacts(measured.table, train, measured.measured_s)
    return make_plan(draft, around.with_probe(probe))
