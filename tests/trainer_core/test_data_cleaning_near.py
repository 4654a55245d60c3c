"""Near duplicates: words and runs as a plain reading has them, estimates near the truth, groups."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_core.data.cleaning.near import (
    PERMUTATIONS,
    Signature,
    bands_for,
    first_of_its_kind,
    map_signatures,
)
from trainer_core.data.cleaning.words import WORDS, run_hashes, word_hashes

PLAIN = st.text("abAB01_ .,\n\t-é\u0301ß", max_size=60)


def hashes(text):
    found = list(word_hashes(text))
    return np.concatenate(found).tolist() if found else []


def words(text):
    """The words of a text without marks and without writing that has no spaces."""
    return re.findall(r"[\w\u0301]+", text.lower())


def runs(text):
    found = words(text)
    return {tuple(found[at : at + WORDS]) for at in range(len(found) - WORDS + 1)}


def sign(*parts):
    signature = Signature()
    for part in parts:
        signature.add(part)
    return np.frombuffer(signature.digest(), "<u4")


def alike(one, other):
    return float((sign(one) == sign(other)).mean())


@given(PLAIN)
def test_words_are_those_of_a_plain_reading(text):
    named = {}
    for word, number in zip(words(text), hashes(text), strict=True):
        assert named.setdefault(word, number) == number
    assert len(set(named.values())) == len(named)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_read_and_cut_at_white_space(one, other):
    assert hashes(one) + hashes(" " + other) == hashes(one + " " + other)


def test_a_word_has_the_same_number_wherever_it_stands():
    text = "word " * 60_000
    assert len(set(hashes(text))) == 1
    assert len(hashes(text)) == 60_000


def test_an_endless_word_is_read():
    assert len(hashes("x" * 200_000)) > 1


def test_writing_without_spaces_has_a_word_for_each_sign():
    assert len(hashes("漢字かな")) == 4
    assert len(hashes("abc漢字def")) == 4
    assert hashes("漢字") == hashes("漢, 字")


def test_marks_belong_to_their_words():
    assert len(hashes("किताब पढ़ना")) == 2


@given(st.lists(st.integers(0, 3), min_size=WORDS, max_size=30))
def test_equal_runs_have_equal_numbers_and_others_do_not(numbers):
    text = " ".join("abcd"[number] for number in numbers)
    found = run_hashes(np.array(hashes(text), np.uint64)).tolist()
    plain = [tuple(numbers[at : at + WORDS]) for at in range(len(found))]
    assert len(dict(zip(plain, found, strict=True))) == len(set(plain)) == len(set(found))


@settings(max_examples=25)
@given(st.integers(1, 400), st.integers(0, 10**6))
def test_a_signature_does_not_depend_on_where_the_text_is_cut(count, seed):
    draw = random.Random(seed)
    text = " ".join(f"w{draw.randrange(500)}" for _ in range(count))
    parts = re.split(r"(?= )", text)
    assert (sign(text) == sign(*parts)).all()


@pytest.mark.parametrize("changed", [0, 2, 10, 40, 400])
def test_estimates_are_near_the_truth(changed):
    draw = random.Random(changed)
    one = [f"w{draw.randrange(10_000)}" for _ in range(2000)]
    other = list(one)
    for place in draw.sample(range(2000), changed):
        other[place] = "other"
    one, other = " ".join(one), " ".join(other)
    a, b = runs(one), runs(other)
    truth = len(a & b) / len(a | b)
    deviation = (truth * (1 - truth) / PERMUTATIONS) ** 0.5
    assert abs(alike(one, other) - truth) <= 4 * deviation + 1e-9


def test_books_of_one_library_are_not_alike_but_their_copies_are(shared_data):
    books = [
        (shared_data / "text" / name).read_text(encoding="utf-8")
        for name in ("sherlock-holmes-1661.txt", "pride-and-prejudice-1342.txt")
    ]
    assert alike(*books) < 0.1
    shorter = books[0][: int(len(books[0]) * 0.9)].rsplit(" ", 1)[0]
    assert alike(books[0], shorter) == pytest.approx(0.9, abs=0.1)
    assert alike(books[0], books[0].upper()) == 1.0


def test_texts_of_few_words_or_none_are_alike_only_if_they_are_the_same():
    assert alike("one two", "One, two!") == 1.0
    assert alike("one two", "one three") < 0.1
    assert alike("?!", "..!") < 0.1
    assert alike("🙂", "🙁") < 0.1
    assert alike("---", "a b c d e f") < 0.1


# --- groups --------------------------------------------------------------------------------------


def random_signatures(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**32, (count, PERMUTATIONS), np.uint32)


def changed(signature, share, seed=2):
    """A signature that agrees in all but this share of its places."""
    copy = signature.copy()
    draw = np.random.default_rng(seed)
    places = draw.permutation(PERMUTATIONS)[: round(share * PERMUTATIONS)]
    copy[places] = draw.integers(0, 2**32, len(places), np.uint32)
    return copy


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8, 0.9, 1.0])
def test_pairs_above_the_similarity_are_found_and_others_are_not(similarity):
    signatures = random_signatures(600)
    for number in range(200):
        signatures[200 + number] = changed(signatures[number], 0.6 * (1 - similarity), number)
        signatures[400 + number] = changed(signatures[number], 1 - 0.8 * similarity, 1000 + number)
    first = first_of_its_kind(signatures, similarity, float)
    assert (first[200:400] == np.arange(200)).mean() > 0.97
    assert (first[:200] == np.arange(200)).all()
    assert (first[400:] == np.arange(400, 600)).all()


def test_bands_hardly_miss_a_pair_that_is_just_alike_enough():
    for similarity in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        bands, rows = bands_for(similarity)
        assert bands * rows == PERMUTATIONS
        assert (1 - similarity**rows) ** bands <= 0.01


def test_many_copies_of_one_document_are_one_kind():
    signatures = np.repeat(random_signatures(3), 5000, axis=0)
    order = np.random.default_rng(5).permutation(len(signatures))
    first = first_of_its_kind(signatures[order], 0.8, float)
    assert len(np.unique(first)) == 3
    assert (first <= np.arange(len(first))).all()


def test_documents_that_are_alike_by_way_of_others_alone_are_told_apart():
    """Each is much like the one before it; the first and the last have nothing in common."""
    signatures = random_signatures(9)
    for number in range(8):
        signatures[number + 1] = signatures[number]
        signatures[number + 1, 16 * number : 16 * number + 16] += 1
    first = first_of_its_kind(signatures, 0.8, float)
    assert first.tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8]


def test_documents_with_a_common_part_do_not_hide_a_pair():
    """All share a band, such as a licence's words; the pair stands at both ends."""
    signatures = random_signatures(3000)
    signatures[:, :32] = signatures[0, :32]
    signatures[-1] = changed(signatures[0], 0.1)
    first = first_of_its_kind(signatures, 0.8, float)
    assert first[-1] == 0
    assert (first[:-1] == np.arange(2999)).all()


def test_no_documents_and_one_are_no_surprise(tmp_path):
    path = tmp_path / "none"
    path.write_bytes(b"")
    assert len(first_of_its_kind(map_signatures(path), 0.8, float)) == 0
    assert first_of_its_kind(random_signatures(1), 0.8, float).tolist() == [0]


def test_the_search_can_be_stopped():
    class Stopped(Exception):  # noqa: N818 - an outcome
        pass

    def tick(share):
        if share > 0.3:
            raise Stopped

    with pytest.raises(Stopped):
        first_of_its_kind(random_signatures(50), 0.8, tick)
