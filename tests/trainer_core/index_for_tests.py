"""What the index tests compare with: matches found by looking at every pair of positions."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from trainer_core.index import IndexSource, build_from, open_index

SEPARATOR = 0


@dataclass(frozen=True)
class Found:
    """A match by brute force; `second` is None where all occurrences agree."""

    length: int = 0
    next: int = 0
    position: int = -1
    count: int = 0
    second: int | None = None


def begin_of(position, starts):
    return max([0, *(s for s in starts if s <= position)])


def common_length(tokens, starts, a, query, query_begin, b, limit):
    """Tokens that a place in `tokens` and one in `query` have in common, read backwards."""
    begin = begin_of(a, starts)
    length = 0
    while (
        length < limit
        and a - length >= begin
        and b - length >= query_begin
        and tokens[a - length] == query[b - length]
    ):
        length += 1
    return length


def best_of(lengths, following):
    """The match among candidates in time order, given each one's length and what followed it."""
    longest = max(lengths, default=0)
    if not longest:
        return Found()
    places = [p for p, length in enumerate(lengths) if length == longest]
    follows = [following[p] for p in places]
    others = [token for token in follows if token != follows[-1]]
    return Found(
        length=longest,
        next=follows[-1],
        position=places[-1],
        count=len(places),
        second=others[-1] if others else None,
    )


def brute_features(tokens, starts, max_length):
    """The match of each position in everything before it."""
    found = []
    for t in range(len(tokens)):
        begin = begin_of(t, starts)
        lengths = [common_length(tokens, starts, p, tokens, begin, t, max_length) for p in range(t)]
        found.append(best_of(lengths, tokens[1 : t + 1]))
    return found


def brute_lookup(train, starts, context, max_length, history=()):
    """The match of a context in the training text and, after that, in an own history.

    The own history are the context's tokens but for the last; positions in it follow those of the
    training text.
    """
    begin = max([0, *(i for i, token in enumerate(context) if token == SEPARATOR)])
    last = len(context) - 1
    lengths = [
        common_length(train, starts, p, context, begin, last, max_length)
        for p in range(len(train) - 1)
    ]
    following = list(train[1:])
    if history:
        lengths.append(0)  # the last training token is no occurrence
        following.append(None)
        lengths += [0] * begin  # an earlier document of the context
        following += [None] * begin
        for p in range(begin, last):
            lengths.append(common_length(context, [begin], p, context, begin, last, max_length))
            following.append(context[p + 1])
    return best_of(lengths, following)


def bucket_of(count):
    """What `MatchFeatures.count` should say, written out."""
    if count < 4:
        return count
    return min(int(np.log2(count)) + 2, 15)


def as_rows(features):
    """Features as plain tuples, for comparisons that show where they differ."""
    return list(
        zip(
            features.length.tolist(),
            features.next.tolist(),
            [
                second if has else None
                for second, has in zip(
                    features.second.tolist(), features.has_second.tolist(), strict=True
                )
            ],
            features.count.tolist(),
            features.agree.tolist(),
            features.same_document.tolist(),
            strict=True,
        )
    )


def expected_rows(found, starts=None, own_from=None):
    """The rows that features should have: own document by `starts`, or from position `own_from`."""
    rows = []
    for t, match in enumerate(found):
        if starts is not None:
            same = match.length > 0 and match.position >= begin_of(t, starts)
        else:
            same = match.length > 0 and match.position >= own_from
        rows.append(
            (
                match.length,
                match.next,
                match.second,
                bucket_of(match.count),
                match.length > 0 and match.second is None,
                same,
            )
        )
    return rows


@st.composite
def texts(draw, size=60):
    """Few different tokens, stretches that come again, documents that begin anywhere."""
    dtype = draw(st.sampled_from([np.uint16, np.uint32]))
    shift = draw(st.sampled_from([0, 65_530 if dtype == np.uint16 else 3_000_000_000]))
    alphabet = draw(st.integers(1, 5))
    piece = draw(st.lists(st.integers(0, alphabet), max_size=size))
    times = draw(st.sampled_from([1, 1, 2, 5]))
    tokens = np.array((piece * times)[:size], dtype=np.int64) + shift
    starts = draw(st.lists(st.integers(0, max(len(tokens) - 1, 0)), max_size=5))
    starts = sorted(set(starts)) if len(tokens) else []
    return tokens.astype(dtype), np.array(starts, dtype=np.int64)


def documents(draw, count, size):
    """Documents of small tokens behind separators, as one list, and where each begins."""
    tokens, starts = [], []
    for _ in range(draw(st.integers(count, 4))):
        starts.append(len(tokens))
        piece = draw(st.lists(st.integers(1, 3), max_size=size))
        tokens += [SEPARATOR, *piece * draw(st.sampled_from([1, 2]))]
    return tokens, starts


@st.composite
def corpora(draw):
    """Training and held-out documents, and a match length, as an `IndexSource` and a number."""
    dtype = draw(st.sampled_from([np.uint16, np.uint32]))
    train, starts = documents(draw, 1, 14)
    held_out, held_out_starts = documents(draw, 0, 10)
    source = source_of(train, starts, held_out, held_out_starts, dtype=dtype)
    return source, draw(st.sampled_from([1, 2, 3, 5, 8, 32, 64]))


def source_of(train, starts, held_out=(), held_out_starts=(), *, dtype=np.uint16, vocab_size=8):
    return IndexSource(
        tokens=np.array(train, dtype=dtype),
        document_start=np.array(starts, dtype=np.int64),
        validation_tokens=np.array(held_out, dtype=dtype),
        validation_document_start=np.array(held_out_starts, dtype=np.int64),
        vocab_size=vocab_size,
        separator=SEPARATOR,
        corpus_fingerprint="corpus",
        tokenizer_fingerprint="tokenizer",
    )


def index_of(folder, source, max_length=32, **settings):
    build_from(source, folder, max_length=max_length, **settings)
    return open_index(folder)


def grown_corpus(home, count, **settings):
    """A corpus of so many documents, whose training part begins with that of a smaller one."""
    from tiny_run import POEM

    from trainer_core.data.preparing.build import build_corpus
    from trainer_core.spec import ByteTokenizer, PrepareSpec, TextFiles

    paths = [home / f"{number:02}.txt" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"{number}\n" + POEM * (number % 3 + 1))
    spec = PrepareSpec(
        source=TextFiles(paths=tuple(map(str, paths))),
        tokenizer=ByteTokenizer(),
        validation_fraction=0.2,
    )
    return build_corpus(spec, home / f"corpus-{count}", **settings)
