"""Logs of other programs: what is read of them, and what is refused."""

from __future__ import annotations

import gzip
import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.runs.importing import curves as curves_module
from studio.runs.importing import text as text_module
from studio.runs.importing.curves import Collector
from studio.runs.importing.lines import PairLines
from studio.runs.importing.sources import is_log, look, with_layout
from studio.runs.importing.table import cell_number, guess_layout
from trainer_core.errors import DataError, KnownError

TSCALE = """4 devices, 24 fragments per step, 1024 fragment legnth
e512h3d50w1024 b96f1024 drop1ch1tail5 0x1004, size 175.568M
iter 0k, 3.05739 sec, train err -7.76047, test err -7.795
iter 0, train err -7.79321
iter 1, train err -7.71717
iter 2, train err -7.73849
iter 0.003k, 30.0 sec, train err -7.7, test err -7.5
iter 3, train err -7.70
"""
NANOGPT = """Overriding: device = cpu
tokens per iteration will be: 12,288
found vocab_size = 65 (inside data/meta.pkl)
number of parameters: 10.65M
step 0: train loss 4.2874, val loss 4.2823
iter 0: loss 4.2665, time 30000.00ms, mfu -100.00%
iter 10: loss 3.1464, time 100.00ms, mfu 5.91%
iter 20: loss 2.7380, time 100.00ms, mfu 5.92%
step 20: train loss 2.7, val loss 2.75
saving checkpoint to out
"""
LLMC = """| num_parameters        | 124475904                                          |
| total batch size      | 524288 |
val loss 10.988801
step    1/19560 | loss 10.990067 (+nanz)| norm 15.3918 (+nanz)| lr 8.57e-07 | 4000.0 ms | 46.6% \
bf16 MFU | 157000 tok/s
step    2/19560 | loss 10.900000 (+nanz)| norm 15.0 (+nanz)| lr 1.71e-06 | 3000.0 ms | 58% bf16 \
MFU | 170000 tok/s
val loss 10.5
"""


def written(folder, text, name="log.txt", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def series(curves, name):
    points = curves.points(name)
    return dict(zip(points.steps.tolist(), points.values.tolist(), strict=True))


def test_tscale_prints_log_likelihoods_from_step_0(tmp_path):
    curves = look(written(tmp_path, TSCALE)).curves
    assert curves.program == "TScale"
    assert curves.parameters == 175_568_000 and curves.tokens_per_step == 98_304
    assert series(curves, "loss") == {1: 7.79321, 2: 7.71717, 3: 7.73849, 4: 7.7}
    assert series(curves, "val_loss") == {0: 7.795, 3: 7.5}
    assert series(curves, "elapsed_s")[3] == pytest.approx(33.05739)
    assert curves.skipped == 0 and curves.last_step == 4


@pytest.mark.parametrize("name", ["125m_fineweb", "125m_1T_fineweb"])
def test_the_published_logs_are_read_whole(shared_data, name):
    curves = look(shared_data / "tscale-logs" / f"{name}.log.gz").curves
    assert len(curves.points("loss")) == 100_001 and curves.skipped == 0
    last = series(curves, "val_loss")[100_000]
    assert last == pytest.approx({"125m_fineweb": 2.965, "125m_1T_fineweb": 0.893654}[name])
    assert curves.tokens_per_step == 98_304
    assert curves.points("elapsed_s").values[-1] > 14 * 3600


def test_nanogpt_counts_iterations_from_0_and_evaluates_before_the_step(tmp_path):
    curves = look(written(tmp_path, NANOGPT)).curves
    assert curves.program == "nanoGPT"
    assert curves.parameters == 10_650_000 and curves.tokens_per_step == 12_288
    assert series(curves, "loss") == {1: 4.2665, 11: 3.1464, 21: 2.7380}
    assert series(curves, "val_loss") == {0: 4.2823, 20: 2.75}
    elapsed = series(curves, "elapsed_s")
    assert elapsed[1] == pytest.approx(30.0)
    assert elapsed[11] == pytest.approx(31.0)  # the slow first iteration says nothing of others
    assert series(curves, "tokens_per_s")[11] == pytest.approx(122_880)


def test_llmc_prints_everything_by_step(tmp_path):
    curves = look(written(tmp_path, LLMC)).curves
    assert curves.program == "llm.c" and curves.parameters == 124_475_904
    assert series(curves, "loss") == {1: 10.990067, 2: 10.9}
    assert series(curves, "val_loss") == {0: 10.988801, 2: 10.5}
    assert series(curves, "lr")[2] == pytest.approx(1.71e-6)
    assert series(curves, "grad_norm")[1] == pytest.approx(15.3918)
    assert series(curves, "elapsed_s")[2] == pytest.approx(7.0)
    assert curves.tokens_per_step == 524_288
    log = "s:0 tel:10.9\ns:0 trl:10.8 lr:0.001 norm:2.0\ns:1 trl:10.7 lr:0.002 norm:1.0\n"
    curves = look(written(tmp_path, log, "main.log")).curves
    assert series(curves, "val_loss") == {0: 10.9} and series(curves, "loss") == {1: 10.8, 2: 10.7}


@pytest.mark.parametrize(
    ("line", "step", "name", "value"),
    [
        (
            "step:125/1750 val_loss:4.6512 train_time:24815ms step_avg:198.52ms",
            125,
            "val_loss",
            4.6512,
        ),
        ('{"step": 7, "loss": 2.25, "lr": 1e-3}', 7, "loss", 2.25),
        ("step 00010/21400 (0.05%) | loss: 9.123 | lrm: 0.5 | dt: 12.3ms", 10, "loss", 9.123),
        (
            " iteration      100/  500000 | learning rate: 1.0E-04 | lm loss: 6.9E+00 |",
            100,
            "loss",
            6.9,
        ),
        ("Step 00250 | Validation bpb: 1.1432", 250, "val_bits", 1.1432),
        ("[train] step=5 train/loss=3.5 train/grad_norm=0.25", 5, "grad_norm", 0.25),
    ],
)
def test_named_numbers_are_found_in_any_order(line, step, name, value):
    into = Collector()
    assert PairLines().take(line, into)
    found = into.curves("x", in_order=True, one_based=True)
    assert series(found, name) == {step: pytest.approx(value)}


def test_a_resumed_log_voids_what_came_after(tmp_path):
    lines = [f"step {i} loss {5 - i / 10}" for i in (1, 2, 3, 4, 5)]
    lines += [f"step {i} loss {9.0}" for i in (3, 4)]
    curves = look(written(tmp_path, "\n".join(lines))).curves
    assert series(curves, "loss") == {1: 4.9, 2: 4.8, 3: 9.0, 4: 9.0}


def test_steps_from_0_become_steps_from_1_but_a_first_validation_stays(tmp_path):
    text = "step 0 val_loss 9\nstep 0 loss 8\nstep 1 loss 7\nstep 2 val_loss 6\n"
    curves = look(written(tmp_path, text)).curves
    assert series(curves, "loss") == {1: 8.0, 2: 7.0}
    assert series(curves, "val_loss") == {0: 9.0, 2: 6.0}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_and_line_ends_are_read(tmp_path, encoding):
    text = NANOGPT.replace("\n", "\r\n")
    curves = look(written(tmp_path, text, encoding=encoding)).curves
    assert len(curves.points("loss")) == 3


def test_a_packed_log_that_is_cut_off_tells_what_came_before(tmp_path):
    lines = "".join(f"iter {i}, train err -{7 - i / 50000}\n" for i in range(20_000))
    data = gzip.compress(lines.encode())
    path = tmp_path / "log.gz"
    path.write_bytes(data[: len(data) // 2])
    curves = look(path).curves
    assert 100 < len(curves.points("loss")) < 20_000
    assert any("cut off" in note for note in curves.notes)


def test_what_is_no_log_is_refused(tmp_path):
    for name, data in (
        ("empty.log", b""),
        ("noise.log", os.urandom(20_000)),
        ("prose.txt", b"It was a bright cold day in April.\n" * 50),
        ("broken.gz", b"\x1f\x8b" + os.urandom(100)),
        ("lossless.csv", b"step,speed\n1,2\n2,3\n"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        try:
            source = look(path)
        except KnownError as error:
            assert error.what and error.safe
        else:
            assert source.curves is None and source.problem
    with pytest.raises(KnownError):
        look(tmp_path / "absent.log")


def test_a_bomb_and_endless_values_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"x" * 3_000_000))
    monkeypatch.setattr(text_module, "TEXT_CHARS_MAX", 1_000_000)
    with pytest.raises(DataError, match="holds more"):
        look(path)
    monkeypatch.setattr(curves_module, "POINTS_MAX", 3)
    with pytest.raises(DataError, match="more than 3 values"):
        look(written(tmp_path, TSCALE))


def test_absurd_steps_are_refused_with_the_reason(tmp_path):
    with pytest.raises(DataError, match="counts tokens"):
        look(written(tmp_path, "step 1 loss 3\nstep 90000000 loss 2\n"))


def test_values_that_are_no_numbers_are_left_out_and_said(tmp_path):
    text = "iter 0: loss 4.0\niter 1: loss nan\niter 2: loss inf\niter 3: loss 3.0\n"
    curves = look(written(tmp_path, text)).curves
    assert series(curves, "loss") == {1: 4.0, 4: 3.0}
    assert any("2 values" in note for note in curves.notes)


@given(st.text(max_size=300))
def test_no_line_ever_breaks_a_reader(line):
    for form in text_module.FORMATS:
        into = Collector()
        form().take(line, into)
        into.curves("x", in_order=True, one_based=False)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 10)), max_size=40))
def test_a_log_read_in_order_has_rising_steps_and_ends_with_its_last_word(points):
    into = Collector()
    kept = {}
    for step, value in points:
        into.add("val_loss", step, value)
        kept = {known: each for known, each in kept.items() if known < step}
        kept[step] = value
    assert series(into.curves("x", in_order=True, one_based=True), "val_loss") == kept


# --- tables --------------------------------------------------------------------------------------


def test_a_table_by_its_headings(tmp_path):
    path = written(
        tmp_path, "Step,train/loss,val_loss,lr\n10,3.5,,1e-3\n20,3.0,3.1,5e-4\n", "a.csv"
    )
    source = look(path)
    assert source.kind == "table" and source.layout.delimiter == ","
    assert series(source.curves, "loss") == {10: 3.5, 20: 3.0}
    assert series(source.curves, "val_loss") == {20: 3.1}
    assert series(source.curves, "lr") == {10: 1e-3, 20: 5e-4}


def test_a_german_table_and_one_of_a_tracking_service(tmp_path):
    german = written(tmp_path, "Schritt;loss\n1;3,5\n2;1.000,25\n", "b.csv")
    layout = guess_layout(german).with_column("step", 0)
    source = with_layout(look(german), layout)
    assert layout.decimal_comma and series(source.curves, "loss") == {1: 3.5, 2: 1000.25}
    text = '"Step","run-1 - train/loss","run-1 - train/loss__MIN","run-1 - train/loss__MAX"\n'
    exported = written(tmp_path, text + '"5","2.5","2.4","2.6"\n', "w.csv")
    assert series(look(exported).curves, "loss") == {5: 2.5}


def test_rows_in_any_order_and_times_of_the_clock(tmp_path):
    text = "Wall time,Step,Value\n1700000020.5,20,2.0\n1700000000.5,10,3.0\n1700000030.5,20,1.5\n"
    source = look(written(tmp_path, text, "tb.csv"))
    assert series(source.curves, "loss") == {10: 3.0, 20: 1.5}
    assert source.layout.time_unit == "clock"


def test_tokens_stand_for_steps_where_nobody_counted_them(tmp_path):
    path = written(tmp_path, "tokens,loss\n1000000,5\n2000000,4\n", "c.csv")
    layout = look(path).layout
    source = with_layout(look(path), layout, tokens_per_step=1000)
    assert series(source.curves, "loss") == {1000: 5.0, 2000: 4.0}


def test_a_table_without_headings_and_without_steps(tmp_path):
    source = look(written(tmp_path, "1\t5.0\n2\t4.0\n", "d.tsv"))
    assert series(source.curves, "loss") == {1: 5.0, 2: 4.0}
    source = look(written(tmp_path, "loss\n5.0\n4.0\n", "e.csv"))
    assert series(source.curves, "loss") == {1: 5.0, 2: 4.0}
    assert any("each row counts" in note for note in source.curves.notes)


def test_a_table_with_a_stray_quotation_mark_and_ragged_rows(tmp_path):
    text = 'step,loss\n1,5\n2\n3,"4\n4,3,9,9\n\n# note\n5,x\n6,2\n'
    curves = look(written(tmp_path, text, "f.csv")).curves
    assert series(curves, "loss")[1] == 5.0 and 5 not in series(curves, "loss")


@pytest.mark.parametrize(
    ("text", "comma", "value"),
    [
        ("3,5", True, 3.5),
        ("1.234,5", True, 1234.5),
        ("1,234.5", False, 1234.5),
        ("x", False, math.nan),
    ],
)
def test_numbers_in_cells(text, comma, value):
    assert cell_number(text, comma) == pytest.approx(value, nan_ok=True)


def test_logs_are_told_from_texts_to_learn_from(tmp_path):
    assert is_log(written(tmp_path, TSCALE, "train.log"))
    assert is_log(written(tmp_path, NANOGPT, "out.txt"))
    assert is_log(written(tmp_path, "step,loss\n1,2\n", "a.csv"))
    assert is_log(tmp_path / "events.out.tfevents.1.host")
    assert not is_log(written(tmp_path, "Call me Ishmael.\n" * 99, "book.txt"))
    assert not is_log(written(tmp_path, "title,text\na,b\n", "texts.csv"))
    assert not is_log(written(tmp_path, '{"text": "The loss of 3 ships"}\n' * 9, "t.jsonl"))
    assert not is_log(tmp_path / "book.pdf") and not is_log(tmp_path)


def test_reading_logs_needs_no_torch():
    code = "import sys, studio.runs.importing.keep, studio.runs.importing.sources as s;"
    code += "from studio.runs.importing.records import event_class; event_class();"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(
    data=st.one_of(
        st.binary(max_size=400),
        st.text(alphabet="step,loss;\"'\t|-.e+0123456789\n\r ", max_size=400).map(str.encode),
    ),
    name=st.sampled_from(["a.csv", "a.log", "a.gz", "a.tsv", "events.out.tfevents.1.x"]),
)
def test_whatever_stands_in_a_file_is_read_or_refused(tmp_path_factory, data, name):
    path = tmp_path_factory.mktemp("hostile") / name
    path.write_bytes(data)
    try:
        source = look(path)
    except KnownError as error:
        assert error.what
    else:
        assert source.curves is not None or source.problem
    assert is_log(path) in (True, False)
