"""What matches say of held-out text, by kind, and with less training text."""

import numpy as np
import pytest
from tiny_run import make_corpus

from trainer_core.answers.asked import Asked
from trainer_core.answers.history import SHARES, history_curve
from trainer_core.answers.value import value_on_held_out
from trainer_core.index import IndexSource, build_from, build_index, held_out_features, open_index
from trainer_core.index.value import GROUPS, value_by_kind
from trainer_core.spec import BpeTokenizer


def quiet(*_progress):
    pass


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    home = tmp_path_factory.mktemp("value")
    corpus = make_corpus(home, BpeTokenizer(vocab_size=300))
    build_index(corpus.folder, home / "index")
    return Asked(open_index(home / "index"), corpus)


def index_of_beginning(asked, size, folder):
    """An index of the first tokens of the training text alone."""
    starts = asked.index.document_start
    source = IndexSource(
        tokens=asked.index.tokens[:size],
        document_start=starts[starts < size],
        validation_tokens=asked.index.tokens[:0],
        validation_document_start=starts[:0],
        vocab_size=asked.corpus.vocab_size,
        separator=asked.corpus.separator,
        corpus_fingerprint="part",
        tokenizer_fingerprint="part",
    )
    build_from(source, folder)
    return open_index(folder)


def test_each_point_of_the_curve_is_what_an_index_of_that_part_says(asked, tmp_path):
    split = asked.corpus.validation
    tokens, starts = split.tokens(), split.document_start
    sampled, curve = history_curve(asked, 10_000, quiet)
    assert sampled == tokens.size - 1
    assert [point.history_share for point in curve] == list(SHARES)
    for number, point in enumerate(curve):
        part = index_of_beginning(asked, point.history_tokens, tmp_path / str(number))
        begins = starts[np.searchsorted(starts, np.arange(sampled), side="right") - 1]
        matches = [part.lookup(tokens[b : t + 1]) for t, b in enumerate(begins.tolist())]
        hits = [m.length > 0 and m.next == tokens[t + 1] for t, m in enumerate(matches)]
        lengths = [m.length for m in matches]
        assert point.hit_rate == pytest.approx(np.mean(hits))
        assert point.mean_length == pytest.approx(np.mean(lengths))
        assert point.matched_share == pytest.approx(np.mean(np.array(lengths) > 0))
        both = held_out_features(part, tokens, starts)
        hits = (both.length[:-1] > 0) & (both.next[:-1] == tokens[1:])
        assert point.hit_rate_with_own == pytest.approx(hits.mean())
        assert point.mean_length_with_own == pytest.approx(both.length[:-1].mean())


def test_a_sample_is_spread_and_its_margin_holds(asked):
    sampled, some = history_curve(asked, 150, quiet)
    _, all_ = history_curve(asked, 10_000, quiet)
    assert sampled == 150
    for point, whole in zip(some, all_, strict=True):
        assert abs(point.hit_rate - whole.hit_rate) < 2 * point.margin + 0.02
        assert 0 < point.margin <= 0.98 / np.sqrt(150)


def test_kinds_of_matches_add_up(asked):
    features, tokens = asked.index.validation_features(), asked.corpus.validation.tokens()
    rows = value_by_kind(features, tokens)
    following = tokens[1:]
    hit = (features.length[:-1] > 0) & (features.next[:-1] == following)
    kinds = {
        "own_document": features.same_document,
        "training": (features.length > 0) & ~features.same_document,
        "one": features.count == 1,
        "agree": (features.count > 1) & features.agree,
        "disagree": (features.count > 1) & features.has_second,
    }
    assert set(kinds) == set(GROUPS)
    for row in rows:
        inside = (features.length[:-1] >= row.low) & (features.length[:-1] <= row.high)
        assert row.all.tokens == inside.sum()
        assert row.all.hit_rate == pytest.approx(hit[inside].mean() if inside.any() else 0)
        for name, chosen in kinds.items():
            here = inside & chosen[:-1]
            assert row.groups[name].tokens == here.sum()
            assert row.groups[name].share == pytest.approx(here.sum() / following.size)
            assert row.groups[name].hit_rate == pytest.approx(hit[here].mean() if here.any() else 0)


def test_blocks_play_no_part_in_kinds(asked, monkeypatch):
    features, tokens = asked.index.validation_features(), asked.corpus.validation.tokens()
    whole = value_by_kind(features, tokens)
    monkeypatch.setattr("trainer_core.index.value._BLOCK_TOKENS", 17)
    assert value_by_kind(features, tokens) == whole


def test_the_answer_agrees_with_itself(asked):
    found = value_on_held_out(asked, positions=10_000, report=quiet)
    assert found["all"]["hit_rate"] == pytest.approx(found["hit_rate"])
    assert found["all"]["tokens"] == found["tokens"]
    assert sum(row["tokens"] for row in found["lengths"]) == found["tokens"]
    assert found["curve"][-1]["hit_rate_with_own"] == pytest.approx(found["hit_rate"])
    assert found["curve"][-1]["mean_length_with_own"] == pytest.approx(found["mean_length"])
