"""Rule tasks in the studio: started from a card, registered, and shown by group."""

import dataclasses

import msgspec
import pytest
from job_folders import FakeJob, saved, step_rows, train_spec, validated
from page_for_tests import open_studio

from studio.charts.content import Points
from studio.charts.marks import plateaus, set_checkpoints
from studio.pages.home.page import HomePage
from studio.pages.rule_cards import RuleTaskCards, connect_rule_cards
from studio.pages.run.facts import rule_score, tiles
from studio.pages.run.header import RunHeader
from studio.pages.run.page import RunPage
from studio.pages.run.rules import RulesPanel, finding, role_of
from studio.rules import RuleRuns
from studio.runs.events import event_of
from studio.runs.model import JobModel
from studio.runs.pace import SessionStart, measure_pace
from studio.runs.rules import find_rules_at_work, new_rules, register_rules
from studio.runs.series import StepSeries
from studio.runs.tail import JobTail
from studio.storage.library import Library
from trainer_core import records
from trainer_core import spec as specs
from trainer_core.records import GroupScore, Measured, MeasuredSet
from trainer_core.rule_tasks import RULE_TASKS
from trainer_core.spec import EvaluationConfig, RulesSpec

TEN = RULE_TASKS["simple_dummy2"].groups
pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("propagateSizeHints"),
]


def scores(right, total=50):
    return tuple(
        GroupScore(group=group, right=n, total=total) for group, n in zip(TEN, right, strict=True)
    )


LEARNING = scores([50, 50, 50, 49, 49, 20, 36, 10, 0, 50])


def model_of(folder):
    model, tail = JobModel(folder), JobTail(folder)
    model.apply(tail.poll())
    return model


@pytest.fixture
def scored(tmp_path):
    """A run on ten actions, half-way."""
    job = FakeJob(tmp_path / "run", train_spec())
    job.begin()
    job.steps.append(step_rows(0, 40))
    job.write(validated(20, 1.7, groups=scores([0] * 10)), validated(40, 1.4, groups=LEARNING))
    job.close()
    return model_of(tmp_path / "run")


class FakeTask(FakeJob):
    """The folder of a rule task, with as many parts as have begun."""

    def __init__(self, folder):
        super().__init__(folder, RulesSpec(task="addition"))
        self.parts = {}
        self.begin()

    def start_part(self, name, spec):
        self.write(records.ChildStarted(verb=specs.verb_of(spec), name=name, folder=name))
        part = self.parts[name] = FakeJob(self.folder / name, spec)
        part.begin()
        part.write(records.StateChanged(state="running"))

    def prepare(self):
        self.start_part(
            "data", specs.PrepareSpec(source=specs.RuleLines(task="addition"), name="Sums")
        )

    def close(self):
        for part in (self, *self.parts.values()):
            (part.folder / "owner.json").unlink(missing_ok=True)
            FakeJob.close(part)


# --- the library ---------------------------------------------------------------------------------


def test_the_parts_come_into_the_library_as_they_begin_and_once(private_home):
    library = Library.open(private_home)
    task = FakeTask(new_rules(private_home, "addition"))
    task.prepare()
    children = [records.ChildStarted(verb="prepare", name="x", folder="data")]
    rows = register_rules(library, task.folder, children)
    assert rows.dataset.name == "Sums up to 200"
    assert rows.dataset.tokenizer == "bytes, 257"
    assert rows.run is None
    task.start_part("run", train_spec())
    children.append(records.ChildStarted(verb="train", name="x", folder="run"))
    first = register_rules(library, task.folder, children)
    again = register_rules(library, task.folder, children)
    assert first.run.id == again.run.id
    assert first.run.name == "sums-up-to-200"
    assert [project.name for project in library.projects()] == ["Rule tasks"]
    assert len(library.datasets()) == 1
    task.close()
    library.close()


def test_a_second_run_of_a_task_has_a_name_of_its_own(private_home):
    library = Library.open(private_home)
    names = []
    for _ in range(2):
        task = FakeTask(new_rules(private_home, "addition"))
        task.prepare()
        task.start_part("run", train_spec())
        children = [
            records.ChildStarted(verb=verb, name="x", folder=folder)
            for verb, folder in (("prepare", "data"), ("train", "run"))
        ]
        rows = register_rules(library, task.folder, children)
        names.append((rows.run.name, rows.dataset.name))
        task.close()
    assert names == [
        ("sums-up-to-200", "Sums up to 200"),
        ("sums-up-to-200-2", "Sums up to 200 2"),
    ]
    library.close()


def test_tasks_at_work_are_found_again_and_lost_rows_too(private_home):
    task = FakeTask(new_rules(private_home, "addition"))
    assert find_rules_at_work(private_home) == [task.folder]
    task.prepare()
    task.start_part("run", train_spec())
    task.close()
    assert find_rules_at_work(private_home) == []
    library = Library.open(private_home, rebuild=True)
    assert [run.folder for run in library.runs()] == [task.folder / "run"]
    library.close()


# --- what is said --------------------------------------------------------------------------------


def test_the_last_score_and_its_task_are_known(scored):
    last, task = rule_score(scored)
    assert last.step == 40
    assert task.name == "simple_dummy2"


def test_the_tile_names_the_worst_group(scored):
    tile = tiles(scored, 10)[4]
    assert (tile.label, tile.value) == ("Worst accuracy", "0.0")
    assert tile.context[0][0] == "8 line before"
    assert TEN[8] in tile.tooltip


def test_other_runs_have_no_score(tmp_path):
    job = FakeJob(tmp_path / "run", train_spec())
    job.write(validated(20, 1.7))
    job.close()
    model = model_of(tmp_path / "run")
    assert rule_score(model) is None
    assert tiles(model, 10)[4].label == "Best loss"
    assert plateaus(model) == []


def test_the_loss_chart_has_the_plateaus_where_tokens_are_characters(scored):
    assert [limit.label for limit in plateaus(scored)] == ["letter frequencies", "format", "floor"]
    shape = msgspec.structs.replace(scored.spec.model, vocab_size=300)
    scored.spec = msgspec.structs.replace(scored.spec, model=shape)
    assert plateaus(scored) == []


@pytest.mark.parametrize(
    ("accuracy", "role"), [(1.0, "ok"), (0.98, "ok"), (0.9, "warn"), (0.7, "danger")]
)
def test_bars_are_green_from_solved_on_and_red_up_to_learned(accuracy, role):
    assert role_of(accuracy) == role


def test_the_finding_counts_groups():
    half_way, all_solved = (
        finding(each).replace("\u2005", " ") for each in (LEARNING, scores([50] * 10))
    )
    assert half_way == "7 of 10 above 70 %, where the tick is; 6 at 98 % or more."
    assert all_solved == "All 10 at 98 % or more."


def test_events_tell_sets_the_model_alone_and_the_worst_group():
    alone = Measured(loss=3.5, bits_per_byte=1.2, tokens=10)
    record = validated(
        7,
        3.0,
        groups=LEARNING,
        without_index=alone,
        sets=(MeasuredSet(name="News", measured=alone),),
    )
    text = event_of(record, verb="train", spec=None, first=True).text
    assert "3.500 without the index" in text
    assert "News 3.500" in text
    assert f"worst accuracy 0% ({TEN[8]})" in text


def test_a_checkpoint_of_weights_only_says_so_and_is_marked_apart():
    told = event_of(saved(5, resumable=False), verb="train", spec=None, first=True)
    assert "weights only" in told.text
    whole, thin = Points(None), Points(None)
    set_checkpoints(whole, thin, [saved(5, resumable=False), saved(10), saved(15)])
    assert (whole.steps, whole.filled, thin.steps) == ([10, 15], [False, True], [5])


def test_a_pause_of_its_own_accord_says_why_and_what_to_do(tmp_path):
    job = FakeJob(tmp_path / "run", train_spec())
    job.begin()
    job.write(
        records.Ended(
            state="paused",
            exit_code=3,
            step=30,
            what="The loss rose by 1.2 nats and stays there.",
            safe="The checkpoint of step 20 is from before that.",
            do="Lower optimizer.lr, or resume.",
        )
    )
    job.close()
    model = model_of(tmp_path / "run")
    assert model.state == "paused"
    assert model.error.what.startswith("The loss rose")
    assert model.error.do == "Lower optimizer.lr, or resume."
    assert model.events[-1].level == "warning"
    assert "from before that" in model.events[-1].text


def test_a_pause_that_was_asked_for_is_no_problem(tmp_path):
    job = FakeJob(tmp_path / "run", train_spec())
    job.begin()
    job.write(records.Ended(state="paused", exit_code=0, step=30))
    job.close()
    assert model_of(tmp_path / "run").error is None


def test_the_time_left_counts_what_blocks_and_validations_by_share():
    steps = StepSeries()
    steps.append(step_rows(0, 50))  # 0.1 s each
    starts = [SessionStart(0.0, 0)]
    spec = train_spec(100, checkpoint=specs.CheckpointConfig(every_steps=50))
    slow = [saved(50, seconds=9.0, blocked_s=0.5)]
    first = [validated(50, 2.0, seconds=0.0)]
    assert measure_pace(spec, steps, starts, first, slow).remaining_s == pytest.approx(5.5)
    shared = msgspec.structs.replace(spec, evaluation=EvaluationConfig(time_share=0.5))
    told = [validated(50, 2.0, seconds=2.0)]
    pace = measure_pace(shared, steps, starts, told, [])
    assert pace.remaining_s == pytest.approx(13.0)  # 5 s of steps, and 8 of 10 s that are allowed


def test_a_run_that_compiles_says_why_nothing_moves(qtbot, tmp_path):
    job = FakeJob(tmp_path / "run", train_spec())
    job.begin()
    job.write(records.StateChanged(state="compiling"))
    job.close()
    header = RunHeader("Bees", "bees-4m")
    qtbot.addWidget(header)
    header.resize(1400, 101)
    header.show_model(model_of(tmp_path / "run"))
    assert header.pill.accessibleName() == "Compiling"
    assert header._note.text() == "The first step takes longer; the steps after it are faster"
    header.rest()


@pytest.mark.parametrize(
    ("step", "phase"), [(5, "warm-up"), (50, "steady, peak "), (80, "decay, peak ")]
)
def test_the_tile_of_the_learning_rate_names_the_phase(tmp_path, step, phase):
    optimizer = specs.OptimizerConfig(
        kind="muon", schedule="wsd", decay_share=0.25, warmup_steps=10
    )
    job = FakeJob(tmp_path / "run", msgspec.structs.replace(train_spec(), optimizer=optimizer))
    job.steps.append(step_rows(0, step))
    job.close()
    tile = tiles(model_of(tmp_path / "run"), 10)[5]
    assert tile.context[0][0].startswith(phase)
    assert "Muon changes the matrices" in tile.tooltip


# --- widgets -------------------------------------------------------------------------------------


def test_the_panel_shows_groups_and_where_the_loss_stands(qtbot):
    panel = RulesPanel()
    qtbot.addWidget(panel)
    panel.resize(320, 800)
    last = validated(40, 1.4 / 0.693147 * 2, groups=LEARNING)
    panel.show_score(last, RULE_TASKS["simple_dummy2"])
    panel.show()
    assert panel.bars.scores == LEARNING
    assert "9 the letter z: 100" in panel.bars.accessibleName()
    assert panel.levels.count() == 4
    panel.show_score(last, RULE_TASKS["simple_dummy2"])
    assert panel.levels.count() == 4
    panel.grab()


def test_the_run_page_takes_the_tab_of_rules_once(qtbot, qapp, private_home):
    with open_studio(qapp, private_home) as (context, _):
        project = context.library.add_project("Rule tasks")
        row = context.library.add_run(project.id, "ten")
        job = FakeJob(row.folder, train_spec())
        job.begin()
        job.steps.append(step_rows(0, 40))
        job.write(validated(40, 1.4, groups=LEARNING))
        job.write(records.Ended(state="finished", exit_code=0))
        job.close()
        (row.folder / "owner.json").unlink()
        page = RunPage(context)
        qtbot.addWidget(page)
        page.open(row.id)
        page.shown()
        qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up)
        side = page.view.side
        qtbot.waitUntil(lambda: side.tabs.current == "rules")
        side.tabs.choose("events")
        page.view._on_model_changed()
        assert side.tabs.current == "events"
        qtbot.waitUntil(lambda: page.view.charts.queue.idle)


def test_cards_start_a_task_and_wait_meanwhile(qtbot):
    cards = RuleTaskCards()
    qtbot.addWidget(cards)
    wanted = []
    cards.start_requested.connect(wanted.append)
    cards.buttons["addition"].click()
    assert wanted == ["addition"]
    cards.show_starting("addition", read_only=False)
    assert cards.buttons["addition"].text() == "Starting …"
    assert not any(button.isEnabled() for button in cards.buttons.values())
    cards.show_starting(None, read_only=False)
    assert all(button.isEnabled() for button in cards.buttons.values())
    cards.show_starting(None, read_only=True)
    assert not any(button.isEnabled() for button in cards.buttons.values())


def test_home_offers_the_tasks_while_nothing_was_trained(qtbot, qapp, private_home):
    with open_studio(qapp, private_home) as (context, _):
        rules = _rules(context)
        page = HomePage(dataclasses.replace(context, rules=rules))
        qtbot.addWidget(page)
        page.show()
        page.shown()
        qtbot.waitUntil(page.rule_tasks.isVisible)
        context.library.add_project("Bees")
        page.reload()
        qtbot.waitUntil(lambda: not page.rule_tasks.isVisible())


@pytest.mark.slow
def test_a_task_that_is_started_opens_its_run(qtbot, qapp, private_home):
    """A real job: its lines are made, and its training begins and is stopped."""
    with open_studio(qapp, private_home) as (context, seen):
        rules = _rules(context)
        cards = RuleTaskCards()
        qtbot.addWidget(cards)
        connect_rule_cards(dataclasses.replace(context, rules=rules), cards)
        begun = []
        rules.run_begun.connect(begun.append)
        cards.buttons["simple_dummy"].click()
        assert rules.starting == "simple_dummy"
        qtbot.waitUntil(lambda: bool(begun), timeout=60_000)
        assert rules.starting is None
        run = context.library.run(begun[0])
        assert run.name == "made-up-words"
        assert context.library.datasets()[0].name == "Made-up words"
        assert seen.errors == []


def _rules(context):
    return RuleRuns(
        context.home,
        context.library,
        context.tasks,
        context.watcher,
        context.supervisor,
        context.keeper,
    )
