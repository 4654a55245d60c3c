"""The split: by document, by seed, steady, and never without text on one of the sides."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.preparing.split import (
    DocumentKey,
    cut_parts,
    split_documents,
    split_sources,
)
from trainer_core.errors import DataError


def documents(sizes, name="d"):
    return [
        DocumentKey(hashlib.blake2b(f"{name}{n}".encode(), digest_size=16).digest(), size)
        for n, size in enumerate(sizes)
    ]


def share(keys, split):
    held = sum(k.n_bytes for k, side in zip(keys, split.sides, strict=True) if side != "train")
    held += sum(keys[number].n_bytes - cut for number, cut in split.cuts.items())
    return held / sum(k.n_bytes for k in keys)


def test_the_wanted_share_of_many_documents_validates():
    keys = documents([1000] * 5000)
    split = split_documents(keys, 0.05, 1)
    assert share(keys, split) == pytest.approx(0.05, abs=0.01)
    assert not split.cuts
    assert split == split_documents(keys, 0.05, 1)
    assert split.sides != split_documents(keys, 0.05, 2).sides


def test_more_documents_move_none_of_the_old_ones():
    old, new = documents([1000] * 500), documents([1000] * 500, "new")
    before = dict(zip(old, split_documents(old, 0.1, 3).sides, strict=True))
    mixed = [*new[:250], *reversed(old), *new[250:]]
    after = dict(zip(mixed, split_documents(mixed, 0.1, 3).sides, strict=True))
    assert all(after[key] == side for key, side in before.items())


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 10_000), min_size=1, max_size=30),
    fraction=st.floats(0.001, 0.5),
    seed=st.integers(0, 2**63 - 1),
)
def test_both_sides_always_get_text_and_about_their_share(sizes, fraction, seed):
    keys = documents(sizes)
    if max(sizes) == 1 and len(sizes) == 1:
        with pytest.raises(DataError, match="too short to split"):
            split_documents(keys, fraction, seed)
        return
    try:
        split = split_documents(keys, fraction, seed)
    except DataError:
        assert max(sizes) < 2
        return
    assert 0 < share(keys, split) < 1
    assert share(keys, split) <= max(4 * fraction, 2 / sum(sizes))
    for number, cut_byte in split.cuts.items():
        assert split.sides[number] == "train"
        assert 1 <= cut_byte < sizes[number]


def test_the_end_of_a_single_book_validates():
    split = split_documents(documents([100_000]), 0.05, 1)
    assert split.sides == ("train",)
    assert split.cuts == {0: 95_000}


def test_a_few_books_lose_an_end_and_not_a_whole_one():
    split = split_documents(documents([100_000, 90_000, 110_000]), 0.05, 1)
    assert set(split.sides) == {"train"}
    assert list(split.cuts) == [2]


@pytest.mark.parametrize(
    ("parts", "cut", "beginning"),
    [
        (["one\ntwo\nthree\n"], 2, "one\n"),
        (["one\ntwo\nthree\n"], 4, "one\ntwo\n"),
        (["one\ntwo\nthree\n"], 9, "one\ntwo\n"),  # no line begins behind it: an earlier one does
        (["one\n", "two\n", "three"], 6, "one\ntwo\n"),
        (["no lines at all"], 5, "no li"),
        (["漢字漢字"], 4, "漢字"),
        (["漢字"], 1, "漢"),
        (["a漢"], 3, "a"),
        (["ab"], 1, "a"),
    ],
)
def test_a_document_is_cut_at_a_lines_end_or_between_characters(parts, cut, beginning):
    first, second = cut_parts(iter(parts), cut)
    assert "".join(first) == beginning
    assert beginning + "".join(second) == "".join(parts)


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.text(st.sampled_from("a\n漢🙂"), min_size=1), min_size=1, max_size=5),
    data=st.data(),
)
def test_cutting_loses_nothing(parts, data):
    n_bytes = len("".join(parts).encode())
    if n_bytes < 2:
        return
    cut = data.draw(st.integers(1, n_bytes - 1))
    first, second = cut_parts(iter(parts), cut)
    joined = "".join(first), "".join(second)
    assert "".join(joined) == "".join(parts)
    assert joined[1]


def test_small_documents_beside_a_giant_one_are_dealt_by_their_hashes():
    """Not all of them are held out because they would fit, or none of their kind would train."""
    keys = documents([300_000_000, *[10_000] * 110])
    split = split_documents(keys, 0.05, 1)
    assert list(split.cuts) == [0]
    assert 1 <= split.sides[1:].count("validation") <= 20
    assert share(keys, split) == pytest.approx(0.05, abs=0.001)


# --- several sources -----------------------------------------------------------------------------


def test_each_source_is_split_as_if_it_were_alone():
    keys = documents([1000] * 400)
    sources = [range(300), range(300, 400)]
    split = split_sources(keys, sources, 0.1, 5)
    for numbers in sources:
        alone = split_documents(keys[numbers.start : numbers.stop], 0.1, 5)
        assert split.sides[numbers.start : numbers.stop] == alone.sides
        assert "validation" in alone.sides


def test_a_source_of_one_document_has_its_end_held_out_beside_large_ones():
    keys = documents([*[1000] * 200, 50_000])
    split = split_sources(keys, [range(200), range(200, 201)], 0.1, 5)
    assert split.cuts == {200: 45_000}


def test_a_source_too_short_to_be_cut_trains_whole():
    keys = documents([*[1000] * 200, 1])
    split = split_sources(keys, [range(200), range(0), range(200, 201)], 0.1, 5)
    assert split.side(200) == "train"
    with pytest.raises(DataError, match="too short"):
        split_sources(keys, [range(200, 201)], 0.1, 5)


def test_what_no_source_keeps_is_on_no_side():
    keys = documents([1000] * 100)
    kept = [number for number in range(100) if number % 10]
    split = split_sources(keys, [kept], 0.1, 5)
    assert [number for number in range(100) if not split.keeps(number)] == list(range(0, 100, 10))
    with pytest.raises(ValueError, match="left out"):
        split.side(0)
