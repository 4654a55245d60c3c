"""The probe with real processes: measured tables, memory that ends, stops, and absurd settings."""

import json
import os
import signal
import subprocess
import sys

import msgspec
import psutil
import pytest
from train_for_tests import ended, journal, make_corpus, notes, result, tiny_spec

from trainer_core.__main__ import main
from trainer_core.errors import ExitCode, JobFolderError, SpecError
from trainer_core.index import build_index
from trainer_core.job import Job, run_job
from trainer_core.probe_table import PROBE_FILE, ProbeTable, Variant, read_table
from trainer_core.records import Progress
from trainer_core.spec import ModelConfig, ProbeSpec, from_builtins, to_toml
from trainer_core.spec.probe import probe_of
from trainer_core.train.probe import search
from trainer_core.train.probe.messages import Tried, Try
from trainer_core.train.probe.process import TrialDied, TrialProcess

MODEL = ModelConfig(vocab_size=257, context_length=32, n_layer=1, n_head=2, n_embd=16)
WIDE = ModelConfig(vocab_size=257, context_length=256, n_layer=4, n_head=2, n_embd=128)


def spec_of(model=MODEL, **settings):
    settings = {"budget_s": 100.0, "compile": False, "device": "cpu", "threads": 1, **settings}
    return ProbeSpec(model=model, **settings)


@pytest.fixture(autouse=True)
def no_process_is_left():
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def probed(folder, spec) -> ProbeTable:
    assert run_job(folder, spec) == ExitCode.OK, ended(folder)
    return read_table(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe") / "job"
    probed(folder, spec_of(max_batch_size=4, precisions=("fp32", "bf16")))
    return folder


def test_the_table_has_a_row_for_each_way_that_was_tried(folder):
    table = read_table(folder)
    assert table.complete and table.ended in ("largest", "speed")
    first = [row for row in table.rows if row.variant == Variant(precision="fp32")]
    assert [row.batch_size for row in first] == [1, 2, 4][: len(first)]
    assert any(row.variant.precision == "bf16" for row in table.rows)
    assert table.device.startswith("CPU") and table.device.endswith("fp32")
    for row in table.rows:
        assert row.ok and row.steps >= 1 and row.first_step_s > 0
        assert 0 < row.step_ms_low <= row.step_ms <= row.step_ms_high
        assert row.tokens_per_s == pytest.approx(row.batch_size * 32 / row.step_ms * 1000)
        assert 50e6 < row.peak_memory_bytes < table.memory_limit_bytes
    assert table.best is not None and str(table.best.variant) in table.reason


def test_it_measures_what_comes_between_steps_and_leaves_no_trace_of_it(folder):
    table = read_table(folder)
    assert table.validation_tokens_per_s > 0
    weights = table.parameters * 4
    assert 3 * weights < table.checkpoint.size_bytes < 3 * weights + 100_000
    assert 0 < table.checkpoint.blocked_s <= table.checkpoint.seconds
    assert not (folder / "probe-checkpoint").exists()


def test_a_folder_that_cannot_hold_a_checkpoint_is_noted(tmp_path):
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "probe-checkpoint").write_text("in the way")
    table = probed(tmp_path / "job", spec_of(precisions=("fp32",), max_batch_size=1))
    assert table.best is not None and table.checkpoint is None
    assert len(notes(tmp_path / "job", "Validation and checkpoint not measured")) == 1


def test_the_parts_say_where_the_time_went(folder):
    parts = read_table(folder).parts
    after = {"longer look", "precisions", "validation and checkpoint"}
    assert set(parts) == {"start", "batch sizes"} | after
    assert all(seconds > 0 for seconds in parts.values())
    phases = [record.phase for record in journal(folder, Progress)]
    assert "Trying 1 sequences at once, fp32" in phases
    assert all(0 <= record.whole <= 1 for record in journal(folder, Progress))


def test_the_result_is_the_table(folder):
    assert msgspec.convert(result(folder), ProbeTable) == read_table(folder)


@pytest.mark.slow
def test_memory_that_ends_is_found_by_trials_that_fail_alone(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_SLOWER_ROWS", 99)  # on a busy computer speed may end first
    base = read_table(folder).rows[0].peak_memory_bytes
    spec = spec_of(WIDE, memory_limit_bytes=base + (100 << 20), precisions=("fp32",))
    spec = msgspec.structs.replace(spec, max_batch_size=64)
    table = probed(tmp_path / "job", spec)
    failed = [row for row in table.rows if row.failure == "memory"]
    plain = [row for row in table.rows if not row.variant.activation_checkpointing]
    assert failed and table.best is not None
    fits = max(row.batch_size for row in plain if row.ok)
    assert fits < min(row.batch_size for row in plain if row.failure == "memory")
    frugal = [row for row in table.rows if row.variant.activation_checkpointing]
    assert frugal and frugal[0].batch_size > fits
    for row in table.rows:
        assert row.peak_memory_bytes < spec.memory_limit_bytes + (140 << 20)
    assert all(row.why for row in failed)


def test_a_model_that_does_not_fit_is_told_with_the_limit(folder, tmp_path):
    base = read_table(folder).rows[0].peak_memory_bytes
    large = msgspec.structs.replace(WIDE, n_embd=1024, n_layer=8)
    spec = spec_of(large, memory_limit_bytes=base + (40 << 20), activation_checkpointing=False)
    assert run_job(tmp_path / "job", spec) == ExitCode.KNOWN_ERROR
    error = ended(tmp_path / "job")
    assert error.field == "model" and "does not fit" in error.what


def test_a_limit_below_the_program_itself_is_refused(tmp_path):
    assert run_job(tmp_path / "job", spec_of(memory_limit_bytes=1_000_000)) == ExitCode.USAGE
    assert ended(tmp_path / "job").field == "memory_limit_bytes"


def test_a_stopped_probe_keeps_its_rows_and_goes_on_from_them(tmp_path, monkeypatch):
    where = tmp_path / "job"
    enough = property(lambda job: "stop" if len(read_table(where).rows) == 2 else "")
    monkeypatch.setattr(Job, "wanted", enough)
    assert run_job(where, spec_of(max_batch_size=4, precisions=("fp32",))) == ExitCode.OK
    monkeypatch.undo()
    assert ended(where).state == "stopped"
    kept = read_table(where)
    assert len(kept.rows) == 2 and not kept.complete and kept.best is not None
    again = probed(where, None)
    assert again.rows[:2] == kept.rows and len(again.rows) > 2 and again.complete


def test_a_corpus_with_its_index_is_read_as_the_training_reads_it(tmp_path):
    corpus = make_corpus(tmp_path)
    build_index(corpus, tmp_path / "index", max_length=16)
    model = msgspec.structs.replace(MODEL, match_input=True)
    train = tiny_spec(corpus, index=tmp_path / "index", model={"match_input": True})
    spec = msgspec.structs.replace(
        probe_of(train), model=model, precisions=("fp32",), compile=False
    )
    table = probed(tmp_path / "job", spec)
    assert {row.batch_size for row in table.rows} <= {1, 2, 4}  # of the training's four
    other = msgspec.structs.replace(spec, model=msgspec.structs.replace(model, vocab_size=300))
    assert run_job(tmp_path / "other", other) == ExitCode.USAGE
    assert ended(tmp_path / "other").field == "model.vocab_size"


# --- the process of the trials --------------------------------------------------------------------


def opened(tmp_path, **settings):
    spec = spec_of(**settings)
    return TrialProcess(spec, Variant(precision="fp32"), tmp_path / "log", 0, lambda: None)


def test_a_process_that_the_system_kills_counts_as_out_of_memory(tmp_path):
    with opened(tmp_path) as trials:
        assert trials.opened.precision == "fp32" and trials.opened.device == "cpu"
        answer = trials.ask(Try(batch_size=2, seconds=0.1), 30.0)
        assert isinstance(answer, Tried) and answer.row.ok
        os.kill(trials._process.pid, signal.SIGKILL)
        with pytest.raises(TrialDied) as death:
            trials.ask(Try(batch_size=4, seconds=0.1), 30.0)
        assert death.value.failure == "memory"


def test_a_trial_that_takes_too_long_is_ended(tmp_path):
    with opened(tmp_path) as trials:
        with pytest.raises(TrialDied) as death:
            trials.ask(Try(batch_size=4096, seconds=60.0), 0.3)
        assert death.value.failure == "time"
        assert trials._process.poll() is not None


def test_the_process_of_the_trials_ends_with_its_probe():
    worker = subprocess.Popen(
        [sys.executable, "-m", "trainer_core.train.probe.worker"], stdin=subprocess.PIPE
    )
    worker.stdin.close()
    assert worker.wait(60) == 0


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"budget_s": 1.0}, "budget_s"),
        ({"budget_s": 1e9}, "budget_s"),
        ({"max_batch_size": 0}, "max_batch_size"),
        ({"batch_size": -1}, "batch_size"),
        ({"precisions": ["fp32", "fp32"]}, "precisions"),
        ({"precisions": ["fp64"]}, "precisions"),
        ({"index": "index"}, "index"),
        ({"memory_limit_bytes": -1}, "memory_limit_bytes"),
        ({"model": {"n_embd": 7}}, "model"),
    ],
)
def test_absurd_settings_are_refused_by_name(settings, field):
    with pytest.raises(SpecError) as error:
        from_builtins({"verb": "probe", **settings})
    assert error.value.field.startswith(field)


def test_a_precision_that_the_device_lacks_is_refused(tmp_path):
    assert run_job(tmp_path / "job", spec_of(precisions=("tf32",))) == ExitCode.USAGE
    assert ended(tmp_path / "job").field == "precision"


def test_a_further_precision_that_the_device_lacks_is_a_row_that_says_so(tmp_path):
    table = probed(tmp_path / "job", spec_of(precisions=("fp32", "tf32"), max_batch_size=1))
    assert [row.ok for row in table.rows] == [True, False]
    assert "tf32" in table.rows[1].why and table.recommended == 0


def test_a_damaged_table_is_told(tmp_path):
    (tmp_path / PROBE_FILE).write_text("{")
    with pytest.raises(JobFolderError, match="cannot be read"):
        read_table(tmp_path)


# --- the command line -----------------------------------------------------------------------------


def test_the_command_prints_the_table_of_a_training(tmp_path, capsys):
    corpus = make_corpus(tmp_path)
    train = tiny_spec(corpus, precision="fp32", compile="off", budget={"batch_size": 2})
    (tmp_path / "train.toml").write_text(to_toml(train))
    arguments = ["probe", "--train", str(tmp_path / "train.toml"), "--seconds", "60"]
    assert main([*arguments, "--json"]) == 0
    table = msgspec.convert(json.loads(capsys.readouterr().out), ProbeTable)
    assert [row.batch_size for row in table.rows] == [1, 2] and table.complete


def test_the_command_refuses_what_is_no_training(tmp_path, capsys):
    (tmp_path / "tour.toml").write_text('verb = "tour"\n')
    assert main(["probe", "--train", str(tmp_path / "tour.toml")]) == ExitCode.USAGE
    assert "no training" in capsys.readouterr().err


@pytest.mark.slow
def test_compiled_steps_are_tried_last_with_the_best_batch(tmp_path):
    spec = spec_of(max_batch_size=2, precisions=("fp32",), compile=True, budget_s=240.0)
    table = probed(tmp_path / "job", spec)
    compiled = [row for row in table.rows if row.variant.compile]
    assert [row.ok for row in compiled] == [True]
    assert compiled[0] is table.rows[-1] and compiled[0].compile_s > 0
    assert "compile" in table.parts
