"""The steps for new data in a real page: sources, preview, tokens; drops, errors, names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from page_for_tests import Seen, open_studio, write_texts
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from studio.context import Context
from studio.pages.data.adding.flow import PREVIEW, SOURCE, TOKENS, AddFlow
from studio.pages.data.adding.preview import Failed, Preview, ShownDocument, SourcePreview
from studio.pages.data.adding.rules_editor import try_rules
from studio.pages.data.adding.source_form import SourceForm
from studio.pages.data.adding.tokenizer_form import TokenizerForm
from studio.pages.data.cleaned_card import cleaning_rows
from studio.pages.data.cleaning_facts import (
    Example,
    NearPair,
    NearReport,
    StepReport,
    near_words,
    report_words,
)
from studio.pages.data.corpus import ManifestFacts, NamedSourceFacts, SkippedGroup
from studio.pages.data.page import DataPage
from studio.pages.data.request import AddForm
from studio.pages.settings.facts import GPT2_SETTING
from studio.widgets.empty import ErrorCard
from studio.widgets.figures import NARROW
from trainer_core import spec as specs
from trainer_core.errors import KnownError
from trainer_core.known_datasets import KNOWN_DATASETS
from trainer_core.rule_language import EXAMPLES
from trainer_core.spec import PrepareSpec, RuleLines, TextFiles

Studio = tuple[Context, Seen]


@pytest.fixture
def studio(qapp: QApplication, private_home: Path) -> Iterator[Studio]:
    with open_studio(qapp, private_home) as opened:
        yield opened


@pytest.fixture
def page(qtbot: QtBot, studio: Studio) -> DataPage:
    page = DataPage(studio[0])
    qtbot.addWidget(page)
    page.resize(1240, 900)
    page.show()
    page.open("add")
    page.shown()
    qtbot.waitUntil(lambda: page._loaded)
    return page


@pytest.fixture
def flow(page: DataPage) -> AddFlow:
    return page.adding.flow


def test_a_well_known_dataset_is_one_click_and_a_share_of_it_is_read(flow: AddFlow) -> None:
    flow.source.choices["known"].click()
    (form,) = flow.source.forms
    assert (form.repo, form.max_bytes) == (KNOWN_DATASETS[0].source.repo, "200 MB")
    assert not flow.source.fields.by_name["repo"].isVisible()  # it is known which one it is
    flow.source.fields.by_name["max_bytes"].control.setText("1 GB")  # type: ignore[attr-defined]
    flow.source.fields.edited.emit()
    assert flow.source.forms[0].max_bytes == "1 GB"
    assert flow.source.choices["known"].isChecked()


def test_sources_are_mixed_set_one_by_one_and_taken_out(flow: AddFlow) -> None:
    flow.source._more.click()
    flow.source.choices["rule_task"].click()
    assert [form.name for form in flow.source.forms] == ["Python library", "Made-up words"]
    assert flow.source.summary() == "2 sources"
    flow.source._list.chosen.emit(0)
    assert flow.source.choices["python_library"].isChecked()
    flow.source._list.removed.emit(0)
    assert [form.kind for form in flow.source.forms] == ["rule_task"]
    assert not flow.source._list.isVisible()


def test_an_error_of_a_source_job_opens_that_source(flow: AddFlow) -> None:
    sources = (SourceForm(), SourceForm(kind="hub_dataset", repo="owner/nothing", split="x"))
    flow.show_form(AddForm(sources=sources))
    flow.show_error(KnownError("There is no such split.", field="sources[1].split"))
    assert flow.current == SOURCE
    assert flow.source.fields.by_name["split"].error == "There is no such split."
    assert flow.source.fields.by_name["split"].isVisible()  # it was folded away


def test_an_error_without_a_field_stands_above_the_steps_until_it_is_read(
    qtbot: QtBot, flow: AddFlow
) -> None:
    flow.show_error(KnownError("The disk is full.", do="Free some space."))
    assert flow._error is not None
    qtbot.waitUntil(flow._error.isVisible)
    flow._error.dismissed.emit()
    assert flow._error is None


def test_rules_are_tried_while_they_are_written(qtbot: QtBot, flow: AddFlow) -> None:
    flow.source.choices["own_rules"].click()
    editor = flow.source.fields.rules
    flow.footer.next.click()
    assert flow.current == SOURCE
    assert "No rule is written" in flow.source.fields._rules_error.text()
    editor.text.setPlainText('line = "a" =>\n')
    qtbot.waitUntil(lambda: editor.said.startswith("Line 1, column"), timeout=5_000)
    editor.set_rules(EXAMPLES[0].text)
    qtbot.waitUntil(lambda: ";" in editor.lines, timeout=5_000)
    assert editor.said == ""
    assert flow.source.forms[0].rules == EXAMPLES[0].text


def test_every_example_of_the_rules_makes_lines() -> None:
    for example in EXAMPLES:
        tried = try_rules(example.text)
        assert tried.error is None and tried.lines and tried.figures is not None


def test_rules_become_bytes_and_other_text_an_own_tokenizer(flow: AddFlow) -> None:
    flow.source.choices["rule_task"].click()
    flow._turn_to(TOKENS)
    assert flow.form().tokenizer.kind == "bytes"
    flow.source.choices["python_library"].click()
    flow._turn_to(TOKENS)
    assert flow.form().tokenizer == TokenizerForm()
    flow.tokens.choices["gpt2"].click()
    flow.source.choices["rule_task"].click()
    flow._turn_to(TOKENS)
    assert flow.form().tokenizer.kind == "gpt2"  # what the user chose stays


def test_dropped_files_are_gathered_in_one_source(qtbot: QtBot, page: DataPage, tmp_path) -> None:
    first, second = write_texts(tmp_path / "a", 1), write_texts(tmp_path / "b", 1)
    source = page.adding.flow.source
    page.adding.take_paths([str(first)])
    qtbot.waitUntil(lambda: source.forms[0].paths == (str(first),))
    page.adding.take_paths([str(second), str(first)])
    qtbot.waitUntil(lambda: source.forms[0].paths == (str(first), str(second)))
    assert len(source.forms) == 1


def test_what_hovers_is_announced_and_what_is_dropped_is_taken(
    qtbot: QtBot, page: DataPage, tmp_path: Path
) -> None:
    page.adding.leave()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(write_texts(tmp_path / "bees", 1)))])
    at, copy, button = QPoint(300, 300), Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    page.dragEnterEvent(QDragEnterEvent(at, copy, data, button, keys))
    assert page._drop_hint.isVisible()
    page.grab()
    page.dropEvent(QDropEvent(at.toPointF(), copy, data, button, keys))
    assert not page._drop_hint.isVisible()
    qtbot.waitUntil(page.adding.flow.isVisible)
    qtbot.waitUntil(lambda: page.adding.flow.source.forms[0].kind == "text_files")


def test_no_field_takes_a_dropped_file_for_text(flow: AddFlow) -> None:
    assert not any(line.acceptDrops() for line in flow.findChildren(QLineEdit))
    editor = flow.source.fields.rules.text
    assert not editor.acceptDrops() and not editor.viewport().acceptDrops()


def test_a_dropped_settings_file_fills_every_step(qtbot: QtBot, page: DataPage, tmp_path) -> None:
    spec = PrepareSpec(
        sources=(TextFiles(paths=("/b",), name="b"), RuleLines(task="addition", name="sums")),
        name="Mixed",
        seed=7,
    )
    path = tmp_path / "prepare.toml"
    path.write_text(specs.to_toml(spec))
    page.adding.take_paths([str(path)])
    flow = page.adding.flow
    qtbot.waitUntil(lambda: len(flow.source.forms) == 2)
    assert (flow.form().name, flow.form().seed) == ("Mixed", "7")
    flow.go_to(TOKENS)
    assert flow.current == TOKENS


def test_a_dropped_file_that_is_no_prepare_job_is_told(
    qtbot: QtBot, studio: Studio, page: DataPage, tmp_path
) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("verb = 3")
    page.adding.take_paths([str(path)])
    qtbot.waitUntil(lambda: len(studio[1].errors) == 1)


def test_later_steps_of_a_new_dataset_are_reached_one_by_one(
    studio: Studio, page: DataPage
) -> None:
    studio[0].settings.setValue(GPT2_SETTING, "/gpt2")  # what Settings know is no filled form
    page.open("add")
    flow = page.adding.flow
    flow.go_to(TOKENS)
    assert flow.current == SOURCE and not flow.rail.items[TOKENS].isEnabled()
    assert flow.form().tokenizer == TokenizerForm()
    flow.tokens.choices["gpt2"].click()
    assert flow.form().tokenizer.vocabulary_folder == "/gpt2"
    page.adding.begin(AddForm())
    assert flow.rail.items[TOKENS].isEnabled()


# --- the preview ------------------------------------------------------------------------------

FOUND = Preview(
    sources=(
        SourcePreview(
            name="posts",
            description="posts.jsonl",
            documents=tuple(ShownDocument(f"posts.jsonl line {n}", text="Bees.") for n in range(5)),
            documents_read=40,
            bytes_read=8_000_000,
            bytes_total=29_000_000,
            fields=("text", "title"),
            field="text",
            skipped=(SkippedGroup("not_utf8", "not UTF-8 text", "warning", 3, ("/x.txt",)),),
            steps=(StepReport("whitespace", 0, 14, 1000, 900, (Example("a", "b  ", "b"),)),),
        ),
    )
)


def test_a_preview_shows_documents_fields_and_what_was_left_out(
    qtbot: QtBot, flow: AddFlow, tmp_path: Path
) -> None:
    flow.add_source(SourceForm(kind="text_files", paths=(str(tmp_path),)))
    flow._turn_to(PREVIEW)
    step = flow.preview
    step._job.drop()
    step._on_finished(FOUND)
    assert step.documents.shown == 3
    step.documents._more.click()
    assert step.documents.shown == 5
    assert f"of about 29.0{NARROW}MB in all" in step.documents._facts.text()
    assert step.left_out.isVisible()
    with qtbot.waitSignal(step.field_chosen) as chosen:
        step.documents._field.setCurrentIndex(1)
        step.documents._field.activated.emit(1)
    assert chosen.args == [0, "title"]
    assert flow.source.forms[0].field == "title"


def test_a_source_that_cannot_be_read_is_corrected_in_its_step(flow: AddFlow) -> None:
    flow.add_source(SourceForm(kind="hub_dataset", repo="owner/nothing"))
    flow._turn_to(PREVIEW)
    flow.preview._job.drop()
    error = KnownError("There is no such dataset.", do="Check its name.", field="source.repo")
    flow.preview._on_failed(error)
    assert not flow.preview.documents.isVisible()
    flow.preview._error.clicked.emit()  # type: ignore[union-attr]
    assert flow.current == SOURCE
    assert "no such dataset" in flow.source.fields.by_name["repo"].error


def test_one_source_that_cannot_be_read_does_not_hide_the_others(flow: AddFlow) -> None:
    flow.show_form(AddForm(sources=(SourceForm(), SourceForm(kind="hub_dataset", repo="o/n"))))
    flow._turn_to(PREVIEW)
    flow.preview._job.drop()
    failed = Failed("There is no such dataset.", "Check its name.", "sources[1].repo")
    broken = SourcePreview(name="n", failed=failed)
    flow.preview._on_finished(Preview(sources=(*FOUND.sources, broken)))
    documents = flow.preview.documents
    assert documents.shown == 0  # the broken one comes first
    documents._sources.chosen.emit("0")
    assert documents.shown == 3
    documents._sources.chosen.emit("1")
    documents.findChildren(ErrorCard)[-1].clicked.emit()
    assert flow.current == SOURCE
    assert "no such dataset" in flow.source.fields.by_name["repo"].error


def test_a_cleaning_step_says_what_it_did_while_it_is_on(flow: AddFlow) -> None:
    card = flow.preview.cleaning_card
    flow.preview._on_finished(FOUND)
    assert card.rows["whitespace"].found == ""  # it is off
    card._toggles["whitespace"].click()
    flow.preview._on_finished(FOUND)
    found = card.rows["whitespace"].found
    assert found == f"Changes 14 of 40 documents, 100{NARROW}B less."
    assert flow.form().cleaning.whitespace


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (StepReport("x"), "Changes nothing in the 8 documents read."),
        (StepReport("x", left_out=2), "Leaves out 2 of 8 documents."),
        (
            StepReport("x", left_out=1, changed=2),
            "Changes 2 of 8 documents and leaves out 1 of 8 documents.",
        ),
        (
            StepReport("x", changed=1, bytes_before=10, bytes_after=12),
            f"Changes 1 of 8 documents, 2{NARROW}B more.",
        ),
    ],
)
def test_reports_are_told_in_words(report: StepReport, words: str) -> None:
    assert report_words(report, 8) == words


def test_near_duplicates_across_the_split_are_told() -> None:
    assert near_words(NearReport()) == "No document is nearly equal to an earlier one."
    removed = NearReport(kinds=2, documents=3, removed=True)
    assert near_words(removed) == "3 documents are nearly equal to an earlier one and left out."
    crossing = NearReport(kinds=1, documents=1, held_out=1)
    assert near_words(crossing).endswith(
        "1 held-out document has a near duplicate that is trained on."
    )


def test_a_dataset_tells_what_its_cleaning_did() -> None:
    step = StepReport("whitespace", changed=2, bytes_before=90, bytes_after=80)
    sources = tuple(NamedSourceFacts(documents_read=10, cleaning=(step,)) for _ in range(2))
    near = NearReport(documents=1, pairs=(NearPair("/a", "/b", 0.9),))
    manifest = ManifestFacts(sources=sources, near_duplicates=near)
    first, second = cleaning_rows(manifest)
    words = f"Changed 4 of 20 documents, 20{NARROW}B less."
    assert first == ("White space tidied", words, "")
    assert second[2] == f"/b is like /a, 90{NARROW}%"
    assert cleaning_rows(ManifestFacts()) == []


def test_the_preview_job_shows_files_and_what_cleaning_would_do(
    qtbot: QtBot, studio: Studio, page: DataPage, tmp_path: Path
) -> None:
    texts = write_texts(tmp_path / "bees", 6)
    (texts / "spaces.txt").write_text("Winter.   \nSpring.\n")
    (texts / "broken.txt").write_bytes(b"\xff\xfe no text")
    flow = page.adding.flow
    page.adding.take_paths([str(texts)])
    qtbot.waitUntil(lambda: flow.source.forms[0].kind == "text_files")
    flow.footer.next.click()
    step = flow.preview
    qtbot.waitUntil(lambda: step.preview is not None, timeout=30_000)
    assert step.preview is not None and step.preview.sources[0].documents_read == 7
    assert step.documents.shown == 3
    assert step.left_out.isVisible()
    step.cleaning_card._toggles["whitespace"].click()
    row = step.cleaning_card.rows["whitespace"]
    qtbot.waitUntil(lambda: row.found != "", timeout=30_000)
    assert row.found.startswith("Changes 1 of 7 documents")
    page.adding.leave()
    previews = studio[0].home / "previews"
    qtbot.waitUntil(lambda: not list(previews.iterdir()), timeout=10_000)
    assert not studio[1].errors


def test_a_preview_that_is_left_while_it_reads_leaves_nothing_behind(
    qtbot: QtBot, studio: Studio, page: DataPage
) -> None:
    flow = page.adding.flow
    flow.footer.next.click()  # the Python library
    previews = studio[0].home / "previews"
    qtbot.waitUntil(lambda: previews.is_dir() and bool(list(previews.iterdir())), timeout=10_000)
    page.adding.leave()
    qtbot.waitUntil(lambda: not list(previews.iterdir()), timeout=30_000)
    assert not studio[1].errors


def test_of_two_sources_the_one_that_is_not_there_is_named(
    qtbot: QtBot, flow: AddFlow, tmp_path: Path
) -> None:
    texts = write_texts(tmp_path / "bees", 4)
    sources = (
        SourceForm(kind="text_files", paths=(str(texts),), name="here"),
        SourceForm(kind="text_files", paths=(str(tmp_path / "nowhere"),), name="gone"),
    )
    flow.show_form(AddForm(sources=sources))
    flow._turn_to(PREVIEW)
    documents = flow.preview.documents
    qtbot.waitUntil(lambda: bool(documents.findChildren(ErrorCard)), timeout=30_000)
    documents._sources.chosen.emit("0")
    assert documents.shown == 3
    documents._sources.chosen.emit("1")
    assert flow.preview.summary() == "cannot be read"
    write_texts(tmp_path / "nowhere", 2, text="Another text.\n")
    documents.again_requested.emit()
    qtbot.waitUntil(lambda: "6 documents" in flow.preview.summary(), timeout=30_000)
    assert flow.rail.items[PREVIEW].accessibleName().endswith("6 documents looked at")
    flow.show_form(AddForm(sources=(sources[0], replace(sources[1], paths=("/no/where",)))))
    flow._turn_to(PREVIEW)
    qtbot.waitUntil(lambda: flow.preview.summary() == "cannot be read", timeout=30_000)
    documents.findChildren(ErrorCard)[-1].clicked.emit()
    assert flow.current == SOURCE
    assert "where" in flow.source.fields.by_name["paths"].error
