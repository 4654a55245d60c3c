"""Imported curves as job folders."""

from __future__ import annotations

import math

import numpy as np
import pytest
from page_for_tests import open_studio

from studio.pages.run.facts import tiles
from studio.pages.run.page import RunPage
from studio.runs.facts import facts_of
from studio.runs.importing.keep import write_reference
from studio.runs.importing.reference import REFERENCE_FILE, read_reference
from studio.runs.importing.sources import look, reference_for
from studio.runs.model import JobModel
from studio.runs.tail import JobTail
from trainer_core.errors import JobFolderError, KnownError

LOG = """tokens per iteration will be: 1,000
step 0: train loss 4.2, val loss 4.3
iter 0: loss 4.2, time 100.00ms, mfu 1%
iter 10: loss 3.0, time 100.00ms, mfu 1%
step 20: train loss 2.7, val loss 2.75
"""


def kept(tmp_path, text=LOG, **more):
    import msgspec

    log = tmp_path / "log.txt"
    log.write_text(text)
    source = look(log)
    folder = tmp_path / "run"
    folder.mkdir()
    reference = msgspec.structs.replace(reference_for(source), **more)
    write_reference(folder, source.curves, reference)
    return folder


def followed(folder):
    model, tail = JobModel(folder), JobTail(folder)
    while True:
        update = tail.poll()
        model.apply(update)
        if not update.more:
            return model


def test_a_log_becomes_a_finished_run_with_its_curves(tmp_path):
    model = followed(kept(tmp_path))
    assert model.state == "finished" and model.error is None and model.spec is None
    assert model.step == 20
    loss = model.steps.column("loss")
    assert loss[0] == pytest.approx(4.2) and loss[10] == pytest.approx(3.0)
    assert np.isnan(loss[1:10]).all()
    assert model.steps.column("tokens_seen")[-1] == 20_000
    assert model.steps.column("tokens_per_s")[10] == pytest.approx(10_000)
    elapsed = model.steps.column("elapsed_s")
    assert elapsed[0] == pytest.approx(0.1) and elapsed[10] == pytest.approx(1.1)
    assert (np.diff(elapsed) >= 0).all()
    assert [(each.step, each.loss, each.best) for each in model.validations] == [
        (0, 4.3, True),
        (20, 2.75, True),
    ]
    assert math.isnan(model.validations[0].bits_per_byte)
    facts = facts_of(model)
    assert facts.val_loss == 2.75 and facts.bits_per_byte is None and facts.state == "finished"
    assert facts.elapsed_s == pytest.approx(1.1) and facts.share_done == 1.0


def test_bytes_per_token_give_bits_per_byte(tmp_path):
    model = followed(kept(tmp_path, bytes_per_token=4.0))
    assert model.validations[-1].bits_per_byte == pytest.approx(2.75 / math.log(2) / 4)


def test_losses_in_bits_are_kept_in_nats(tmp_path):
    model = followed(kept(tmp_path, losses="bits"))
    assert model.validations[-1].loss == pytest.approx(2.75 * math.log(2))
    assert model.steps.column("loss")[0] == pytest.approx(4.2 * math.log(2))


def test_where_it_came_from_is_kept(tmp_path):
    folder = kept(tmp_path)
    reference = read_reference(folder)
    assert reference.program == "nanoGPT" and reference.file == "log.txt"
    assert reference.tokens_per_step == 1000 and reference.has_time
    assert len(reference.sha256) == 64 and reference.size_bytes == len(LOG)
    assert read_reference(tmp_path) is None
    (folder / REFERENCE_FILE).write_text("{")
    with pytest.raises(JobFolderError):
        read_reference(folder)
    (folder / REFERENCE_FILE).write_text(
        '{"version": 9, "program": "x", "file": "", "sha256": "","size_bytes": 0, "imported_s": 0}'
    )
    with pytest.raises(JobFolderError, match="newer"):
        read_reference(folder)


def test_a_full_disk_leaves_no_half_reference(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("studio.runs.importing.keep.write_whole_file", full)
    with pytest.raises(KnownError):
        kept(tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_published_log_is_kept_dense(tmp_path, shared_data):
    source = look(shared_data / "tscale-logs" / "125m_fineweb.log.gz")
    folder = tmp_path / "run"
    folder.mkdir()
    write_reference(folder, source.curves, reference_for(source))
    model = followed(folder)
    assert model.step == 100_001 and len(model.validations) == 21
    assert model.best.loss == pytest.approx(2.965)
    assert model.steps.column("tokens_seen")[-1] == 100_001 * 98_304


def test_the_run_page_shows_what_a_log_tells_and_offers_no_training(qapp, qtbot, tmp_path):
    folder = kept(tmp_path)
    with open_studio(qapp, tmp_path / "home") as (context, seen):
        project = context.library.add_project("Others")
        row = context.library.add_run(project.id, "theirs", folder=folder, kind="reference")
        page = RunPage(context)
        qtbot.addWidget(page)
        page.resize(1240, 900)
        page.show()
        page.open(row.id)
        qtbot.waitUntil(lambda: page.view is not None and page.view.model.caught_up, timeout=20_000)
        header = page.view.header
        assert header.pill.accessibleName().startswith("Reference")
        assert not header.extend.isVisible() and not header.resume.isVisible()
        assert "Imported" in header._right.text()
        shown = {tile.label: tile.value for tile in tiles(page.view.model, 1)}
        assert shown["Train loss"] == "3.000" and shown["Validation loss"] == "2.750"
        assert not seen.errors
