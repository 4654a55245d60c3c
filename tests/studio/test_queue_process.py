"""A group of real trainings, planned on its page and worked off by the queue's own process."""

from __future__ import annotations

import math

import pytest
from page_for_tests import add_read_dataset, write_texts
from queue_for_tests import add_run, open_studio_with_queue, tiny_spec

from studio.pages.groups.page import GroupPage
from studio.pages.groups.variants_page import VariantsPage
from studio.runs.grouping import read_group
from trainer_core.manners import read_manners

pytestmark = pytest.mark.slow
WAIT_MS = 150_000


@pytest.fixture
def studio(qapp, private_home):
    with open_studio_with_queue(qapp, private_home, works=True) as opened:
        yield opened


def test_seeds_are_queued_trained_in_turn_and_judged(qtbot, studio, tmp_path):
    context, seen = studio
    dataset = add_read_dataset(context.library, write_texts(tmp_path / "texts"))
    base = add_run(context, "bees", tiny_spec(dataset.corpus_folder))
    page = VariantsPage(context)
    qtbot.addWidget(page)
    page.resize(1180, 720)
    page.show()
    page.open(base.id)
    page.shown()
    qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=WAIT_MS)
    page.form.count.setText("2")
    assert page.name.text() == "bees, 2 seeds"
    page.start.click()
    qtbot.waitUntil(lambda: ("group", 1) in seen.places, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(context.queue.entries) == 2, timeout=WAIT_MS)

    group = GroupPage(context)
    qtbot.addWidget(group)
    group.resize(1180, 720)
    group.show()
    group.open(1)
    group.shown()
    most_at_work = 0

    def done() -> bool:
        nonlocal most_at_work
        at_work = [m for m in context.watcher.models if m.alive and m.verb == "train"]
        most_at_work = max(most_at_work, len(at_work))
        return read_group(context.library, 1).finished == 2

    qtbot.waitUntil(done, timeout=WAIT_MS)
    assert most_at_work == 1
    qtbot.waitUntil(lambda: "± " in group.headline.text(), timeout=WAIT_MS)
    facts = read_group(context.library, 1)
    assert set(facts.seeds.values()) == {1337, 1338}
    losses = list(facts.cells[0].losses.values())
    assert len(set(losses)) == 2 and all(math.isfinite(loss) for loss in losses)
    assert facts.cells[0].spread.sd == pytest.approx(abs(losses[0] - losses[1]) / math.sqrt(2))
    assert read_manners(facts.runs[0].folder).title == facts.runs[0].name
    assert context.queue.entries == ()
    assert not seen.errors
