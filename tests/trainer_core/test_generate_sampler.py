import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import generation as hf

from trainer_core.errors import KnownError
from trainer_core.generate.sampler import TOP_SHOWN, Sampler, best_first
from trainer_core.protocol import Generate

OPEN = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}


def sampler(**changes):
    return Sampler(Generate(request=0, prompt="", **{**OPEN, **changes}))


def logits_of(seed, size=40, scale=3.0):
    return (np.random.default_rng(seed).normal(size=size) * scale).astype(np.float32)


NONE_SEEN = np.zeros(40, dtype=bool)


def test_temperature_zero_takes_the_likeliest():
    logits = logits_of(0)
    assert sampler(temperature=0.0).choose(logits, NONE_SEEN).token == logits.argmax()


def test_the_first_of_equal_tokens_wins():
    logits = np.zeros(40, dtype=np.float32)
    assert sampler(temperature=0.0).choose(logits, NONE_SEEN).token == 0


def test_the_seed_alone_decides_the_draw():
    draws = [
        [s.choose(logits_of(step), NONE_SEEN).token for step in range(30)]
        for s in (sampler(seed=5), sampler(seed=5), sampler(seed=6))
    ]
    assert draws[0] == draws[1] != draws[2]


def test_draws_follow_the_distribution():
    logits = logits_of(1, size=5, scale=1.0)
    seen = np.zeros(5, dtype=bool)
    s = sampler()
    counts = np.bincount([s.choose(logits, seen).token for _ in range(8000)], minlength=5)
    expected = torch.softmax(torch.tensor(logits), 0).numpy()
    assert np.abs(counts / 8000 - expected).max() < 0.02


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    temperature=st.sampled_from([0.3, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 5, 100]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.1, 1.0]),
    penalty=st.sampled_from([0.7, 1.0, 1.5]),
)
def test_the_limits_keep_what_transformers_keeps(seed, temperature, top_k, top_p, min_p, penalty):
    logits = logits_of(seed)
    seen_tokens = np.random.default_rng(seed).integers(0, 40, 6)
    seen = np.zeros(40, dtype=bool)
    seen[seen_tokens] = True
    ids = torch.tensor(seen_tokens)[None]
    scores = hf.RepetitionPenaltyLogitsProcessor(penalty)(ids, torch.tensor(logits)[None])
    scores = hf.TemperatureLogitsWarper(temperature)(ids, scores)
    scores = hf.TopKLogitsWarper(top_k)(ids, scores) if top_k else scores
    scores = hf.TopPLogitsWarper(top_p)(ids, scores) if top_p < 1 else scores
    scores = hf.MinPLogitsWarper(min_p)(ids, scores) if min_p else scores
    kept = set(torch.isfinite(scores[0]).nonzero().flatten().tolist())
    s = sampler(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=penalty,
        seed=seed,
    )
    drawn = {s.choose(logits, seen).token for _ in range(20)}
    assert drawn <= kept
    if len(kept) == 1:
        assert drawn == kept


def test_the_report_is_of_the_whole_distribution():
    logits = logits_of(2)
    choice = sampler(temperature=0.1, top_k=1).choose(logits, NONE_SEEN)
    probabilities = torch.softmax(torch.tensor(logits).double(), 0)
    entropy = -(probabilities * probabilities.log()).sum().item()
    assert choice.entropy == pytest.approx(entropy)
    assert choice.probability == pytest.approx(probabilities.max().item())
    assert [t for t, _ in choice.top] == probabilities.argsort(descending=True)[:8].tolist()
    assert len(choice.top) == TOP_SHOWN


def test_impossible_tokens_are_never_drawn_and_do_not_spoil_the_entropy():
    logits = np.full(40, -np.inf, dtype=np.float32)
    logits[[3, 7]] = 0.0
    choice = sampler(seed=1).choose(logits, NONE_SEEN)
    assert choice.token in (3, 7)
    assert choice.entropy == pytest.approx(np.log(2))


def test_a_model_that_diverged_is_a_known_error():
    with pytest.raises(KnownError, match="diverged"):
        sampler().choose(np.full(40, np.nan, dtype=np.float32), NONE_SEEN)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 40))
def test_best_first_is_a_stable_sort(values, count):
    array = np.array(values, dtype=np.float64)
    whole = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert best_first(array, count).tolist() == (whole[:count] if count else whole)
