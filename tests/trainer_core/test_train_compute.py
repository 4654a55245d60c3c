"""Which device and precision a training gets, and when it is compiled."""

import pytest
import torch
from train_for_tests import journal, make_corpus, notes, result, rows, tiny_spec, trained

from trainer_core.errors import ExitCode, SpecError
from trainer_core.job import Job, run_job
from trainer_core.records import StateChanged
from trainer_core.spec import BudgetConfig, ModelConfig, TrainSpec
from trainer_core.train import compiling, compute, loop
from trainer_core.train.compiling import is_worth_compiling, missing_compiler
from trainer_core.train.compute import choose_compute
from trainer_core.train.step import TrainStep

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("train-compute"))


# --- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_products_are_in_the_precision_that_was_asked_for(precision, dtype):
    chosen = choose_compute("cpu", precision, 1)
    with chosen.autocast():
        product = torch.nn.Linear(4, 4)(torch.ones(2, 4))
    assert product.dtype == dtype
    assert chosen.name == f"CPU, 1 thread, {precision}"


@pytest.mark.parametrize("native", [False, True])
def test_auto_is_bf16_where_the_processor_multiplies_it(monkeypatch, native):
    monkeypatch.setattr(compute, "cpu_multiplies_bf16", lambda: native)
    assert choose_compute("cpu", "auto", 1).precision == ("bf16" if native else "fp32")


def test_tf32_on_a_cpu_is_refused():
    with pytest.raises(SpecError) as refused:
        choose_compute("cpu", "tf32", 1)
    assert refused.value.field == "precision" and "a CPU cannot compute" in refused.value.what


@pytest.mark.parametrize(
    ("precision", "bf16", "capability", "chosen"),
    [
        ("auto", True, (9, 0), "bf16"),
        ("auto", False, (7, 5), "fp32"),
        ("tf32", True, (8, 0), "tf32"),
        ("fp16", False, (7, 0), "fp16"),
        ("bf16", False, (7, 5), None),
        ("tf32", False, (7, 5), None),
    ],
)
def test_a_gpu_computes_what_it_can(monkeypatch, precision, bf16, capability, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Test")
    try:
        if chosen is None:
            with pytest.raises(SpecError, match="NVIDIA Test cannot compute") as refused:
                choose_compute("cuda", precision, 1)
            assert refused.value.field == "precision"
        else:
            assert choose_compute("cuda", precision, 1).name == f"NVIDIA Test, {chosen}"
            usual = "high" if chosen == "tf32" else "highest"
            assert torch.get_float32_matmul_precision() == usual
    finally:
        torch.set_float32_matmul_precision("highest")


def test_fp16_trains_close_to_fp32_and_its_first_overflows_are_no_fault(corpus, tmp_path):
    losses = {}
    for precision in ("fp32", "fp16"):
        folder = trained(tmp_path / precision, tiny_spec(corpus, precision=precision))
        losses[precision] = rows(folder)["loss"]
        assert notes(folder, "Step skipped") == []
    assert abs(losses["fp32"] - losses["fp16"]).max() < 0.1


def test_a_resumed_fp16_training_goes_on_with_its_scale(corpus, tmp_path, monkeypatch):
    spec = tiny_spec(corpus, precision="fp16")
    whole = trained(tmp_path / "whole", spec)
    monkeypatch.setattr(Job, "wanted", property(lambda job: "stop" if job.step == 7 else ""))
    assert run_job(tmp_path / "run", spec) == ExitCode.OK
    monkeypatch.undo()
    assert run_job(tmp_path / "run") == ExitCode.OK
    assert (rows(tmp_path / "run")["loss"] == rows(whole)["loss"]).all()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_micro_batches_change_no_more_than_the_order_of_sums(corpus, tmp_path, precision):
    losses = []
    for size in (4, 1):
        spec = tiny_spec(corpus, budget={"micro_batch_size": size}, precision=precision)
        losses.append(rows(trained(tmp_path / str(size), spec))["loss"])
    assert abs(losses[0] - losses[1]).max() < (2e-3 if precision == "fp32" else 0.1)


def test_a_batch_that_micro_batches_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="micro_batch_size 3 does not divide the 4"):
        TrainSpec(corpus="c", budget=BudgetConfig(batch_size=4, micro_batch_size=3))


def test_documents_that_do_not_see_each_other_train_another_model(corpus, tmp_path):
    losses = []
    for masks in (False, True):
        spec = tiny_spec(corpus, data={"mask_documents": masks})
        losses.append(rows(trained(tmp_path / str(masks), spec))["loss"])
    assert (losses[0] != losses[1]).any() and abs(losses[0] - losses[1]).max() < 0.5


def test_activation_checkpointing_changes_nothing_but_memory(corpus, tmp_path):
    losses = []
    for again in (False, True):
        spec = tiny_spec(corpus, steps=10, activation_checkpointing=again, precision="fp32")
        losses.append(rows(trained(tmp_path / str(again), spec))["loss"])
    assert abs(losses[0] - losses[1]).max() < 1e-4


# --- compiling ------------------------------------------------------------------------------------


def sized(**fields):
    model = ModelConfig(n_layer=12, n_head=12, n_embd=768, vocab_size=50257, context_length=1024)
    return TrainSpec(corpus="c", model=model, **fields)


def test_auto_compiles_on_a_gpu_and_on_a_cpu_when_it_earns_its_time_back():
    short, long = (sized(budget=BudgetConfig(steps=steps)) for steps in (60, 6000))
    assert is_worth_compiling(short, CUDA, 1) and is_worth_compiling(long, CPU, 1)
    assert not is_worth_compiling(tiny_spec("c"), CPU, 1)
    assert is_worth_compiling(short, CPU, 1) and not is_worth_compiling(short, CPU, 64)


@pytest.mark.parametrize(("asked", "done"), [("on", True), ("off", False)])
def test_what_is_asked_for_is_done(asked, done):
    assert is_worth_compiling(tiny_spec("c", compile=asked), CUDA, 1) == done
    assert is_worth_compiling(sized(compile=asked), CPU, 1) == done


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert missing_compiler(CPU) == "There is no C++ compiler (no-such-compiler)."
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda _name: None)
    assert missing_compiler(CUDA) == "The package triton is not installed."


def states(folder):
    return [record.state for record in journal(folder, StateChanged)]


def test_without_a_compiler_a_training_runs_all_the_same(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    folder = trained(tmp_path / "run", tiny_spec(corpus, compile="on"))
    assert len(rows(folder)) == 40 and "compiling" not in states(folder)
    [note] = notes(folder, "Training without compiling")
    assert note.level == "warning" and "no-such-compiler" in note.text


def test_when_compiling_fails_a_training_runs_all_the_same(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "missing_compiler", lambda _device: "")
    monkeypatch.setattr(TrainStep, "compile", lambda _self, _batch: "CppCompileError: no space.")
    folder = trained(tmp_path / "run", tiny_spec(corpus, compile="on"))
    assert len(rows(folder)) == 40
    assert "CppCompileError" in notes(folder, "Training without compiling")[0].text
    at = states(folder).index("compiling")
    assert states(folder)[at + 1] == "running"


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_compiler(CPU)), reason="there is no C++ compiler")
def test_a_resumed_compiled_training_is_bit_equal(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    spec = tiny_spec(corpus, compile="on", precision="bf16", model={"dropout": 0.1})
    whole = trained(tmp_path / "whole", spec)
    assert states(whole).count("compiling") == 1 and result(whole)["step"] == 40
    assert notes(whole, "Training without compiling") == []
    torch._dynamo.reset()
    monkeypatch.setattr(Job, "wanted", property(lambda job: "stop" if job.step == 13 else ""))
    assert run_job(tmp_path / "run", spec) == ExitCode.OK
    monkeypatch.undo()
    torch._dynamo.reset()
    assert run_job(tmp_path / "run") == ExitCode.OK
    for name in ("loss", "grad_norm"):
        assert (rows(tmp_path / "run")[name] == rows(whole)[name]).all()
