"""The match input: TScale's form, ours, the mixture on the output, models of earlier versions."""

import msgspec
import pytest
import torch
from matches_for_tests import matched
from torch.nn import functional

from trainer_core.data.batches.gather import IGNORED
from trainer_core.data.matches import MatchTensors
from trainer_core.errors import CheckpointError
from trainer_core.model.match_hearth import OWN_SHARE
from trainer_core.model.match_input import EARLIER_GATE, from_earlier_form
from trainer_core.model.pointer import ABSENT, mixed_logits, mixed_loss
from trainer_core.model.transformer import Transformer
from trainer_core.presets import match_parameter_count, parameter_count
from trainer_core.spec import ModelConfig
from trainer_core.train.checkpoints.checkpoint import TrainState, open_checkpoint
from trainer_core.train.checkpoints.manifest import Fingerprints
from trainer_core.train.checkpoints.saving import save_checkpoint
from trainer_core.train.checkpoints.snapshot import Snapshot

PLAIN = ModelConfig(vocab_size=41, context_length=24, n_layer=2, n_head=2, n_embd=16)
OURS = msgspec.structs.replace(PLAIN, match_input=True)
TSCALE = msgspec.structs.replace(OURS, match_form="tscale")


def build(config, spread=0.1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = Transformer(config, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def random_input(seed=1, shape=(4, 20)):
    """Tokens, targets, and matches of all kinds: none, with one candidate, with two."""
    generator = torch.Generator().manual_seed(seed)

    def draw(high):
        return torch.randint(0, high, shape, generator=generator)

    tokens, targets, first = draw(41), draw(41), draw(41)
    length = draw(33) * (draw(3) > 0)
    has_second = (draw(2) > 0) & (length > 0)
    second = torch.where(has_second, (first + 1 + draw(40)) % 41, 0)
    count = (1 + draw(15)) * (length > 0)
    return tokens, targets, MatchTensors(length, first, second, count, has_second)


def log_mixture(logits, odds, candidates):
    """Log-probabilities of the mixture, written out in double precision."""
    weights = functional.pad(odds.double(), (1, 0)).softmax(-1)
    p = logits.double().softmax(-1) * weights[..., :1]
    for k in range(candidates.shape[-1]):
        p = p.scatter_add(-1, candidates[..., k : k + 1], weights[..., k + 1 : k + 2])
    return p.log()


# --- the mixture ---------------------------------------------------------------------------------


@pytest.fixture
def mixture():
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(5, 7, 11, generator=generator)
    odds = 3 * torch.randn(5, 7, 2, generator=generator)
    candidates = torch.rand(5, 7, 11, generator=generator).topk(2).indices
    odds[0, :, 1] = ABSENT
    odds[1] = ABSENT
    targets = torch.where(
        torch.rand(5, 7, generator=generator) < 0.5, candidates[..., 0], candidates[..., 1]
    )
    targets[2] = torch.randint(0, 11, (7,), generator=generator)
    return logits, odds, candidates, targets


def test_mixed_logits_are_the_mixture_written_out(mixture):
    logits, odds, candidates, _ = mixture
    found = mixed_logits(logits, odds, candidates).double()
    expected = log_mixture(logits, odds, candidates)
    assert torch.allclose(found.log_softmax(-1), expected, atol=1e-5)
    assert torch.allclose(found.logsumexp(-1), logits.double().logsumexp(-1), atol=1e-5)
    assert torch.equal(mixed_logits(logits, odds, candidates)[1], logits[1])


def test_the_mixtures_loss_needs_no_logits(mixture):
    logits, odds, candidates, targets = mixture
    own = -logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    expected = -log_mixture(logits, odds, candidates).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    assert torch.allclose(mixed_loss(own, odds, candidates, targets).double(), expected, atol=1e-5)


def test_an_ignored_target_costs_nothing_and_teaches_nothing(mixture):
    _, odds, candidates, _ = mixture
    odds.requires_grad_()
    targets = torch.full((5, 7), IGNORED)
    loss = mixed_loss(torch.zeros(5, 7), odds, candidates, targets)
    assert torch.equal(loss, torch.zeros(5, 7))
    loss.sum().backward()
    assert torch.equal(odds.grad, torch.zeros_like(odds))


@pytest.mark.parametrize("certain", [200.0, -200.0, 0.0])
@pytest.mark.parametrize("own", [0.0, 300.0])
def test_gradients_of_the_mixture_are_finite_at_its_ends(certain, own):
    odds = torch.tensor([[[certain, ABSENT]], [[certain, -certain]], [[ABSENT, ABSENT]]])
    odds.requires_grad_()
    loss = torch.full((3, 1), own, requires_grad=True)
    candidates = torch.tensor([[[1, 0]], [[1, 2]], [[0, 0]]])
    for target in (0, 1, 2, 3):
        mixed = mixed_loss(loss, odds, candidates, torch.full((3, 1), target))
        grads = torch.autograd.grad(mixed.sum(), (loss, odds))
        assert bool(mixed.isfinite().all())
        assert all(bool(grad.isfinite().all()) for grad in grads)


# --- both forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [PLAIN, OURS, TSCALE], ids=["plain", "hearth", "tscale"])
@pytest.mark.parametrize("vocab_size", [7, 41])
def test_the_match_inputs_parameters_are_counted_exactly(config, vocab_size):
    config = msgspec.structs.replace(config, vocab_size=vocab_size, match_length_max=9)
    model = Transformer(config)
    assert sum(p.numel() for p in model.parameters()) == parameter_count(config)
    if model.match is not None:
        counted = sum(p.numel() for p in model.match.parameters())
        assert counted == match_parameter_count(config)


@pytest.mark.parametrize("config", [OURS, TSCALE], ids=["hearth", "tscale"])
def test_every_parameter_is_learned_from(config):
    model = build(config)
    tokens, targets, matches = random_input(shape=(8, 20))
    model.loss(tokens, targets, matches).sum().backward()
    for name, parameter in model.match.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("config", [OURS, TSCALE], ids=["hearth", "tscale"])
def test_without_matches_a_model_is_the_plain_one(config):
    model, plain = build(config), Transformer(PLAIN).eval()
    mine = model.state_dict()
    plain.load_state_dict({name: mine[name] for name in plain.state_dict()})
    tokens, targets, matches = random_input()
    nothing = matches._replace(length=torch.zeros_like(matches.length))
    for told in (None, nothing):
        assert torch.equal(model(tokens, told), plain(tokens))
        assert torch.allclose(model.loss(tokens, targets, told), plain.loss(tokens, targets))


@pytest.mark.parametrize("config", [OURS, TSCALE], ids=["hearth", "tscale"])
def test_forms_share_the_plain_models_first_weights(config):
    plain, model = (Transformer(c, torch.Generator().manual_seed(5)) for c in (PLAIN, config))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_tscale_reads_the_token_and_nothing_else():
    model = build(TSCALE)
    tokens, _, matches = random_input()
    expected = model(tokens, matches)
    longer = torch.where(matches.length > 0, 32, 0)
    other = matches._replace(
        length=longer,
        count_bucket=torch.zeros_like(longer),
        has_second=~matches.has_second,
        second=matches.second + 1,
    )
    assert torch.equal(model(tokens, other), expected)
    table = model.match.next_embedding.weight
    present = matches.length > 0
    assert torch.equal(model.match.embed(matches)[present], table[matches.next[present]])


def test_tscales_table_is_drawn_like_the_token_embedding():
    config = msgspec.structs.replace(TSCALE, vocab_size=3000)
    model = Transformer(config, torch.Generator().manual_seed(1))
    drawn, tokens = model.match.next_embedding.weight, model.embed.weight
    assert drawn.std().item() == pytest.approx(tokens.std().item(), rel=0.02)
    assert abs(drawn.mean().item()) < 0.002
    assert not torch.equal(drawn, tokens)


@pytest.mark.parametrize("part", ["length", "next", "second", "count_bucket", "has_second"])
def test_ours_reads_every_part_of_a_match(part):
    model = build(OURS)
    _, _, matches = random_input()
    both = matches.has_second
    changed = {
        "length": torch.where(both, matches.length % 32 + 1, matches.length),
        "next": torch.where(both, (matches.next + 7) % 41, matches.next),
        "second": torch.where(both, (matches.second + 7) % 41, matches.second),
        "count_bucket": torch.where(both, matches.count_bucket % 15 + 1, matches.count_bucket),
        "has_second": torch.zeros_like(both),
    }
    other = matches._replace(**{part: changed[part]})
    hidden, logits = torch.ones(4, 20, 16), torch.ones(4, 20, 41)
    ways = (model.match.embed, lambda told: model.match.mix(logits, hidden, told))
    for way in ways:
        assert bool((way(other) != way(matches)).any(-1)[both].all())
        assert torch.equal(way(other)[~both], way(matches)[~both])


def test_ours_begins_as_the_plain_model_with_the_measured_gates():
    model = Transformer(OURS, torch.Generator().manual_seed(1)).eval()
    tokens, _, matches = random_input()
    assert torch.equal(model.hidden(tokens, matches), model.hidden(tokens))
    odds = model.match.odds(torch.randn(4, 20, 16), matches)
    for length, logit in ((1, -1.66), (3, -0.80), (8, 1.21), (32, 3.48)):
        measured = odds[..., 0][matches.length == length]
        assert torch.allclose(measured, torch.tensor(logit))
    assert torch.equal(odds[..., 0] == ABSENT, matches.length == 0)
    assert torch.equal(odds[..., 1] == ABSENT, ~matches.has_second)


def test_ours_learns_from_the_mixture_and_from_the_transformers_own_loss():
    model = build(OURS)
    tokens, targets, matches = random_input()
    hidden = model.hidden(tokens, matches).detach().requires_grad_()
    logits = model.output(hidden)
    own = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    own = own.view_as(targets)
    odds = model.match.odds(hidden, matches)
    candidates = torch.stack((matches.next, matches.second), -1)
    mixture = mixed_loss(own, odds, candidates, targets)
    found = model.match.mixed_loss(own, hidden, matches, targets)
    assert torch.equal(found, mixture)
    taught = (1 - OWN_SHARE) * mixture + OWN_SHARE * own
    expected = torch.autograd.grad(taught.sum(), hidden, retain_graph=True)
    assert torch.allclose(torch.autograd.grad(found.sum(), hidden)[0], expected[0], atol=1e-6)


def test_what_has_no_match_is_ignored_whatever_else_is_said():
    model = build(OURS)
    tokens, targets, matches = random_input()
    nothing = matched(matches.next, torch.zeros_like(matches.length), matches.second)
    assert torch.equal(model(tokens, nothing), model(tokens))
    assert torch.allclose(model.loss(tokens, targets, nothing), model.loss(tokens, targets))


@pytest.mark.parametrize("config", [OURS, TSCALE], ids=["hearth", "tscale"])
def test_ignored_targets_are_left_out_of_the_models_loss(config):
    model = build(config)
    tokens, targets, matches = random_input()
    whole = model.loss(tokens, targets, matches)
    targets[:, ::3] = IGNORED
    loss = model.loss(tokens, targets, matches)
    assert torch.equal(loss[:, ::3], torch.zeros_like(loss[:, ::3]))
    assert torch.allclose(loss[:, 1::3], whole[:, 1::3])


def test_the_loss_under_bf16_is_that_of_the_logits():
    model = build(OURS)
    tokens, targets, matches = random_input()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(tokens, matches)
        loss = model.loss(tokens, targets, matches)
    expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    assert loss.dtype == logits.dtype == torch.float32
    assert torch.allclose(loss.flatten(), expected, atol=2e-2)


# --- models of earlier versions ------------------------------------------------------------------


def earlier_weights(model):
    """Weights as the first versions had them; next token and length are today's."""
    weights = dict(model.state_dict())
    generator = torch.Generator().manual_seed(9)
    for name in ("second_scale", "evidence_embedding.weight", "gate_length", "gate_evidence"):
        del weights[f"match.{name}"]
    return weights | {
        "match.gate_weight": torch.randn(16, generator=generator),
        EARLIER_GATE: torch.randn(33, generator=generator),
    }


def test_a_model_with_the_first_match_input_computes_what_it_did():
    model = build(OURS)
    weights = earlier_weights(model)
    model.load_state_dict(from_earlier_form(weights))
    tokens, _, matches = random_input()
    hidden = model.hidden(tokens, matches)
    gate = hidden @ weights["match.gate_weight"] + weights[EARLIER_GATE][matches.length]
    gate = gate.sigmoid() * (matches.length > 0)
    p = (hidden @ model.embed.weight.t()).softmax(-1) * (1 - gate).unsqueeze(-1)
    p = p.scatter_add(-1, matches.next.unsqueeze(-1), gate.unsqueeze(-1))
    assert torch.allclose(model(tokens, matches).softmax(-1), p, atol=1e-6)
    added = weights["match.next_embedding.weight"][matches.next]
    added = added + weights["match.length_embedding.weight"][matches.length]
    assert torch.allclose(model.match.embed(matches), added * (matches.length > 0).unsqueeze(-1))


def test_todays_weights_are_left_as_they_are():
    weights = build(OURS).state_dict()
    assert from_earlier_form(weights) is weights


def test_an_earlier_checkpoint_serves_but_is_not_trained_on(tmp_path):
    weights = earlier_weights(build(OURS))
    moments = {f"exp_avg/{name}": tensor for name, tensor in weights.items()}
    fingerprints = Fingerprints(corpus="c", tokenizer="t", index="i")
    save_checkpoint(
        tmp_path, Snapshot(OURS, fingerprints, TrainState(step=3), weights, moments, 2.5)
    )
    checkpoint = open_checkpoint(tmp_path, "last")
    tokens, _, matches = random_input()
    model = Transformer(OURS).eval()
    model.load_state_dict(from_earlier_form(weights))
    assert torch.equal(checkpoint.load_model()(tokens, matches), model(tokens, matches))
    with pytest.raises(CheckpointError, match="an earlier version of Hearth") as refused:
        checkpoint.load_optimizer()
    assert refused.value.field == "model.match_form"
