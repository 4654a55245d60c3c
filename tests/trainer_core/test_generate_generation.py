import numpy as np
import pytest
import torch
from tiny_run import indexed_run

from trainer_core.generate.generation import Generation, Parts, generate, text_of
from trainer_core.generate.told import match_tensors
from trainer_core.index import open_index
from trainer_core.protocol import Generate

GREEDY = {"temperature": 0.0, "max_tokens": 20}


@pytest.fixture(scope="module")
def run():
    return indexed_run()


@pytest.fixture(scope="module")
def parts(run):
    index = open_index(run.folder.with_name("index"))
    return Parts(run.model, run.corpus.tokenizer, index)


def ask(prompt="The owl", **settings):
    return Generate(request=1, prompt=prompt, **settings)


def written(parts, **settings):
    return list(generate(parts, ask(**settings)))


def recomputed(parts, tokens, *, use_index=True):
    """Logits after the last token of the text, read at once, its matches sought from scratch."""
    matches = None
    if use_index:
        stream = parts.index.stream()
        matches = match_tensors([stream.advance(token) for token in tokens], 32)
    with torch.no_grad():
        return parts.model(torch.tensor([tokens]), matches)[0, -1]


@pytest.mark.parametrize("use_index", [True, False])
def test_the_cache_gives_the_same_greedy_text_as_reading_everything_again(parts, use_index):
    generation = generate(parts, ask(use_index=use_index, **GREEDY))
    list(generation)
    tokens = generation.tokens[: generation.prompt_tokens]
    while len(tokens) < len(generation.tokens):
        tokens.append(int(recomputed(parts, tokens, use_index=use_index).argmax()))
    assert tokens == generation.tokens


def test_the_index_changes_what_is_written(parts):
    sure = [t.probability for t in written(parts, **GREEDY)]
    alone = [t.probability for t in written(parts, use_index=False, **GREEDY)]
    assert sure != alone


def test_the_same_seed_gives_the_same_text_and_another_seed_another(parts):
    texts = [
        text_of(written(parts, seed=seed, temperature=1.5, top_p=1.0, min_p=0.0, max_tokens=30))
        for seed in (3, 3, 4)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_matches_are_told_for_each_token_even_with_the_index_off(parts):
    for use_index in (True, False):
        generation = generate(parts, ask(use_index=use_index, **GREEDY))
        tokens = list(generation)
        stream = parts.index.stream()
        matches = [stream.advance(token) for token in generation.tokens]
        for token in tokens:
            match = matches[generation.prompt_tokens + token.index - 1]
            assert token.match_length == match.length
            assert token.followed == (match.length > 0 and match.next == token.token)
            assert token.match_kind == {"context": "prompt"}.get(match.kind, match.kind)
            assert token.match_position == match.position


def test_a_repeated_line_is_told_apart_as_copied_from_the_prompt(parts):
    tokens = written(parts, prompt="xyzzy plugh xyzzy", **GREEDY)
    assert tokens[0].match_kind == "prompt"


def test_without_an_index_the_model_writes_alone(parts):
    alone = Parts(parts.model, parts.tokenizer)
    tokens = written(alone, **GREEDY)
    assert {t.match_kind for t in tokens} == {"none"}
    assert text_of(tokens) == text_of(written(parts, use_index=False, **GREEDY))


def test_the_window_slides_exactly_when_the_context_is_full(parts, monkeypatch):
    context = parts.model.config.context_length
    reads = []
    step = Generation._step

    def watched(self, start, end):
        reads.append((start, end, self._cache.length))
        step(self, start, end)

    monkeypatch.setattr(Generation, "_step", watched)
    generation = generate(parts, ask(**{**GREEDY, "max_tokens": 2 * context}))
    monkeypatch.setattr(generation._sampler, "_pick", _never_the_separator(parts))
    list(generation)
    assert generation.reason == "max_tokens"
    refills = [(start, end) for start, end, cached in reads if cached == 0]
    assert refills[0][0] == 0
    assert [end - start for start, end in refills[1:]] == [int(context * 0.75)] * (len(refills) - 1)
    # What follows a refill is what the model says of that window alone.
    start, end = refills[-1]
    stream = parts.index.stream()
    matches = [stream.advance(token) for token in generation.tokens[:end]][start:]
    with torch.no_grad():
        logits = parts.model(
            torch.tensor([generation.tokens[start:end]]),
            match_tensors(matches, 32),
        )[0, -1]
    logits[parts.tokenizer.separator] = -torch.inf
    assert generation.tokens[end] == int(logits.argmax())


def _never_the_separator(parts):
    def pick(logits):
        logits = logits.copy()
        logits[parts.tokenizer.separator] = -np.inf
        return int(logits.argmax())

    return pick


def test_a_prompt_longer_than_the_context_loses_its_front_and_says_how_much(parts):
    prompt = "They took some honey, and plenty of money. " * 20
    generation = generate(parts, ask(prompt=prompt, **GREEDY))
    tokens = list(generation)
    room = int(parts.model.config.context_length * 0.75)
    assert generation.dropped == generation.prompt_tokens - room > 0
    assert tokens


def test_an_empty_prompt_begins_a_document(parts):
    generation = generate(parts, ask(prompt="", **GREEDY))
    assert list(generation)
    assert generation.tokens[0] == parts.tokenizer.separator
    assert generation.prompt_tokens == 1


def test_strange_prompts_are_only_text(parts):
    generation = generate(parts, ask(prompt="<|endoftext|>\ud800 \x00 日本", **GREEDY))
    list(generation)
    assert generation.tokens[1 : generation.prompt_tokens].count(parts.tokenizer.separator) == 0


def test_it_ends_where_a_document_would_end(parts, monkeypatch):
    generation = generate(parts, ask(**GREEDY))
    picks = iter([5, 6, parts.tokenizer.separator])
    monkeypatch.setattr(generation._sampler, "_pick", lambda logits: next(picks))
    assert [t.token for t in generation] == [5, 6]
    assert generation.reason == "separator"


def test_a_stop_string_ends_it_and_is_not_shown(parts):
    whole = text_of(written(parts, **GREEDY))
    stop = whole[4:7]
    generation = generate(parts, ask(stop=(stop,), **GREEDY))
    assert text_of(list(generation)) == whole[: whole.index(stop)]
    assert generation.reason == "stop"


def test_cancelling_ends_it_before_the_next_token(parts):
    wishes = iter([False] * 5)
    generation = generate(parts, ask(**GREEDY), cancelled=lambda: next(wishes, True))
    assert len(list(generation)) < 5
    assert generation.reason == "cancelled"


def test_cancelling_while_the_prompt_is_read_writes_nothing(parts):
    generation = generate(parts, ask(**GREEDY), cancelled=lambda: True)
    assert list(generation) == []
    assert generation.reason == "cancelled"


def test_generating_leaves_torchs_random_state_alone(parts):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    written(parts, temperature=1.0, max_tokens=5)
    assert torch.equal(before, torch.get_rng_state())
