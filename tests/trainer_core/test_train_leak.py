"""A model is told nothing of the future: in training, on held-out text, and while it writes.

Each way to the model is followed on real index folders; leaks that are planted are caught.
"""

import numpy as np
import pytest
import torch
from history_only import assert_history_only
from index_for_tests import SEPARATOR, index_of, source_of

from trainer_core.data.batches.gather import gather
from trainer_core.data.matches import MatchTensors
from trainer_core.generate.told import match_tensors
from trainer_core.index import held_out_features
from trainer_core.model.transformer import Transformer
from trainer_core.spec import ModelConfig

LENGTH_MAX = 12
CUTS = (1, 40, 95, 180)
WINDOW = 20


def some_text(seed, n=220):
    """Few words in many orders, in documents, so that matches of all lengths come and go."""
    random = np.random.default_rng(seed)
    words = [random.integers(1, 12, random.integers(1, 8)) for _ in range(9)]
    text = np.concatenate([words[i] for i in random.integers(0, 9, n)])[:n]
    text[::37] = SEPARATOR
    return text.astype(np.uint16)


TRAIN, TEXT = some_text(1, 600), some_text(2)


def starts_of(text):
    return np.flatnonzero(text == SEPARATOR)


def named(matches):
    """Tensors or features, by name."""
    if not isinstance(matches, MatchTensors):
        matches = MatchTensors.of(matches)
    return {name: values.numpy().reshape(-1) for name, values in matches._asdict().items()}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leak") / "index"
    source = source_of(TRAIN, starts_of(TRAIN), vocab_size=12)
    return index_of(folder, source, max_length=LENGTH_MAX)


def train_features(home, text):
    """Features of a training text, from the disk."""
    folder = home / f"index-{len(list(home.iterdir()))}"
    source = source_of(text, starts_of(text), vocab_size=12)
    return index_of(folder, source, max_length=LENGTH_MAX).train_features()


def in_batches(features, text):
    """What the windows of a batch are told, side by side; the last token is no input."""
    starts = np.arange(0, len(text) - WINDOW, WINDOW)
    if not starts.size:
        return {}
    return named(gather(text, features, starts, WINDOW).matches)


def test_training_features_are_history(tmp_path):
    assert_history_only(lambda text: named(train_features(tmp_path, text)), TEXT, CUTS)


def test_training_batches_are_history(tmp_path):
    told = lambda text: in_batches(train_features(tmp_path, text), text)  # noqa: E731
    assert set(told(TEXT)) == set(MatchTensors._fields)
    assert_history_only(told, TEXT, CUTS)


def test_held_out_features_are_history(index):
    told = lambda text: named(held_out_features(index, text, starts_of(text)))  # noqa: E731
    assert_history_only(told, TEXT, CUTS)


def test_what_is_told_while_writing_is_history(index):
    told = lambda text: named(match_tensors(list(index.stream().read(text)), LENGTH_MAX))  # noqa: E731
    assert_history_only(told, TEXT, CUTS)


@pytest.mark.parametrize("form", ["hearth", "tscale"])
def test_the_models_own_answers_are_history(index, form):
    config = ModelConfig(
        vocab_size=12,
        context_length=len(TEXT),
        n_layer=2,
        n_head=2,
        n_embd=16,
        match_input=True,
        match_form=form,
        match_length_max=LENGTH_MAX,
    )
    generator = torch.Generator().manual_seed(0)
    model = Transformer(config, generator).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))

    @torch.no_grad()
    def told(text):
        matches = match_tensors(list(index.stream().read(text)), LENGTH_MAX)
        logits = model(torch.from_numpy(text.astype(np.int64)).unsqueeze(0), matches)
        return {"log_p": logits[0].log_softmax(-1).numpy()}

    assert_history_only(told, TEXT, CUTS)


def test_writing_and_held_out_text_are_told_the_same(index):
    """Ties of the own document and the training text among them: counts and seconds of both."""
    features = held_out_features(index, TEXT, starts_of(TEXT))
    assert features.same_document.any() and features.has_second.any()
    expected = named(features)
    found = named(match_tensors(list(index.stream().read(TEXT)), LENGTH_MAX))
    one_by_one = index.stream()
    stepwise = [match_tensors([one_by_one.advance(int(t))], LENGTH_MAX) for t in TEXT]
    joined = named(MatchTensors(*(torch.cat(column, 1) for column in zip(*stepwise, strict=True))))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        np.testing.assert_array_equal(joined[name], values, err_msg=name)


# --- leaks, planted -------------------------------------------------------------------------------


def shifted(features):
    """Each token is told what belongs to the next one."""
    return features.at(np.minimum(np.arange(len(features)) + 1, len(features) - 1))


def test_features_shifted_by_one_are_caught(tmp_path):
    told = lambda text: named(shifted(train_features(tmp_path, text)))  # noqa: E731
    with pytest.raises(AssertionError, match="changes when what follows"):
        assert_history_only(told, TEXT, CUTS)


def test_batches_told_of_the_next_token_are_caught(tmp_path):
    told = lambda text: in_batches(shifted(train_features(tmp_path, text)), text)  # noqa: E731
    with pytest.raises(AssertionError, match="changes when what follows"):
        assert_history_only(told, TEXT, CUTS)


def test_training_text_looked_up_in_an_index_over_all_of_it_is_caught(tmp_path):
    """Each token then finds itself, and its future with it."""

    def told(text):
        index = index_of(
            tmp_path / f"whole-{len(list(tmp_path.iterdir()))}",
            source_of(text, starts_of(text), vocab_size=12),
            max_length=LENGTH_MAX,
        )
        return named(held_out_features(index, text, starts_of(text)))

    with pytest.raises(AssertionError, match="changes when what follows"):
        assert_history_only(told, TEXT, CUTS)


@pytest.mark.parametrize("name", ["count_bucket", "second", "has_second"])
def test_a_count_or_second_of_the_whole_text_is_caught(tmp_path, name):
    """As if they were counted over all occurrences, later ones too."""

    def told(text):
        features = train_features(tmp_path, text)
        known = named(features)
        runs = [tuple(text[max(t + 1 - known["length"][t], 0) : t + 1]) for t in range(len(text))]
        last = {run: t for t, run in enumerate(runs)}
        known[name] = known[name][[last[run] for run in runs]]
        return known

    with pytest.raises(AssertionError, match=f"{name} of the first"):
        assert_history_only(told, TEXT, CUTS)


def test_a_held_out_text_that_the_index_was_built_over_is_caught(tmp_path):
    """The training part then holds the held-out document's own future."""

    def told(text):
        whole = np.concatenate([TRAIN, text])
        index = index_of(
            tmp_path / f"both-{len(list(tmp_path.iterdir()))}",
            source_of(whole, starts_of(whole), vocab_size=12),
            max_length=LENGTH_MAX,
        )
        return named(held_out_features(index, text, starts_of(text)))

    with pytest.raises(AssertionError, match="changes when what follows"):
        assert_history_only(told, TEXT, CUTS)
