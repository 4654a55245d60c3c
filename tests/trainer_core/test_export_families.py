"""Every kind of model in transformers: those it has a class for, and those that bring their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import make_run

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
pytestmark = pytest.mark.slow

PROMPTS = ["The owl", "They took some honey, and", ""]
NEW_TOKENS = 16
GPT2_48 = {"family": "gpt2", "tie_embeddings": False, "qkv_bias": False, "dropout": 0.1}
NATIVE = {
    "gpt2": ("GPT2LMHeadModel", {"family": "gpt2"}),
    "163M": ("GPT2LMHeadModel", GPT2_48),
    "qwen3": ("Qwen3ForCausalLM", {"family": "qwen3", "head_dim": 12, "kv_heads": 2}),
}
OWN = {
    "hearth": ("HearthForCausalLM", {"family": "hearth"}),
    "deepnet-llama": ("HearthForCausalLM", {"residual_scaling": "deepnet", "kv_heads": 2}),
    "indexed-gpt2": ("HearthIndexForCausalLM", {"family": "gpt2", "match": True}),
    "indexed-qwen3": ("HearthIndexForCausalLM", {"family": "qwen3", "head_dim": 12, "match": True}),
    "indexed-hearth": ("HearthIndexForCausalLM", {"family": "hearth", "match": True}),
    "indexed-tscale": ("HearthIndexForCausalLM", {"match_form": "tscale", "match": True}),
}
KINDS = NATIVE | OWN

READER = """
import json, sys
import numpy as np, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
home, prompts, new_tokens = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
told = {}
with torch.no_grad():
    for name, remote in json.loads(sys.argv[4]).items():
        folder = f"{home}/{name}/model"
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=remote, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=remote)
        tokens = torch.from_numpy(np.load(f"{home}/{name}/tokens.npy"))
        np.save(f"{home}/{name}/logits.npy", model(tokens).logits.numpy())
        def greedy(inputs, **settings):
            return model.generate(
                **inputs, max_new_tokens=new_tokens, do_sample=False, **settings).tolist()
        told[name] = {
            "class": type(model).__name__,
            "parameters": model.num_parameters(),
            "astray": sorted(report["missing_keys"]) + sorted(report["unexpected_keys"]),
            "loss": model(tokens, labels=tokens).loss.item(),
            "greedy": [greedy(tokenizer(p, return_tensors="pt"))[0] for p in prompts],
            "no_cache": [
                greedy(tokenizer(p, return_tensors="pt"), use_cache=False)[0] for p in prompts],
            "padded": greedy(tokenizer(prompts, return_tensors="pt", padding=True)),
        }
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("families")
    made = {}
    for name, (_, model) in KINDS.items():
        model = {"match": False} | model
        run = make_run(home / name, specs.BpeTokenizer(vocab_size=300), **model)
        spec = specs.ExportSpec(run=str(run.folder), destination=str(home / name / "model"))
        assert run_job(home / name / "job", spec) == ExitCode.OK
        tokens = run.corpus.validation.tokens()[None, :40].astype(np.int64)
        np.save(home / name / "tokens.npy", tokens)
        made[name] = run
    return made


@pytest.fixture(scope="module")
def told(runs, tmp_path_factory):
    """What a process says that has transformers and numpy, but not this project."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    keep = ("PATH", "LANG", "SYSTEMROOT", "TEMP")
    environment = {name: os.environ[name] for name in keep if name in os.environ} | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(elsewhere / "hf"),
        "HF_MODULES_CACHE": str(elsewhere / "modules"),
        "OMP_NUM_THREADS": "1",
    }
    home = next(iter(runs.values())).folder.parents[1]
    packages = Path(np.__file__).parents[1]
    program = f"import sys; sys.path.append({str(packages)!r})\n{READER}"
    trusted = json.dumps({name: name in OWN for name in KINDS})
    arguments = [str(home), json.dumps(PROMPTS), str(NEW_TOKENS), trusted]
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *arguments],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def index_of(run):
    folder = run.folder.with_name("index")
    return open_index(folder) if run.model.config.match_input else None


def our_logits(run, tokens):
    index = index_of(run)
    matches = None
    if index is not None:
        stream = index.stream()
        matches = MatchTensors(*match_tensors([stream.advance(int(t)) for t in tokens[0]], 32))
    with torch.no_grad():
        return run.model(torch.from_numpy(tokens), matches).numpy()


@pytest.mark.parametrize("name", KINDS)
def test_class_and_weights_arrive_whole(runs, told, name):
    wanted, _ = KINDS[name]
    job = runs[name].folder.with_name("job")
    assert told[name]["class"] == read_status(job).result["architecture"] == wanted
    assert told[name]["astray"] == []
    count = sum(p.numel() for p in runs[name].model.parameters())
    if name == "163M":
        count += 2 * 3 * 32  # theirs has a bias on queries, keys and values, here of zeros
    assert told[name]["parameters"] == count


@pytest.mark.parametrize("name", KINDS)
def test_logits_and_loss_are_ours(runs, told, name):
    home = runs[name].folder.parent
    tokens = np.load(home / "tokens.npy")
    ours = our_logits(runs[name], tokens)
    assert np.abs(ours - np.load(home / "logits.npy")).max() <= 1e-4
    loss = torch.nn.functional.cross_entropy(
        torch.from_numpy(ours[0, :-1]).float(), torch.from_numpy(tokens[0, 1:])
    )
    assert told[name]["loss"] == pytest.approx(loss.item(), abs=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_greedy_text_is_ours_with_and_without_cache_and_in_a_padded_batch(runs, told, name):
    run = runs[name]
    for number, prompt in enumerate(PROMPTS):
        ask = Generate(request=0, prompt=prompt, temperature=0.0, max_tokens=NEW_TOKENS)
        generation = generate(Parts(run.model, run.corpus.tokenizer, index_of(run)), ask)
        list(generation)
        ours = generation.tokens
        for kind in ("greedy", "no_cache"):
            found = told[name][kind][number]
            assert found[: len(ours)] == ours, kind
            assert set(found[len(ours) :]) <= {run.corpus.separator}
        padded = told[name]["padded"][number]
        prompt_tokens = 1 + len(run.corpus.tokenizer.encode(prompt))
        text = padded[len(padded) - NEW_TOKENS - prompt_tokens :]
        assert text[: len(ours)] == ours


@pytest.mark.parametrize("name", KINDS)
def test_the_folder_holds_the_code_that_it_needs_and_the_card_says_so(runs, name):
    folder = runs[name].folder.with_name("model")
    code = {path for path in files_in(folder) if path.endswith(".py")}
    expected = set()
    if name in OWN:
        expected = {"configuration_hearth.py", "modeling_hearth.py"}
    if name.startswith("indexed"):
        expected |= {"modeling_hearth_index.py", "hearth_index.py"}
    assert code == expected
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert ("trust_remote_code" in card) == (name in OWN)
    assert all(name in card for name in expected)
    if name in NATIVE:
        assert f"it is a `{NATIVE[name][0]}`" in card


def test_the_card_names_the_architecture(runs):
    card = (runs["163M"].folder.with_name("model") / "README.md").read_text(encoding="utf-8")
    parts = "GPT-2: LayerNorm, learned positions, GELU, biases but for queries, keys and values"
    assert parts in card
    assert "| dropout | 0.1 |" in card
    card = (runs["deepnet-llama"].folder.with_name("model") / "README.md").read_text("utf-8")
    assert "Llama: RMSNorm, rotary positions, SwiGLU, DeepNet's residual scaling, no biases" in card
