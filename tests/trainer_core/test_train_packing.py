"""What a model sees of packed rows: its own document, from its first token, and no padding."""

import numpy as np
import pytest
import torch
from train_for_tests import ended, make_corpus, notes, result, rows, tiny_spec, trained

from trainer_core.data.batches.gather import IGNORED
from trainer_core.data.batches.loader import TrainBatches
from trainer_core.data.batches.order import make_order
from trainer_core.data.batches.text import TrainText, text_of
from trainer_core.data.corpus import open_corpus
from trainer_core.errors import ExitCode
from trainer_core.job import run_job
from trainer_core.model.transformer import Transformer
from trainer_core.spec import DataConfig, Mix, ModelConfig

T = 24
LENGTHS = [5, 9, 3, 40, 11, 2, 30, 7, 16, 24, 1, 13]
SEPARATED = {
    "stream, masked": DataConfig(mask_documents=True),
    "best fit": DataConfig(packing="best_fit"),
    "documents": DataConfig(packing="documents"),
}
FAMILIES = ("gpt2", "llama", "hearth")


class Stream:
    def __init__(self, values):
        self.values, self.n_tokens = values, len(values)

    def tokens(self):
        return self.values


def text(changed=None):
    """Random documents behind separators, one of them of other tokens."""
    random = np.random.default_rng(1)
    values = random.integers(1, 61, sum(LENGTHS)).astype(np.uint16)
    starts = np.cumsum([0, *LENGTHS[:-1]])
    if changed is not None:
        own = slice(starts[changed], starts[changed] + LENGTHS[changed])
        values[own] = values[own] % 60 + 1
    values[starts] = 0
    return TrainText(Stream(values), starts)


def all_rows(read, data):
    """One batch of a whole epoch, and where its inputs stand."""
    order = make_order(read, data, T, 3)
    starts = read.document_start if data.masks else None
    rows = order.rows_per_epoch
    batches = TrainBatches(read.tokens, None, rows, T, 3, document_start=starts, order=order)
    return batches.batch(1), batches.places(1)


def model_of(family):
    config = ModelConfig(
        vocab_size=61, context_length=T, n_layer=2, n_head=4, n_embd=32, family=family
    )
    generator = torch.Generator().manual_seed(0)
    model = Transformer(config, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("data", SEPARATED.values(), ids=SEPARATED)
def test_changing_one_document_moves_no_other_documents_logits(family, data):
    model = model_of(family)
    before, places = all_rows(text(), data)
    document = np.searchsorted(text().document_start, places, side="right") - 1
    with torch.no_grad():
        first = model(before.inputs, documents=before.documents)
        for changed in (0, 3, 6, 9):
            after, again = all_rows(text(changed), data)
            assert (again == places).all()
            second = model(after.inputs, documents=after.documents)
            others = torch.from_numpy((document != changed) & (places >= 0))
            own = torch.from_numpy((document == changed) & (places >= 0))
            assert torch.equal(first[others], second[others])
            assert not torch.allclose(first[own], second[own])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_document_is_read_as_if_it_stood_alone(family):
    model = model_of(family)
    batch, places = all_rows(text(), SEPARATED["best fit"])
    tokens = torch.from_numpy(text().tokens.values.astype(np.int64))
    whole = [d for d, length in enumerate(LENGTHS) if length <= T]
    starts = text().document_start
    with torch.no_grad():
        packed = model(batch.inputs, documents=batch.documents)
        for number in whole:
            start, length = starts[number], LENGTHS[number]
            row, column = np.argwhere(places == start)[0]
            alone = model(tokens[None, start : start + length])[0]
            there = packed[row, column : column + length]
            assert torch.allclose(there, alone, atol=1e-5)


@pytest.mark.parametrize("data", SEPARATED.values(), ids=SEPARATED)
def test_padding_teaches_nothing(data):
    model = model_of("gpt2")
    batch, places = all_rows(text(), data)
    padded = torch.from_numpy(places < 0)
    assert padded.any() and (batch.targets[padded] == IGNORED).all()
    assert batch.n_targets == int((~padded).sum())
    other = torch.where(padded, 17, batch.inputs)
    with torch.no_grad():
        loss = model.loss(batch.inputs, batch.targets, None, batch.documents)
        again = model.loss(other, batch.targets, None, batch.documents)
    assert not loss[padded].any()
    assert torch.equal(loss, again)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("packing"), documents=20, words=60)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("data", SEPARATED.values(), ids=SEPARATED)
def test_every_packing_trains(corpus, tmp_path, family, data):
    spec = tiny_spec(corpus, steps=60, data=data, model={"family": family, "context_length": 64})
    folder = trained(tmp_path / "run", spec)
    loss = rows(folder)["loss"]
    assert loss[:5].mean() - loss[-5:].mean() > 1.0
    assert abs(result(folder)["val_loss"] - loss[-10:].mean()) < 0.5


def test_a_run_says_how_much_text_its_packing_cuts_off(corpus, tmp_path):
    packings = {"documents": 1, "best_fit": 0, "stream": 0}
    for packing, told in packings.items():
        spec = tiny_spec(corpus, steps=5, data=DataConfig(packing=packing))
        found = notes(trained(tmp_path / packing, spec), "Long documents are cut off")
        assert len(found) == told
    (note,) = notes(tmp_path / "documents", "Long documents are cut off")
    train = open_corpus(corpus).train
    lengths = np.diff(train.document_start, append=train.n_tokens)
    share = np.maximum(lengths - 32, 0).sum() / train.n_tokens
    assert note.level == "warning" and note.text.startswith(f"{share:.1%} of the training text")


def test_a_mixing_that_names_no_source_ends_in_a_clear_error(corpus, tmp_path):
    data = DataConfig(mixing=(Mix(weights={"web": 1.0}),))
    assert run_job(tmp_path / "run", tiny_spec(corpus, data=data)) == ExitCode.USAGE
    end = ended(tmp_path / "run")
    assert end.field == "data.mixing[0].weights"
    assert text_of(open_corpus(corpus)).sources[0].name in end.do
