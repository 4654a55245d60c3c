"""The card on when held-out text is measured, when is saved, and what stays on the disk."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from studio.pages.wizard.settings_grid import Setting, SettingsGrid

RHYTHM_SETTINGS = (
    Setting("budget.steps", "Steps", "Training tokens / tokens per step"),
    Setting(
        "evaluation.time_share",
        "Validation budget, %",
        "Of the time; 0 goes by steps",
        kind="percent",
    ),
    Setting("evaluation.every_steps", "Validate every", "Steps, where the budget is 0"),
    Setting("evaluation.max_tokens", "Held-out tokens", "Measured each time, at the most"),
    Setting("checkpoint.every_steps", "Save every", "Steps"),
    Setting("checkpoint.keep", "Keep the newest", "Checkpoints; the last one always stays"),
    Setting("checkpoint.keep_best", "Keep the best", "With the lowest validation loss"),
    Setting("checkpoint.keep_every", "Keep each", "Steps for good; 0: none"),
    Setting("checkpoint.resumable", "To resume from", "Newest; others as weights alone. 0: all"),
)


class RhythmCard(SettingsGrid):
    """Steps, validation and checkpoints."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Steps, validation and checkpoints", RHYTHM_SETTINGS, parent=parent)
