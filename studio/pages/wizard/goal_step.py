"""The wizard's first step: what to reproduce, or what there is of time, size or text."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from studio.pages.rule_cards import RuleTaskCards
from studio.pages.wizard.draft import Draft
from studio.pages.wizard.ends_card import EndsCard
from studio.pages.wizard.kept_drafts import KeptDrafts
from studio.pages.wizard.plan import Plan
from studio.pages.wizard.recipes import OWN_TITLE, RECIPES, Recipe, recipe_of, with_recipe
from studio.pages.wizard.start import Shelf
from studio.pages.wizard.step import StepView
from studio.widgets.card import Card
from studio.widgets.choice_card import ChoiceCard
from studio.widgets.controls import SecondaryButton
from studio.widgets.headings import card_title
from studio.widgets.label import Label, Part

_COLUMNS = 2
_OWN_LINES = (
    "Any text, size and time",
    "Nothing to compare with but your own runs",
)
_RULES_PUBLISHED = (
    "The fork of femtoGPT that logs three of them calls an action learned above 70 %; none of its"
    " eight logged tries got there."
)


class GoalStep(StepView):
    """Recipes with a name, the end that is fixed, and drafts to go on with.

    Signals:
        draft_opened(int): A kept draft is wanted; carries its id.
        draft_removed(int): A kept draft is to go.
        file_requested: Settings are to be read from a file.
        tour_requested: The tour is to be taken.
        text_requested(str): The text of a recipe is wanted; carries its title.
        end_fixed(str, float): The plan is to be worked out from an end.
    """

    end_fixed = Signal(str, float)
    draft_opened = Signal(int)
    draft_removed = Signal(int)
    file_requested = Signal()
    tour_requested = Signal()
    text_requested = Signal(str)

    name = "Goal"
    heading = "What do you want to train?"
    explanation = (
        "Begin with what others have done and published, or with what you have. Everything can be"
        " changed later."
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: dict[str, ChoiceCard] = {}
        grid = QGridLayout()
        grid.setSpacing(8)
        own = ChoiceCard(OWN_TITLE, *((line, "label") for line in _OWN_LINES))
        own.clicked.connect(partial(self._on_recipe_clicked, None))
        self.cards[""] = own
        grid.addWidget(own, 0, 0)
        for number, recipe in enumerate(RECIPES, 1):
            card = ChoiceCard(recipe.title, (recipe.short, "label"), (recipe.figure, "label"))
            card.clicked.connect(partial(self._on_recipe_clicked, recipe))
            self.cards[recipe.key] = card
            grid.addWidget(card, number // _COLUMNS, number % _COLUMNS)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        self.about = AboutRecipe()
        self.about.tour.clicked.connect(self.tour_requested)
        self.about.text_requested.connect(self.text_requested)
        self.ends = EndsCard()
        self.ends.end_fixed.connect(self.end_fixed)
        self.ends.end_freed.connect(self._on_end_freed)
        self.drafts = KeptDrafts()
        self.drafts.opened.connect(self.draft_opened)
        self.drafts.removed.connect(self.draft_removed)
        self.drafts.file_requested.connect(self.file_requested)
        self.rule_tasks = RuleTaskCards()
        self._rules_published = Label(_RULES_PUBLISHED, "label", "muted", wrap=True)
        self.column.addLayout(grid)
        self.column.addWidget(self.about)
        self.column.addWidget(self.ends)
        self.column.addWidget(self.drafts)
        self.column.addWidget(self.rule_tasks)
        self.column.addWidget(self._rules_published)
        self.column.addStretch(1)

    def show_draft(self, draft: Draft, plan: Plan, shelf: Shelf) -> None:
        """Mark what was chosen, and say what it means for the data at hand."""
        super().show_draft(draft, plan, shelf)
        recipe = recipe_of(draft)
        for key, card in self.cards.items():
            card.setChecked(key == (recipe.key if recipe else ""))
        self.about.show_recipe(recipe, draft, shelf)
        self.ends.show_draft(draft, plan)
        self.drafts.show_rows(shelf.drafts, read_only=bool(shelf.read_only))
        self._rules_published.setVisible(not self.rule_tasks.isHidden())

    def summary(self, draft: Draft, plan: Plan) -> str:
        """The recipe, or the end that is fixed."""
        recipe = recipe_of(draft)
        if recipe is not None:
            return recipe.title
        return self.ends.words(draft) or OWN_TITLE

    def _on_end_freed(self) -> None:
        self.draft_changed.emit(replace(self.draft, fixed="", fixed_value=0.0))

    def _on_recipe_clicked(self, recipe: Recipe | None) -> None:
        if recipe is None:
            self.draft_changed.emit(replace(self.draft, goal=""))
            return
        self.draft_changed.emit(with_recipe(self.draft, recipe))


class AboutRecipe(Card):
    """Whose work a recipe repeats, what came of it there, and what it takes.

    Signals:
        text_requested(str): The text that it was done on is wanted.
    """

    text_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(spacing=6, parent=parent)
        self._title = card_title("")
        self._reproduces = Label("", "secondary", "muted", wrap=True)
        self._published = Label("", "secondary", "muted", wrap=True)
        self._fit = Label("", "secondary", "muted", wrap=True)
        self.tour = SecondaryButton("Take the tour", "play", size="small")
        self.text = SecondaryButton("Add its text", "plus", size="small")
        self.text.clicked.connect(self._on_text_clicked)
        self._wanted = ""
        foot = QHBoxLayout()
        foot.setSpacing(12)
        foot.addWidget(self.tour)
        foot.addWidget(self.text)
        foot.addWidget(self._fit, 1)
        for label in (self._title, self._reproduces, self._published):
            self.body.addWidget(label)
        self.body.addLayout(foot)

    def show_recipe(self, recipe: Recipe | None, draft: Draft, shelf: Shelf) -> None:
        """Show a recipe; hidden without one."""
        self.setVisible(recipe is not None)
        if recipe is None:
            return
        self._title.set_text(recipe.title)
        self._reproduces.set_parts(Part("Repeats: ", tone="text"), Part(recipe.reproduces))
        self._published.set_parts(Part("Published: ", tone="text"), Part(recipe.published))
        is_tour = recipe.key == "tour"
        self.tour.setVisible(is_tour)
        self.tour.setEnabled(not shelf.read_only)
        self._wanted = recipe.text
        has_text = draft.data is not None and _is_like(draft.data.name, recipe.text)
        self.text.setVisible(bool(recipe.text) and not has_text)
        self._fit.set_text(_fit_words(recipe, draft, has_text))
        self._fit.setVisible(bool(self._fit.text()))

    def _on_text_clicked(self) -> None:
        self.text_requested.emit(self._wanted)


def _is_like(name: str, title: str) -> bool:
    """Whether a dataset goes by the name of a known one."""
    wanted = title.partition(",")[0].casefold()
    return bool(wanted) and wanted in name.casefold()


def _fit_words(recipe: Recipe, draft: Draft, has_text: bool) -> str:
    data = draft.data
    if data is None or recipe.key == "tour":
        return ""
    words = []
    if recipe.text and not has_text:
        words.append(f"It was done on {recipe.text}; chosen is {data.name}.")
    if recipe.vocab_size and recipe.vocab_size != data.vocab_size:
        words.append(
            f"Its tokenizer has {recipe.vocab_size:,} tokens and this one {data.vocab_size:,}: the"
            " number of parameters differs."
        )
    return " ".join(words)
