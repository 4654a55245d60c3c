"""Where processes meet: who may come, who cannot, and what they are told."""

import socket
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import torch
from distributed_for_tests import free_port, several_spec
from train_for_tests import ended, make_corpus

from trainer_core import __version__
from trainer_core.__main__ import main
from trainer_core.errors import ExitCode, KnownError, SpecError
from trainer_core.job import JobStopped, run_job
from trainer_core.records import Ended
from trainer_core.spec import DistributedConfig, to_toml
from trainer_core.status import read_status
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.distributed import Wishes, World, joining, watch
from trainer_core.train.distributed.gathering import claims_of, meet
from trainer_core.train.distributed.launcher import SPEC, VERSION
from trainer_core.train.distributed.place import (
    Place,
    commands_for_others,
    place_of,
    take_device,
    threads_of,
)
from trainer_core.train.distributed.quiet import QuietJob
from trainer_core.train.distributed.store import connect, host_store

LOOPBACK = "127.0.0.1"
PRINTS = Fingerprints(corpus="c", tokenizer="t")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data"))


@pytest.fixture
def store():
    return host_store(LOOPBACK, 0)[0]


def place(rank, size=2):
    return Place(rank, size, 0, LOOPBACK, 1)


# --- places -------------------------------------------------------------------------------------


def test_a_place_by_our_launcher_and_by_torchrun():
    config = DistributedConfig(processes=2, machines=3)
    ours = {"LOCAL_RANK": "1", "HEARTH_STORE": "10.0.0.1:29500", "HEARTH_MACHINE": "2"}
    assert place_of(config, ours) == Place(5, 6, 1, "10.0.0.1", 29500)
    theirs = {
        "LOCAL_RANK": "1",
        "RANK": "3",
        "WORLD_SIZE": "6",
        "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "1234",
    }
    assert place_of(config, theirs) == Place(3, 6, 1, "10.0.0.1", 1234)
    with pytest.raises(SpecError, match="started 4 processes") as error:
        place_of(config, theirs | {"WORLD_SIZE": "4"})
    assert error.value.field == "distributed.processes"


def test_the_other_machines_are_told_exactly_what_to_type():
    config = DistributedConfig(machines=3, address="10.0.0.1", port=29501)
    assert commands_for_others(config) == [
        "hearth-core join 10.0.0.1:29501 --machine 2",
        "hearth-core join 10.0.0.1:29501 --machine 3",
    ]
    assert commands_for_others(DistributedConfig(processes=2)) == []


def test_more_processes_than_gpus_are_refused(corpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    spec = several_spec(corpus, device="auto")
    with pytest.raises(SpecError, match="this computer has 1 GPU") as error:
        take_device(spec)
    assert error.value.field == "distributed.processes"
    take_device(msgspec.structs.replace(spec, device="cpu"))


def test_processes_share_the_cores(corpus, monkeypatch):
    monkeypatch.setattr("trainer_core.train.compute.core_count", lambda: 9)
    assert threads_of(several_spec(corpus, threads=0)) == 4
    assert threads_of(several_spec(corpus, threads=3)) == 3
    assert threads_of(several_spec(corpus, threads=0, distributed={"processes": 1})) == 0


def test_a_share_of_the_model_needs_somebody_to_share_with():
    with pytest.raises(ValueError, match="but one"):
        DistributedConfig(strategy="fsdp")


@pytest.mark.parametrize(("items", "size"), [(6, 2), (7, 2), (1, 3), (5, 4)])
def test_every_item_is_dealt_once_and_all_ranks_get_as_many(items, size):
    hands = [World(rank, size).deal(range(items)) for rank in range(size)]
    assert len({len(hand) for hand in hands}) == 1
    assert sorted(item for hand in hands for item, counts in hand if counts) == [*range(items)]


def test_ranks_share_the_rows_of_a_batch():
    rows = [row for rank in range(3) for row in range(12)[World(rank, 3).share(12)]]
    assert rows == [*range(12)]


def test_one_process_agrees_with_itself_and_exchanges_nothing():
    world = World()
    wishes = Wishes("pause", save=True)
    assert world.agree(wishes) is wishes
    assert world.told(b"word") == b"word"
    assert world.deal("abc") == [("a", True), ("b", True), ("c", True)]


# --- meetings -----------------------------------------------------------------------------------


def meeting_of(store, tmp_path, *claims, places=None):
    """What comes of processes that meet, in threads: a store, or why not, for each."""
    places = places or [place(rank, len(claims)) for rank in range(len(claims))]

    def come(at):
        job = QuietJob(tmp_path, "train")
        own = connect(LOOPBACK, store.port)
        try:
            return meet(job, own, places[at], claims[at])
        except (KnownError, JobStopped, SystemExit) as end:
            if places[at].rank == 0 and isinstance(end, KnownError):
                watch.leave_word(own, watch.OVER, b"3")  # as the process does that ends so
            return end

    with ThreadPoolExecutor(len(claims)) as threads:
        return list(threads.map(come, range(len(claims))))


def test_processes_that_train_the_same_meet(store, tmp_path, corpus):
    claims = claims_of(several_spec(corpus), PRINTS)
    elsewhere = claims_of(several_spec("/another/path"), PRINTS)
    first, second = meeting_of(store, tmp_path, claims, elsewhere)
    first.set("word", "from the first")
    assert second.get("word") == b"from the first"


@pytest.mark.parametrize(
    ("name", "fingerprints", "settings"),
    [
        ("corpus", {"corpus": "d"}, {}),
        ("tokenizer", {"tokenizer": "u"}, {}),
        ("index", {"index": "i"}, {}),
        ("settings", {}, {"seed": 1}),
    ],
)
def test_processes_that_differ_are_told_apart(store, tmp_path, name, fingerprints, settings):
    ours = claims_of(several_spec("c"), PRINTS)
    theirs = claims_of(
        several_spec("c", **settings), msgspec.structs.replace(PRINTS, **fingerprints)
    )
    first, second = meeting_of(store, tmp_path, ours, theirs)
    assert f"Process 2 of 2 has another {name} than the first one" in first.what
    assert isinstance(second, SystemExit)
    assert second.code == 0


def test_another_version_is_named(store, tmp_path):
    ours = claims_of(several_spec("c"), PRINTS)
    first, _ = meeting_of(store, tmp_path, ours, ours | {"version of torch": "1.0"})
    assert "another version of torch than the first one (1.0, here " in first.what


def test_processes_that_start_again_do_not_meet_those_of_before(store, tmp_path):
    claims = claims_of(several_spec("c"), PRINTS)
    meeting_of(store, tmp_path, claims, claims)
    again = meeting_of(store, tmp_path, claims, claims, places=[place(1), place(0)])
    again[0].set("word", "new")
    assert again[1].get("word") == b"new"
    assert store.add("generation", 0) == 2


def test_nobody_waits_for_one_that_cannot_come(store, tmp_path):
    why = Ended(state="failed", exit_code=3, what="The corpus is gone.")
    watch.leave_word(store, watch.FAILED, msgspec.json.encode(why))
    (first,) = meeting_of(store, tmp_path, {}, places=[place(0)])
    assert first.what == "The corpus is gone."


def test_nobody_waits_when_the_run_is_asked_to_stop(store, tmp_path):
    store.set(watch.STOP, "yes")
    ends = meeting_of(store, tmp_path, {}, {}, places=[place(0, 3), place(1, 3)])
    assert [end.state for end in ends] == ["stopped", "stopped"]


# --- machines -----------------------------------------------------------------------------------


def test_an_absent_main_machine_is_an_error_within_its_time():
    with pytest.raises(KnownError, match="The main machine does not answer") as error:
        joining.join(f"{LOOPBACK}:{free_port()}", 2, patience_s=0.5)
    assert "firewall" in error.value.do


@pytest.mark.parametrize("address", ["nowhere", "host:", ":29500", "host:0", "host:70000"])
def test_an_address_without_host_or_port_is_refused(capsys, address):
    assert main(["join", address, "--machine", "2"]) == ExitCode.USAGE
    assert "is not an address" in capsys.readouterr().err


def test_a_machine_of_another_version_is_refused(store):
    store.set(VERSION, "0.0.0")
    with pytest.raises(KnownError, match="The main machine has Hearth"):
        joining.join(f"{LOOPBACK}:{store.port}", 2)


@pytest.mark.parametrize("machine", [0, 1, 3])
def test_a_machine_that_the_run_does_not_have_is_refused(store, machine):
    store.set(VERSION, __version__)
    store.set(SPEC, to_toml(several_spec("c", distributed={"processes": 1, "machines": 2})))
    with pytest.raises(SpecError, match="the run has 2") as error:
        joining.join(f"{LOOPBACK}:{store.port}", machine)
    assert error.value.field == "distributed.machines"


def test_a_port_in_use_fails_the_run_and_says_so(corpus, tmp_path):
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        spec = several_spec(corpus, distributed={"machines": 2, "port": port})
        assert run_job(tmp_path / "run", spec) == ExitCode.KNOWN_ERROR
    end = ended(tmp_path / "run")
    assert f"port {port}: Address already in use" in end.what
    assert end.field == "distributed.port"
    assert read_status(tmp_path / "run").sessions == 1
