"""The kept hashes behave as a set and a list of them would."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from trainer_core.data.preparing.digests import Digests

# Few beginnings and ends, so that many fall on one slot and some are equal.
digest = st.builds(
    lambda start, end: bytes([start]) * 8 + bytes([end]) * 8, st.integers(0, 3), st.integers(0, 9)
)


@given(st.lists(digest, max_size=60))
def test_each_is_kept_once_and_in_order(added):
    kept = Digests()
    for number, one in enumerate(added):
        assert (one in kept) is (one in added[:number])
        assert kept.add(one) is (one not in added[:number])
    assert [kept[number] for number in range(len(kept))] == list(dict.fromkeys(added))


def test_many_are_found_again():
    kept = Digests()
    made = [hashlib.blake2b(str(n).encode(), digest_size=16).digest() for n in range(20_000)]
    assert all(kept.add(one) for one in made)
    assert not any(kept.add(one) for one in made)
    assert [kept[n] for n in (0, 777, 19_999)] == [made[n] for n in (0, 777, 19_999)]
