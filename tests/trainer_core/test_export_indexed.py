"""An index-backed model in a process that has transformers and numpy, but not this project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import indexed_run

from trainer_core import spec as specs
from trainer_core.data.matches import MatchTensors
from trainer_core.errors import ExitCode
from trainer_core.export.destination import files_in
from trainer_core.generate.generation import Parts, generate
from trainer_core.generate.told import match_tensors
from trainer_core.index import open_index
from trainer_core.job import run_job
from trainer_core.protocol import Generate
from trainer_core.status import read_status

pytest.importorskip("transformers")

PROMPTS = ["The owl", "They took some honey, and", ""]
NEW_TOKENS = 20

READER = """
import json, sys
import numpy as np, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
assert not any(name.startswith("trainer_core") for name in sys.modules)
try:
    import trainer_core
    raise SystemExit("the project can be imported")
except ModuleNotFoundError:
    pass
folder, prompts, new_tokens = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
model, report = AutoModelForCausalLM.from_pretrained(
    folder, trust_remote_code=True, output_loading_info=True)
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
cases = np.load(folder + "-cases.npz")
out = {"class": type(model).__name__, "parameters": model.num_parameters(),
       "missing": sorted(report["missing_keys"]) + sorted(report["unexpected_keys"])}
arrays = {}
def greedy(inputs, **kwargs):
    return model.generate(**inputs, max_new_tokens=new_tokens, do_sample=False, **kwargs).tolist()
with torch.no_grad():
    for name in ("noise", "real"):
        tokens = torch.from_numpy(cases[name])
        arrays[name] = model(tokens).logits.numpy()
        loss = model(tokens, labels=tokens).loss
        assert loss.isfinite()
    out["greedy"] = [greedy(tokenizer(p, return_tensors="pt"))[0] for p in prompts]
    out["no_cache"] = [
        greedy(tokenizer(p, return_tensors="pt"), use_cache=False)[0] for p in prompts]
    out["padded"] = greedy(tokenizer(prompts, return_tensors="pt", padding=True))
    beams = greedy(tokenizer(prompts[0], return_tensors="pt"), num_beams=3)
    out["beams"] = beams[0]
    out["beams_no_cache"] = greedy(
        tokenizer(prompts[0], return_tensors="pt"), num_beams=3, use_cache=False)[0]
    model.use_index = False
    arrays["off"] = model(torch.from_numpy(cases["real"])).logits.numpy()
    model.use_index = True
    try:
        tokens = torch.from_numpy(cases["real"])
        cache = model(tokens[:, :4], use_cache=True).past_key_values
        model(tokens[:, 4:5], past_key_values=cache)
        out["bare_cache"] = "no error"
    except ValueError as error:
        out["bare_cache"] = str(error)
    try:
        mask = torch.ones(1, 4); mask[0, 3] = 0
        model(torch.from_numpy(cases["real"])[:, :4], attention_mask=mask)
        out["right_padding"] = "no error"
    except ValueError as error:
        out["right_padding"] = str(error)
    model.save_pretrained(folder + "-saved")
np.savez(folder + "-logits.npz", **arrays)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def run():
    return indexed_run()


@pytest.fixture(scope="module")
def exported(run):
    """The folder, what the other process said, and the logits that it computed."""
    folder = run.folder.with_name("model")
    spec = specs.ExportSpec(run=str(run.folder), destination=str(folder))
    assert run_job(run.folder.with_name("job"), spec) == ExitCode.OK
    length = run.model.config.context_length
    generator = torch.Generator().manual_seed(5)
    np.savez(
        f"{folder}-cases.npz",
        noise=torch.randint(0, run.corpus.vocab_size, (2, length), generator=generator).numpy(),
        real=run.corpus.validation.tokens()[None, :length].astype(np.int64),
    )
    elsewhere = run.folder.with_name("elsewhere")
    elsewhere.mkdir()
    keep = ("PATH", "LANG", "SYSTEMROOT", "TEMP")
    environment = {name: os.environ[name] for name in keep if name in os.environ} | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(elsewhere / "hf"),
        "HF_MODULES_CACHE": str(elsewhere / "modules"),
        "OMP_NUM_THREADS": "1",
    }
    # An editable install of the project puts a finder among the site packages' .pth files; -S skips
    # those, and the packages themselves are named outright.
    packages = Path(np.__file__).parents[1]
    program = f"import sys; sys.path.append({str(packages)!r})\n{READER}"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, folder, json.dumps(PROMPTS), str(NEW_TOKENS)],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, json.loads(result.stdout.splitlines()[-1]), np.load(f"{folder}-logits.npz")


def ours(run, prompt):
    index = open_index(run.folder.with_name("index"))
    ask = Generate(request=0, prompt=prompt, temperature=0.0, max_tokens=NEW_TOKENS)
    generation = generate(Parts(run.model, run.corpus.tokenizer, index), ask)
    list(generation)
    return generation.tokens


def our_logits(run, tokens):
    """Logits with the matches of each row, found token by token."""
    index = open_index(run.folder.with_name("index"))
    rows = [[stream.advance(int(t)) for t in row] for row in tokens for stream in [index.stream()]]
    parts = [match_tensors(row, 32) for row in rows]
    matches = MatchTensors(*(torch.cat(column) for column in zip(*parts, strict=True)))
    with torch.no_grad():
        return run.model(torch.from_numpy(tokens), matches).numpy()


def test_the_class_and_its_parameters_arrive_whole(run, exported):
    assert exported[1]["class"] == "HearthIndexForCausalLM"
    assert exported[1]["parameters"] == sum(p.numel() for p in run.model.parameters())
    assert exported[1]["missing"] == []


@pytest.mark.parametrize("name", ["noise", "real"])
def test_the_logits_are_ours(run, exported, name):
    cases = np.load(f"{exported[0]}-cases.npz")
    assert np.abs(our_logits(run, cases[name]) - exported[2][name]).max() <= 1e-4


def test_switching_the_index_off_gives_the_model_alone(run, exported):
    tokens = torch.from_numpy(np.load(f"{exported[0]}-cases.npz")["real"])
    with torch.no_grad():
        alone = run.model(tokens).numpy()
    assert np.abs(alone - exported[2]["off"]).max() <= 1e-4
    assert np.abs(alone - exported[2]["real"]).max() > 0.1


def test_greedy_text_is_identical_with_and_without_the_cache(run, exported):
    for number, prompt in enumerate(PROMPTS):
        expected = ours(run, prompt)
        for kind in ("greedy", "no_cache"):
            found = exported[1][kind][number]
            assert found[: len(expected)] == expected
            assert set(found[len(expected) :]) <= {run.corpus.separator}


def test_a_batch_padded_at_the_left_gives_each_prompt_its_own_text(run, exported):
    for number, prompt in enumerate(PROMPTS):
        expected = ours(run, prompt)
        found = exported[1]["padded"][number]
        start = max(len(exported[1]["padded"][0]) - NEW_TOKENS - 100, 0)
        joined = found[start:]
        prompt_tokens = 1 + len(run.corpus.tokenizer.encode(prompt))
        width = len(found) - NEW_TOKENS
        text = joined[width - prompt_tokens :]
        assert text[: len(expected)] == expected


def test_beams_are_reordered_together_with_their_matches(exported):
    assert exported[1]["beams"] == exported[1]["beams_no_cache"]


def test_what_cannot_be_right_is_refused_with_the_reason(exported):
    assert "match_features" in exported[1]["bare_cache"]
    assert "padding at the left only" in exported[1]["right_padding"]


def test_the_folder_has_the_index_and_says_what_that_means(run, exported):
    folder = exported[0]
    names = files_in(folder)
    assert {"index/manifest.json", "index/tokens.bin", "hearth_index.py"} <= set(names)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "trust_remote_code=True" in card
    assert "holds the training text itself" in card
    config = json.loads((folder / "config.json").read_text())
    assert (
        config["auto_map"]["AutoModelForCausalLM"] == "modeling_hearth_index.HearthIndexForCausalLM"
    )


def test_without_its_index_the_model_is_not_exported(run, tmp_path):
    index = run.folder.with_name("index")
    aside = index.with_name("aside")
    index.rename(aside)
    try:
        spec = specs.ExportSpec(run=str(run.folder), destination=str(tmp_path / "model"))
        assert run_job(tmp_path / "job", spec) == ExitCode.KNOWN_ERROR
    finally:
        aside.rename(index)
    assert "without its index" in read_status(tmp_path / "job").ended.what
    assert not (tmp_path / "model").exists()


def test_a_damaged_index_does_not_travel(run, tmp_path):
    tokens = run.folder.with_name("index") / "tokens.bin"
    whole = tokens.read_bytes()
    tokens.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        spec = specs.ExportSpec(run=str(run.folder), destination=str(tmp_path / "model"))
        assert run_job(tmp_path / "job", spec) == ExitCode.KNOWN_ERROR
    finally:
        tokens.write_bytes(whole)
    assert "tokens.bin" in read_status(tmp_path / "job").ended.what
    assert not (tmp_path / "model").exists()
