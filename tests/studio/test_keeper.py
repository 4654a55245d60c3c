"""The keeper tells the library whose weights a run began with."""

from __future__ import annotations

from page_for_tests import open_studio

from trainer_core import spec as specs
from trainer_core.journal import JournalWriter
from trainer_core.records import Ended, JobStarted


def test_a_run_that_went_on_from_another_is_its_child(qapp, qtbot, tmp_path):
    with open_studio(qapp, tmp_path) as (context, _seen):
        library = context.library
        project = library.add_project("P")
        first, second = (library.add_run(project.id, name) for name in ("first", "second"))
        for row, other in ((first, second), (second, first)):  # a circle: only one way is kept
            spec = specs.TrainSpec(corpus="c", continue_from=str(other.folder))
            (row.folder / "spec.toml").write_text(specs.to_toml(spec))
            with JournalWriter(row.folder / "journal.bin") as journal:
                journal.append(JobStarted(verb="train", pid=1, host="h", version="1", time_s=1.0))
                journal.append(Ended(state="finished", exit_code=0, step=1, time_s=2.0))
        context.keeper.follow(second)
        qtbot.waitUntil(lambda: library.run(second.id).parent_id == first.id, timeout=20_000)
        context.keeper.follow(first)
        qtbot.waitUntil(lambda: library.run(first.id).facts.state == "finished", timeout=20_000)
        assert library.run(first.id).parent_id is None
