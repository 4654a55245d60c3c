"""The tour in the studio: what the card says in each state, and what comes into the library."""

import pytest
from job_folders import FakeJob, step_rows, validated
from page_for_tests import open_studio

from studio.context import Context
from studio.device import DeviceFacts
from studio.pages.home.page import HomePage
from studio.pages.home.tour_facts import finished, interrupted, offer, running
from studio.runs.python_library import PythonLibrarySize, count_python_library
from studio.runs.tour import find_tour, new_tour, register_tour
from studio.storage.library import Library
from studio.theme import theme
from studio.tour import Tour
from trainer_core import records
from trainer_core import spec as specs
from trainer_core.spec import ModelConfig
from trainer_core.status import JobStatus

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("propagateSizeHints"),
]
CHILDREN = (
    ("data", specs.PrepareSpec(source=specs.PythonLibrary())),
    ("index", specs.IndexSpec(corpus="data/corpus")),
    ("plain", None),
    ("with-index", None),
)


def training(match_input):
    model = ModelConfig(context_length=8, n_layer=1, n_head=1, n_embd=8, match_input=match_input)
    return specs.TrainSpec(
        corpus="data/corpus",
        index="index/index",
        model=model,
        optimizer=specs.OptimizerConfig(warmup_steps=1),
        budget=specs.BudgetConfig(steps=100, batch_size=4),
    )


class FakeTour(FakeJob):
    """A tour's folder, with as many parts as have begun."""

    def __init__(self, folder):
        super().__init__(folder, specs.TourSpec())
        self.parts = {}
        self.begin()
        self.write(records.StateChanged(state="running"))

    def start_part(self, name):
        spec = dict(CHILDREN)[name] or training(name == "with-index")
        self.write(records.ChildStarted(verb=specs.verb_of(spec), name=name, folder=name))
        part = self.parts[name] = FakeJob(self.folder / name, spec)
        part.begin()
        part.write(records.StateChanged(state="running"))
        return part

    def finish(self):
        values = {
            "plain": {"loss": 4.1, "bits_per_byte": 1.5},
            "with_index": {"loss": 3.7, "bits_per_byte": 1.3},
            "verdict": "With the index the loss is 0.400 lower. Most of it comes from repeats.",
            "steps": 100,
            "seconds": 171.0,
        }
        for part in self.parts.values():
            part.write(records.Ended(state="finished", exit_code=0))
        self.write(records.Result(values=values), records.Ended(state="finished", exit_code=0))
        (self.folder / "owner.json").unlink()

    def close(self):
        """Let go of every folder: the owner is this process, which nobody should try to end."""
        for part in (self, *self.parts.values()):
            (part.folder / "owner.json").unlink(missing_ok=True)
            FakeJob.close(part)


@pytest.fixture
def fake(private_home):
    """A tour at work; asked for after `studio`, so that it ends first."""
    made = FakeTour(new_tour(private_home))
    yield made
    made.close()


def children(*names):
    return [records.ChildStarted(verb="", name=name, folder=name) for name in names]


# --- library -------------------------------------------------------------------------------------


def test_the_parts_of_a_tour_come_into_the_library_as_they_begin(fake, private_home):
    with Library.open(private_home) as library:
        fake.start_part("data")
        first = register_tour(library, fake.folder, children("data"))
        assert first.dataset.name == "Python library"
        assert first.dataset.tokenizer == "own, 4,096"
        assert first.project is None and first.plain is None
        for name in ("index", "plain", "with-index"):
            fake.start_part(name)
        rows = register_tour(library, fake.folder, children("data", "index", "plain", "with-index"))
        assert rows.project.name == "Tour"
        assert rows.dataset.index_folder == fake.folder / "index"
        assert (rows.plain.name, rows.with_index.name) == ("plain", "with-index")
        assert rows.plain.dataset_id == rows.dataset.id
        assert (rows.with_index.color_slot, rows.plain.color_slot) == (0, 1)


def test_registering_twice_changes_nothing(fake, private_home):
    names = [name for name, _ in CHILDREN]
    for name in names:
        fake.start_part(name)
    with Library.open(private_home) as library:
        first = register_tour(library, fake.folder, children(*names))
        again = register_tour(library, fake.folder, children(*names))
        assert again == first
        assert len(library.runs()) == 2 and len(library.datasets()) == 1


def test_what_the_jobs_counted_is_shown_with_the_dataset(fake, private_home):
    data = fake.start_part("data")
    data.write(records.Result(values={"documents": 1642, "tokens": 7_900_000, "bytes": 29_400_000}))
    with Library.open(private_home) as library:
        row = register_tour(library, fake.folder, children("data")).dataset
        assert (row.documents, row.tokens, row.size_bytes) == (1642, 7_900_000, 29_400_000)


def test_a_second_tour_has_a_dataset_of_another_name(fake, private_home):
    second = FakeTour(new_tour(private_home))
    with Library.open(private_home) as library:
        fake.start_part("data")
        second.start_part("data")
        register_tour(library, fake.folder, children("data"))
        other = register_tour(library, second.folder, children("data"))
        assert other.dataset.name == "Python library 2"
    second.close()


def test_a_part_that_was_only_announced_waits(fake, private_home):
    with Library.open(private_home) as library:
        rows = register_tour(library, fake.folder, children("data"))
        assert rows.dataset is None


def test_the_newest_tour_is_found(private_home):
    assert find_tour(private_home) is None
    (private_home / "tour" / "not-a-tour").mkdir(parents=True)
    first = FakeJob(new_tour(private_home), specs.TourSpec())
    first.close()
    assert find_tour(private_home) == first.folder


# --- the card ------------------------------------------------------------------------------------


@pytest.fixture
def studio(qapp, private_home):
    """A studio that has a tour, which page_for_tests leaves out."""
    theme().install(qapp)
    with open_studio(qapp, private_home) as (bare, seen):
        tour = Tour(
            private_home, bare.library, bare.tasks, bare.watcher, bare.supervisor, bare.keeper
        )
        fields = {name: getattr(bare, name) for name in Context.__dataclass_fields__}
        yield Context(**(fields | {"tour": tour})), seen


@pytest.fixture
def page(studio, qtbot):
    context, _seen = studio
    made = HomePage(context)
    qtbot.addWidget(made)
    made.resize(1240, 900)
    made.show()
    made.shown()
    return made


def test_without_a_tour_it_is_offered_with_what_was_counted(studio, page, qtbot):
    context, _seen = studio
    context.tour.look()
    qtbot.waitUntil(page.tour_card.isVisible)
    assert page.tour_card._heading.text().startswith("Take the three-minute tour")
    lines = page.tour_card._steps[0]._lines
    qtbot.waitUntil(lambda: "Python files" in lines[1].text(), timeout=30_000)


def test_not_now_hides_the_offer_for_good_until_it_is_asked_for(studio, page, qtbot):
    context, _seen = studio
    tour = context.tour
    tour.look()
    qtbot.waitUntil(page.tour_card.isVisible)
    page.tour_card.asked.emit("hide")
    assert page.tour_card.isHidden() and tour.state == "hidden"
    qtbot.waitUntil(lambda: context.library.setting("tour/hidden", False))
    tour.show_again()
    assert tour.state == "offered" and page.tour_card.isVisible()


def test_a_tour_at_work_is_followed_through_its_parts_to_its_result(studio, page, fake, qtbot):
    context, seen = studio
    tour, card = context.tour, page.tour_card
    fake.start_part("data").write(
        records.Progress(phase="reading", done=300, total=1642, unit="files")
    )
    tour.look()
    qtbot.waitUntil(lambda: card._heading.text() == "Reading this computer's Python library")
    qtbot.waitUntil(lambda: card._steps[0]._lines[1].text() == "300 of 1.64k files")
    assert card._close.isHidden()
    fake.start_part("index")
    plain = fake.start_part("plain")
    plain.steps.append(step_rows(0, 40))
    qtbot.waitUntil(lambda: "step 40 of 100" in card._steps[1]._lines[0].text(), timeout=10_000)
    qtbot.waitUntil(lambda: tour.rows is not None and tour.rows.plain is not None)
    card.asked.emit("watch")
    assert seen.places[-1] == ("run", tour.rows.plain.id)
    plain.write(validated(100, 4.1))
    fake.start_part("with-index")
    qtbot.waitUntil(lambda: tour.rows.with_index is not None, timeout=10_000)
    fake.finish()
    qtbot.waitUntil(lambda: tour.state == "finished", timeout=10_000)
    assert card._heading.text() == "With the index the loss is 0.400 lower"
    assert card._text.text() == "Most of it comes from repeats."
    card.asked.emit("compare")
    assert seen.places[-1] == ("compare", (tour.rows.with_index.id, tour.rows.plain.id))
    card.asked.emit("playground")
    assert seen.places[-1] == ("playground", tour.rows.with_index.id)


def test_a_tour_that_was_finished_before_is_not_shown_again(studio, page, fake, qtbot):
    context, _seen = studio
    fake.finish()
    context.tour.look()
    qtbot.waitUntil(lambda: context.tour.state == "hidden")
    assert page.tour_card.isHidden()


def test_a_killed_tour_can_go_on(studio, page, fake, qtbot):
    context, _seen = studio
    fake.start_part("data")
    (fake.folder / "owner.json").unlink()
    context.tour.look()
    qtbot.waitUntil(lambda: context.tour.state == "interrupted")
    assert page.tour_card._heading.text() == "The tour was killed"
    assert [choice.action for choice in page.tour_card._choices] == ["resume", "hide"]


@pytest.mark.slow
def test_a_real_tour_runs_from_the_button_to_the_comparison(studio, page, qtbot, monkeypatch):
    small = specs.TourSpec(budget_s=30.0, steps=2, max_bytes=200_000)
    monkeypatch.setattr("studio.tour.TourSpec", lambda: small)
    context, seen = studio
    context.tour.look()
    qtbot.waitUntil(page.tour_card.isVisible)
    page.tour_card.asked.emit("start")
    qtbot.waitUntil(lambda: context.tour.state in ("finished", "interrupted"), timeout=240_000)
    assert seen.errors == []
    assert context.tour.state == "finished"
    qtbot.waitUntil(lambda: context.tour.rows and context.tour.rows.with_index is not None)
    assert context.library.datasets()[0].tokens
    runs = {run.name: run.facts.state for run in context.library.runs()}
    qtbot.waitUntil(
        lambda: {run.facts.state for run in context.library.runs()} == {"finished"}, timeout=10_000
    )
    assert set(runs) == {"plain", "with-index"}


# --- words ---------------------------------------------------------------------------------------


def test_the_offer_names_the_computer_and_the_files():
    device = DeviceFacts(cpu="Ryzen 9", cores=16, ram_gib=64, gpu="RTX 3090", vram_gib=24)
    view = offer(PythonLibrarySize(1642, 29_400_000), device)
    assert "1,642 Python files" in " ".join(view.steps[0].lines)
    assert "RTX 3090" in " ".join(view.steps[1].lines)
    small = offer(PythonLibrarySize(12, 1_000_000), None)
    assert small.steps[0].lines[0] == "12 Python files,"


def test_a_failed_tour_says_what_happened_and_what_to_do(studio, fake, qtbot):
    context, _seen = studio
    fake.write(
        records.Ended(state="failed", exit_code=5, what="The disk is full.", do="Free some space.")
    )
    (fake.folder / "owner.json").unlink()
    context.tour.look()
    qtbot.waitUntil(lambda: context.tour.state == "interrupted")
    view = interrupted(context.tour.model)
    assert (view.heading, view.note) == ("The disk is full.", "Free some space.")
    assert view.failed


def test_a_result_without_figures_is_no_crash():
    assert "–" in finished(JobStatus()).heading
    assert running(None, None, None).heading == "Starting the tour"


def test_python_files_are_counted_and_the_count_can_be_stopped():
    assert count_python_library(lambda: True) == PythonLibrarySize(0, 0)
    found = count_python_library()
    assert found.files > 500 and found.size_bytes > 1_000_000
