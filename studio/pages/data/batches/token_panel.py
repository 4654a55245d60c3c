"""What the model is given at one input, and what it shall predict there."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.pages.data.batches.facts import NOTHING, Batches, BatchRow
from studio.pages.data.batches.mask import MaskPicture
from studio.widgets.card import Hairline, Panel
from studio.widgets.figures import plural, whole
from studio.widgets.headings import card_title
from studio.widgets.icon import IconLabel
from studio.widgets.label import Label, Part
from studio.widgets.scroll import ClearScroll
from studio.widgets.source_card import HeatChip
from studio.widgets.token_run import token_label

WIDTH_PX = 300
_ROWS = ("Input", "Target", "Position", "Sees", "Document", "Match", "Next by it", "Also followed")


class TokenPanel(Panel):
    """The facts of the input that is pointed at, and the mask of its sequence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("bg1", left_line=True, parent=parent)
        self.setFixedWidth(WIDTH_PX)
        self._batches, self._row = Batches(), BatchRow()
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(6)
        self._input, self._target = HeatChip(), HeatChip()
        self._arrow = IconLabel("chevron-right", "muted", 14)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(card_title("Token"), 1)
        for widget in (self._input, self._arrow, self._target):
            head.addWidget(widget)
        column.addLayout(head)
        self._hint = Label(
            "Point at a token, or move with the arrow keys.", "secondary", "muted", wrap=True
        )
        column.addWidget(self._hint)
        self.rows: dict[str, Label] = {}
        self._line_of: dict[str, QWidget] = {}
        for name in _ROWS:
            column.addWidget(self._line(name))
        column.addSpacing(8)
        column.addWidget(Hairline())
        column.addSpacing(8)
        column.addWidget(card_title("Who sees whom"))
        self.picture = MaskPicture()
        column.addWidget(self.picture)
        self._masked = Label("", "secondary", "muted", wrap=True)
        column.addWidget(self._masked)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 0, 0, 0)
        outer.addWidget(ClearScroll(inner))
        self.show_place(-1)

    def _line(self, name: str) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        title = Label(name, "secondary", "muted", elide=False)
        title.setFixedWidth(82)
        self.rows[name] = Label("", "secondary", wrap=True)
        row.addWidget(title, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.rows[name], 1)
        self._line_of[name] = line
        return line

    def show_row(self, batches: Batches, row: BatchRow) -> None:
        """Show another sequence."""
        self._batches, self._row = batches, row
        self.picture.show_row(row)
        self._masked.set_text(mask_words(row))
        self.show_place(-1)

    def show_place(self, place: int) -> None:
        """Show the facts of an input; -1 shows none."""
        there = 0 <= place < len(self._row.ids)
        self.picture.show_place(place if there else -1)
        self._hint.setVisible(not there)
        for widget in (self._input, self._arrow, self._target):
            widget.setVisible(there)
        found = self._facts(place) if there else {}
        for name, line in self._line_of.items():
            line.setVisible(name in found)
            if name in found:
                self.rows[name].set_parts(*found[name])

    def _label(self, token: int) -> str:
        return token_label(self._batches.piece(token))

    def _facts(self, place: int) -> dict[str, tuple[Part, ...]]:
        """What stands in each line, by its name."""
        row = self._row
        token, target = row.ids[place], row.targets[place]
        length = row.matches.length[place] if row.matches else 0
        self._input.show_token(self._label(token), length)
        self._target.show_token("–" if target == NOTHING else self._label(target), 0)
        ignored = (Part("ignored, nothing is learned here", tone="warn"),)
        found = {
            "Input": self._token_parts(token),
            "Target": ignored if target == NOTHING else self._token_parts(target),
            "Position": (
                _figure(row.positions[place]),
                Part(f", input {whole(place + 1)} of {whole(len(row.ids))}"),
            ),
            "Sees": (_figure(place - row.seen_from(place) + 1), Part(" tokens, itself among them")),
            "Document": self._document_parts(place),
        }
        return found | self._match_parts(place, target)

    def _token_parts(self, token: int) -> tuple[Part, ...]:
        return (
            Part(self._label(token), "mono", "text"),
            Part(f"  id {whole(token)}", "label", "muted"),
        )

    def _document_parts(self, place: int) -> tuple[Part, ...]:
        run = self._row.run_at(place)
        if run is None or run.is_padding:
            return (Part("padding", tone="muted"),)
        document = self._batches.documents.get(run.document)
        at = run.offset + place - run.start
        if document is None:
            return (Part(f"{whole(run.document)}, token {whole(at + 1)}"),)
        source = f", {document.source}" if document.source else ""
        where = f", token {whole(at + 1)} of {whole(document.tokens)}{source}"
        return Part(document.title or document.path), Part(where, tone="muted")

    def _match_parts(self, place: int, target: int) -> dict[str, tuple[Part, ...]]:
        matches = self._row.matches
        if matches is None:
            return {}
        length = matches.length[place]
        if not length:
            return {"Match": (Part("none", tone="muted"),)}
        times = self._batches.count_words(matches.count[place])
        often = Part(f", found {times} times".replace(" 1 times", " once"), tone="muted")
        found: dict[str, tuple[Part, ...]] = {
            "Match": (Part(plural(length, "token"), "mono", "text"), often)
        }
        for name, guess in (
            ("Next by it", matches.next[place]),
            ("Also followed", matches.second[place]),
        ):
            if guess != NOTHING:
                right = Part("  right", "label", "ok") if guess == target else Part("")
                found[name] = (Part(self._label(guess), "mono", "text"), right)
        return found


def mask_words(row: BatchRow) -> str:
    """What the tokens of a sequence see."""
    if row.masks:
        return "Tokens see their own document alone; positions begin again with each."
    others = ", other documents among them" if row.n_documents > 1 else ""
    return f"Every token sees all that stand before it{others}."


def _figure(value: int) -> Part:
    return Part(whole(value), "mono", "text")
