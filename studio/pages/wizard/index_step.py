"""The wizard's step on the memory index: with it or without."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.pages.data.advanced import AdvancedBuild
from studio.pages.data.build_form import BUILD_FIELDS
from studio.pages.wizard.data_step import pill_of
from studio.pages.wizard.draft import DataChoice, Draft
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.figures import count, percent, rough_duration, size
from studio.widgets.label import Label, Part
from studio.widgets.pill import Pill

_WITH_SETTINGS = ("absent", "stopped", "failed")


class IndexStep(StepView):
    """With or without the memory index."""

    name = "Memory index"
    explanation = (
        "The index finds, for every token, the longest stretch of text before it that occurred in"
        " the training text, and tells the model what followed there."
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on = ChoiceCard(
            "With the index",
            ("Reads what followed the longest match.", "secondary"),
            ("Shows where each word comes from.", "secondary"),
            icon="database",
        )
        self.off = ChoiceCard(
            "Without",
            ("A plain transformer, nothing looked up.", "secondary"),
            ("Exports as a native Hugging Face model.", "secondary"),
            icon="square",
        )
        self.on.clicked.connect(lambda: self._choose(True))
        self.off.clicked.connect(lambda: self._choose(False))
        cards = QHBoxLayout()
        cards.setSpacing(8)
        cards.addWidget(self.on, 1)
        cards.addWidget(self.off, 1)
        self._pill = Pill("not_built")
        self._size = Label("", "secondary", "muted")
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._pill)
        head.addWidget(self._size, 1)
        self._text = Label("", "body", "muted", wrap=True)
        self.advanced = AdvancedBuild()
        self.advanced.align_left()
        self.advanced.edited.connect(self._on_advanced_edited)
        state = Card(spacing=8)
        state.body.addLayout(head)
        state.body.addWidget(self._text)
        state.body.addWidget(self.advanced)
        self.column.addLayout(cards)
        self.column.addWidget(state)
        self.column.addStretch(1)

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Show the choice, and where the index stands."""
        super().show_draft(draft, plan, shelf)
        self.on.setChecked(draft.use_index)
        self.off.setChecked(not draft.use_index)
        data = draft.data
        if data is None:
            return
        self._pill.set_state(pill_of(data))
        self._size.set_text(size(data.index_bytes) if data.index_bytes else _about(plan))
        self.advanced.setVisible(draft.use_index and data.index_state in _WITH_SETTINGS)
        self.advanced.show_form(draft.build)
        self.advanced.show_error(plan.error)
        self._text.set_parts(*_index_words(draft, data, plan))

    def summary(self, draft: Draft, plan: Plan) -> str:
        """On or off, built or not, size."""
        if not draft.use_index:
            return "Off"
        if draft.data is None or draft.data.index_state != "ready":
            return "On, built first"
        return f"On, built, {size(draft.data.index_bytes)}"

    def obstacle(self, draft: Draft, plan: Plan) -> str:
        """A setting of the build may be wrong."""
        wrong = plan.error is not None and plan.error.field in BUILD_FIELDS
        return plan.obstacle if wrong else ""

    def _on_advanced_edited(self) -> None:
        self.draft_changed.emit(replace(self.draft, build=self.advanced.form()))

    def _choose(self, use_index: bool) -> None:
        if use_index != self.draft.use_index:
            own = self.draft.has_suggested_name
            draft = replace(self.draft, use_index=use_index)
            self.draft_changed.emit(replace(draft, name=draft.suggested_name()) if own else draft)


def _about(plan: Plan) -> str:
    """What the build will take, in a few words."""
    if plan.index_seconds is None:
        return ""
    return f"about {rough_duration(plan.index_seconds)}, {size(plan.index_bytes)}"


def _index_words(draft: Draft, data: DataChoice, plan: Plan) -> list[Part]:
    if data.index_state == "ready":
        words = [Part(f"Built over the {count(data.train_tokens)} training tokens of {data.name}.")]
        if data.index_hit_rate is not None:
            right = Part(percent(data.index_hit_rate), "mono", "text")
            words += [
                Part(" By itself it names the right next token of held-out text "),
                right,
                Part(" of the time."),
            ]
        if not draft.use_index:
            words.append(
                Part(" The plain model does not read it; its loss is told by match length.")
            )
        return words
    if not draft.use_index:
        return [Part("No index is needed for this run.")]
    if data.index_state == "building":
        return [Part("It is being built; the training starts by itself when it is ready.")]
    starts = {
        "failed": "The last build did not finish. ",
        "stopped": "The last build was stopped. ",
        "outdated": "It does not fit the text any more. ",
    }
    start = starts.get(data.index_state, "")
    return [
        Part(
            f"{start}It is built when you start the run, and the training follows by itself, even"
            " when this window is closed in between and opened later."
        )
    ]
