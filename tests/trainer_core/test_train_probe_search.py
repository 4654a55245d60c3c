"""Which trials a probe makes, on a computer whose speed and memory are a formula."""

import pytest

from trainer_core.probe_table import ProbeRow, Variant, recommend
from trainer_core.train.probe.search import Search

PLAIN = Variant(precision="fp32")


class Computer:
    """Steps take `fixed_s` and `each_s` for each sequence; memory holds `room` sequences."""

    def __init__(self, *, room=10**9, fixed_s=0.1, each_s=0.01, trial_s=1.0):
        self.room, self.fixed_s, self.each_s, self.trial_s = room, fixed_s, each_s, trial_s
        self.now_s = 0.0

    def search(self, sizes=range(1, 1025), deadline_s=1000.0):
        return Search(self.measure, tuple(sizes), deadline_s, clock=lambda: self.now_s)

    def measure(self, size, variant, left_s):
        step_s = self.fixed_s + self.each_s * size
        self.now_s += min(left_s, self.trial_s + 5 * step_s)
        row = {"batch_size": size, "variant": variant}
        if size > self.room:
            return ProbeRow(**row, failure="memory")
        if 5 * step_s > left_s:
            return ProbeRow(**row, failure="time")
        return ProbeRow(**row, tokens_per_s=size / step_s, step_ms=step_s * 1000)


def tried(search):
    return [row.batch_size for row in search.rows]


def test_batches_double_until_they_are_no_faster():
    search = Computer(fixed_s=0.1, each_s=0.01).search()
    assert search.grow(PLAIN) == "speed"
    assert tried(search) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    best = search.rows[recommend(tuple(search.rows))]
    assert best.batch_size == 256  # 512 and 1024 are faster by less than 3 %


def test_the_search_ends_at_the_largest_size():
    search = Computer().search(range(1, 9))
    assert search.grow(PLAIN) == "largest"
    assert tried(search) == [1, 2, 4, 8]


@pytest.mark.parametrize("room", [1, 2, 3, 23, 24, 25, 31, 33, 100, 511])
def test_memorys_end_is_found_by_bisection(room):
    search = Computer(room=room, fixed_s=5.0).search()
    assert search.grow(PLAIN) == "memory"
    fits = max(row.batch_size for row in search.rows if row.ok)
    fails = min(row.batch_size for row in search.rows if not row.ok)
    assert fits <= room < fails
    assert fails == fits + 1 or fails <= fits * 1.15
    assert len(search.rows) < 16


def test_a_model_that_does_not_fit_at_all_is_tried_once():
    search = Computer(room=0).search()
    assert search.grow(PLAIN) == "memory"
    assert tried(search) == [1]
    assert recommend(tuple(search.rows)) is None


def test_only_divisors_of_the_batch_are_tried():
    search = Computer(room=20, fixed_s=5.0).search([1, 2, 3, 4, 6, 8, 12, 24])
    assert search.grow(PLAIN) == "memory"
    assert set(tried(search)) == {1, 2, 4, 8, 24, 12}


def test_the_time_ends_the_search_and_is_not_exceeded():
    computer = Computer(fixed_s=1.0)
    search = computer.search(deadline_s=20.0)
    assert search.grow(PLAIN) == "time"
    assert computer.now_s <= 20.0
    assert tried(search) == [1, 2, 4]


def test_a_first_trial_is_made_however_little_time_there_is():
    search = Computer().search(deadline_s=0.5)
    assert search.grow(PLAIN) == "time"
    assert len(search.rows) == 1


def test_growing_goes_on_from_a_size_that_is_known():
    search = Computer(fixed_s=0.01).search()
    assert search.grow(PLAIN, first=16, speed=99.0) == "speed"
    assert tried(search) == [16, 32]


def test_below_a_size_that_is_known_nothing_is_sought():
    search = Computer(room=10, fixed_s=5.0).search()
    assert search.grow(PLAIN, first=11) == "memory"
    assert tried(search) == [11]


# --- the recommendation ---------------------------------------------------------------------------


def row(size, speed, memory=0, **variant):
    return ProbeRow(
        batch_size=size,
        variant=Variant(precision="fp32", **variant),
        tokens_per_s=speed,
        peak_memory_bytes=memory,
    )


def test_among_equally_fast_rows_the_one_that_asks_for_least_is_recommended():
    assert recommend((row(8, 100), row(16, 120), row(32, 122))) == 1
    assert recommend((row(16, 120, compile=True), row(16, 119))) == 1
    assert recommend((row(16, 119), row(16, 150, compile=True))) == 1
    assert recommend((row(32, 101, activation_checkpointing=True), row(16, 100))) == 1


def test_what_did_not_work_is_never_recommended():
    failed = ProbeRow(batch_size=64, variant=PLAIN, failure="memory")
    assert recommend((failed, row(1, 1.0))) == 1
    assert recommend((failed,)) is None
    assert recommend(()) is None
