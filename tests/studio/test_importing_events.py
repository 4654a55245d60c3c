"""Event files of TensorBoard: read as others write them, written as others read them."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from page_for_tests import open_studio
from PySide6.QtWidgets import QWidget
from synthetic_runs import make_run
from test_compare_page import add_run

from studio.pages.run.export import export_events
from studio.runs.importing.curves import check_steps
from studio.runs.importing.events import guess_tags, read_events
from studio.runs.importing.records import HEAD, event_class, masked_sum, masked_sums
from studio.runs.importing.sources import look, with_tags
from studio.runs.tensorboard import write_events
from trainer_core.errors import DataError, KnownError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What a training with tensorboardX leaves behind: scalars, a text, a histogram."""
    from tensorboardX import SummaryWriter

    folder = tmp_path_factory.mktemp("tb") / "run"
    with SummaryWriter(str(folder)) as writer:
        for step in range(50):
            writer.add_scalar("Train/Loss", 5 - step / 20, step, walltime=1_700_000_000 + 2 * step)
            writer.add_scalar("train/lr", 1e-3, step, walltime=1_700_000_000 + 2 * step)
        writer.add_scalar("val/loss", 3.25, 49, walltime=1_700_000_100)
        writer.add_text("notes", "a text", 3)
        writer.add_histogram("weights", np.random.default_rng(0).normal(size=20_000), 5, bins=9_000)
    return folder


def test_scalars_are_read_and_their_tags_guessed(written):
    source = look(written)
    assert source.kind == "events" and source.tags == {
        "loss": "Train/Loss",
        "lr": "train/lr",
        "val_loss": "val/loss",
    }
    loss = source.curves.points("loss")
    assert loss.steps.tolist() == list(range(1, 51))  # it counts from 0
    assert loss.values[0] == pytest.approx(5.0) and loss.values[-1] == pytest.approx(2.55)
    assert source.curves.points("elapsed_s").values[-1] == pytest.approx(98.0)
    assert source.curves.points("val_loss").values.tolist() == [3.25]
    assert not source.curves.notes


def test_one_file_does_and_other_tags_can_be_chosen(written):
    file = next(written.glob("*tfevents*"))
    source = with_tags(look(file), {"loss": "val/loss"})
    assert len(source.curves.points("loss")) == 1
    assert with_tags(source, {"lr": "train/lr"}).problem


def test_checksums_are_those_of_others(written):
    from tensorboardX.crc32c import crc32c

    def masked(data):
        crc = crc32c(data)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

    payloads = [b"", b"a", b"123456789", bytes(range(256)) * 5, b"xy"]
    assert masked_sums(payloads).tolist() == [masked(each) for each in payloads]
    assert [masked_sum(each) for each in payloads] == [masked(each) for each in payloads]


def test_a_cut_off_file_tells_what_came_before(written, tmp_path):
    data = next(written.glob("*tfevents*")).read_bytes()
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(data[: 40 * 50 + 7])
    log = read_events(path)
    assert 10 < log.points < 100 and any("cut off" in note for note in log.notes)


def test_a_flipped_bit_costs_one_record_and_is_said(written, tmp_path):
    data = bytearray(next(written.glob("*tfevents*")).read_bytes())
    first = HEAD.unpack(data[:12])[0] + 16
    data[first + 12 + 5] ^= 0x10
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(bytes(data))
    log = read_events(path)
    assert log.damaged == 1 and log.points == 100
    assert any("1 records are damaged" in note for note in log.notes)


def test_an_absurd_length_ends_the_file(written, tmp_path):
    data = next(written.glob("*tfevents*")).read_bytes()
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(data + struct.pack("<QI", 2**60, 0) + b"x" * 50)
    log = read_events(path)
    assert log.points == 101 and any("damaged or cut off" in note for note in log.notes)


def test_several_files_of_a_resumed_run_are_one_curve(tmp_path):
    from tensorboardX import SummaryWriter

    for name, steps, value in ((".1", range(10, 30), 4.0), (".2", range(20, 40), 3.0)):
        with SummaryWriter(str(tmp_path), filename_suffix=name) as writer:
            for step in steps:
                writer.add_scalar("loss", value, step)
    files = sorted(tmp_path.glob("*tfevents*"))
    for at, file in enumerate(files):  # both were made within a second
        file.rename(tmp_path / f"events.out.tfevents.{at}.host")
    loss = look(tmp_path).curves.points("loss")
    assert loss.steps.tolist() == list(range(10, 40)) and loss.values[10] == 3.0


def test_folders_without_scalars_are_refused(tmp_path):
    with pytest.raises(DataError, match="no event files"):
        read_events(tmp_path)
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="no scalars"):
        read_events(tmp_path)


def test_tensors_of_one_number_count_as_scalars(tmp_path):
    event = event_class()(step=4, wall_time=1.0)
    value = event.summary.value.add(tag="epoch_loss")
    value.tensor.dtype = 1
    value.tensor.content = struct.pack("<f", 2.5)
    payload = event.SerializeToString()
    sums = masked_sums([len(payload).to_bytes(8, "little"), payload]).tolist()
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(
        struct.pack("<QI", len(payload), sums[0]) + payload + struct.pack("<I", sums[1])
    )
    log = read_events(path)
    assert guess_tags(log) == {"loss": "epoch_loss"}
    assert list(log.tags["epoch_loss"].values) == [2.5]


# --- writing -------------------------------------------------------------------------------------


def test_a_run_comes_back_from_its_event_file(tmp_path):
    model = make_run(400, ended="finished")
    path = write_events(tmp_path / "out", model)
    assert "tfevents" in path.name and not list(path.parent.glob(".*"))
    source = look(path.parent)
    check_steps(source.curves)
    loss = source.curves.points("loss")
    assert loss.steps.tolist() == list(range(1, 401))
    assert loss.values == pytest.approx(model.steps.column("loss"), rel=1e-6)
    vals = source.curves.points("val_loss")
    assert vals.steps.tolist() == [each.step for each in model.validations]
    log = read_events(path)
    assert "val_by_match/0-3" in log.tags and "index/hit_rate" in log.tags
    assert not log.damaged and not log.notes


def test_other_programs_understand_the_event_file(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    model = make_run(20, ended="finished")
    data = write_events(tmp_path, model).read_bytes()
    events, at = [], 0
    while at < len(data):
        length = HEAD.unpack(data[at : at + 12])[0]
        events.append(Event.FromString(data[at + 12 : at + 12 + length]))
        at += 16 + length
    assert events[0].file_version == "brain.Event:2"
    first = {value.tag: value.simple_value for value in events[1].summary.value}
    assert first["train/loss"] == pytest.approx(float(model.steps.column("loss")[0]))
    assert not any(math.isnan(value) for value in first.values())
    texts = [v for e in events for v in e.summary.value if v.metadata.plugin_data.plugin_name]
    assert len(texts) == len(model.samples)
    assert all(v.tensor.string_val[0].decode() for v in texts)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(KnownError):
        write_events(blocked / "below", make_run(5))
    assert blocked.read_text() == "x"


def test_a_run_page_writes_its_run_for_tensorboard(qapp, qtbot, private_home, tmp_path):
    with open_studio(qapp, private_home) as (context, seen):
        row = add_run(context, "bees")
        owner = QWidget()
        qtbot.addWidget(owner)
        export_events(context, owner, row.folder, tmp_path / "tb")
        folder = tmp_path / "tb" / row.folder.name
        qtbot.waitUntil(lambda: any(folder.glob("events*hearth*")), timeout=20_000)
        assert look(folder).curves.last_step == 300 and not seen.errors
