"""Several processes train as one does: the same losses, the same checkpoints."""

import msgspec
import numpy as np
import pytest
from distributed_for_tests import finish, running, several_spec, workers_of
from train_for_tests import (
    assert_same_training,
    make_corpus,
    resumed_steps,
    rows,
    saved_steps,
    trained,
    validations,
)

from trainer_core import spec as specs
from trainer_core.index import build_index
from trainer_core.spec import DistributedConfig
from trainer_core.status import read_status

pytestmark = pytest.mark.slow
ALONE = DistributedConfig()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A corpus and its index."""
    home = tmp_path_factory.mktemp("data")
    corpus = make_corpus(home)
    build_index(corpus, home / "index")
    return home


def alone(spec):
    """The same training in one process."""
    return msgspec.structs.replace(spec, distributed=ALONE)


def longer(spec, steps):
    """The same training with another number of steps."""
    return msgspec.structs.replace(spec, budget=msgspec.structs.replace(spec.budget, steps=steps))


def put_spec(folder, spec):
    """Give a run other settings, as a person does who edits the file."""
    (folder / "spec.toml").write_text(specs.to_toml(spec), encoding="utf-8")


@pytest.mark.parametrize(
    ("strategy", "optimizer", "rows_of"),
    [
        ("ddp", {"kind": "adamw"}, {"mask_documents": True}),
        ("fsdp", {"kind": "muon"}, {"packing": "best_fit"}),
    ],
)
def test_two_processes_lose_what_one_does(data, tmp_path, strategy, optimizer, rows_of):
    spec = several_spec(
        data / "corpus",
        steps=8,
        index=data / "index",
        model={"match_input": True, "match_length_max": 64},
        distributed={"strategy": strategy},
        optimizer=optimizer,
        budget={"micro_batch_size": 1},
        data=specs.DataConfig(**rows_of),
        evaluation={"every_steps": 4, "max_tokens": 224},
    )
    together = finish(tmp_path / "together", spec)
    one = trained(tmp_path / "one", alone(spec))
    for name, rtol in (("loss", 0), ("grad_norm", 1e-3), ("hit_rate", 0), ("mean_match", 0)):
        np.testing.assert_allclose(
            rows(together)[name], rows(one)[name], rtol=rtol, atol=1e-5, err_msg=name
        )
    for step, theirs in validations(one).items():
        ours = validations(together)[step]
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
        assert ours.tokens == theirs.tokens
        assert [b.tokens for b in ours.buckets] == [b.tokens for b in theirs.buckets]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_dead_processes_start_again_and_nothing_is_lost(data, tmp_path, strategy):
    spec = several_spec(
        data / "corpus",
        steps=150,
        model={"dropout": 0.1},
        distributed={"restarts": 1, "strategy": strategy},
        evaluation={"every_steps": 75, "sample_prompts": ("Doc",), "sample_tokens": 2},
        checkpoint={"every_steps": 50},
    )
    reference = finish(tmp_path / "reference", spec)
    folder = tmp_path / "run"
    with running(folder, spec, step=50) as launcher:
        workers_of(launcher)[1].kill()
    assert launcher.returncode == 0
    status = read_status(folder)
    assert (status.state, status.sessions) == ("finished", 2)
    (resumed,) = resumed_steps(folder)
    assert resumed in saved_steps(folder)
    assert_same_training(folder, reference)


def test_a_run_goes_on_with_other_numbers_of_processes(data, tmp_path):
    spec = several_spec(
        data / "corpus", steps=15, optimizer={"schedule": "constant", "warmup_steps": 2}
    )
    reference = trained(tmp_path / "reference", alone(longer(spec, 45)))
    folder = finish(tmp_path / "run", spec)
    put_spec(folder, alone(longer(spec, 30)))
    trained(folder, alone(longer(spec, 30)))
    sharded = DistributedConfig(processes=2, strategy="fsdp")
    put_spec(folder, msgspec.structs.replace(longer(spec, 45), distributed=sharded))
    finish(folder, specs.load(folder / "spec.toml"))
    assert resumed_steps(folder) == [15, 30]
    np.testing.assert_allclose(rows(folder)["loss"], rows(reference)["loss"], atol=1e-5)
