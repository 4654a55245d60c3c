"""A plain model in transformers: the same class for everybody, the same numbers as ours."""

import json

import numpy as np
import pytest
import torch
from tiny_run import POEM, STEP, make_run

from trainer_core import spec as specs
from trainer_core.errors import ExitCode
from trainer_core.export.destination import MARKER
from trainer_core.generate.generation import Parts, generate
from trainer_core.job import run_job
from trainer_core.protocol import Generate
from trainer_core.status import read_status

transformers = pytest.importorskip("transformers")

TOKENIZERS = {"bytes": specs.ByteTokenizer(), "bpe": specs.BpeTokenizer(vocab_size=300)}
HOSTILE = 'Wörld 🦉 <|endoftext|>  two  spaces\n\n\ttab "quotes" \r\n日本語 \x00 end '


def export(run, destination):
    spec = specs.ExportSpec(run=str(run.folder), destination=str(destination))
    job = destination.with_name(destination.name + "-job")
    assert run_job(job, spec) == ExitCode.OK
    return read_status(job).result


@pytest.fixture(scope="module", params=TOKENIZERS)
def exported(request, tmp_path_factory):
    home = tmp_path_factory.mktemp(request.param)
    run = make_run(home, TOKENIZERS[request.param], match=False, kv_heads=2)
    result = export(run, home / "model")
    return run, home / "model", result


@pytest.fixture(scope="module")
def theirs(exported):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        exported[1], output_loading_info=True, local_files_only=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return model


def test_the_folder_loads_without_remote_code_as_llama(exported, theirs):
    assert type(theirs) is transformers.LlamaForCausalLM
    assert exported[2]["architecture"] == "LlamaForCausalLM"
    assert exported[2]["parameters"] == theirs.num_parameters()
    assert not list(exported[1].glob("*.py"))


def test_the_logits_are_ours_on_random_and_on_real_text(exported, theirs):
    run = exported[0]
    length = run.model.config.context_length
    generator = torch.Generator().manual_seed(5)
    noise = torch.randint(0, run.corpus.vocab_size, (3, length), generator=generator)
    text = torch.from_numpy(run.corpus.validation.tokens()[:length].astype(np.int64))[None]
    for tokens in (noise, text):
        with torch.no_grad():
            difference = run.model(tokens) - theirs(tokens).logits
        assert difference.abs().max() <= 1e-4


@pytest.mark.parametrize("prompt", ["", "The owl", "They took some"])
def test_greedy_text_is_identical(exported, theirs, prompt):
    run, folder, _ = exported
    ask = Generate(request=0, prompt=prompt, temperature=0.0, max_tokens=24)
    ours = generate(Parts(run.model, run.corpus.tokenizer), ask)
    list(ours)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(prompt, return_tensors="pt")
    ids = theirs.generate(**inputs, max_new_tokens=24, do_sample=False)[0].tolist()
    assert ids[: len(ours.tokens)] == ours.tokens
    assert set(ids[len(ours.tokens) :]) <= {run.corpus.separator}


@pytest.mark.parametrize("text", ["", POEM, HOSTILE])
def test_the_tokenizer_gives_our_ids_and_the_text_back(exported, text):
    run, folder, _ = exported
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ours = run.corpus.tokenizer.encode(text).tolist()
    assert tokenizer(text)["input_ids"] == [run.corpus.separator, *ours]
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ours
    assert tokenizer.decode(ours) == text
    assert tokenizer.decode([run.corpus.separator, *ours], skip_special_tokens=True) == text


def test_the_card_tells_data_settings_figures_and_limits(exported):
    run, folder, _ = exported
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n")
    expected = (
        f"{run.corpus.manifest.train.tokens:,}",
        "2 × 32",
        f"{STEP} of {STEP}",
        "3.2500",  # loss at this step
        "25.79",  # its perplexity
        "1.6250",  # bits per byte
        "| 4–5 | 120 | 2.500 | 25.0 % |",
        "loss_curve.svg",
        "## Limitations",
    )
    for text in expected:
        assert text in card
    assert "trust_remote_code" not in card
    assert (folder / "loss_curve.svg").read_text().startswith("<svg")


def test_every_file_is_listed_and_no_weight_stands_twice(exported):
    _, folder, result = exported
    marker = json.loads((folder / MARKER).read_text())
    assert {*marker["files"], MARKER} == {path.name for path in folder.iterdir()}
    assert set(result["files"]) == {*marker["files"], MARKER}
    weights = 4 * result["parameters"]
    assert weights < (folder / "model.safetensors").stat().st_size < weights + 8192


def test_exporting_again_replaces_the_folder(exported):
    run, folder, _ = exported
    before = (folder / "model.safetensors").read_bytes()
    (folder / "config.json").unlink()
    spec = specs.ExportSpec(run=str(run.folder), destination=str(folder), checkpoint=str(STEP))
    assert run_job(folder.with_name("again"), spec) == ExitCode.OK
    assert (folder / "model.safetensors").read_bytes() == before
    assert (folder / "config.json").exists()


def test_a_folder_of_the_users_own_is_refused(exported, tmp_path):
    run, _, _ = exported
    (tmp_path / "mine.txt").write_text("precious")
    spec = specs.ExportSpec(run=str(run.folder), destination=str(tmp_path))
    assert run_job(tmp_path.with_name(tmp_path.name + "-job"), spec) == ExitCode.KNOWN_ERROR
    ended = read_status(tmp_path.with_name(tmp_path.name + "-job")).ended
    assert "not an export of Hearth" in ended.what
    assert ended.field == "destination"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_checkpoint_that_is_not_there_is_named(exported, tmp_path):
    run, _, _ = exported
    spec = specs.ExportSpec(
        run=str(run.folder), destination=str(tmp_path / "model"), checkpoint="77"
    )
    assert run_job(tmp_path / "job", spec) == ExitCode.KNOWN_ERROR
    assert "77" in read_status(tmp_path / "job").ended.what
    assert not (tmp_path / "model").exists()
