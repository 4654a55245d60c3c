"""Records: what older versions wrote still reads, and what is derived from the figures."""

import math

import msgspec
import pytest

from trainer_core.records import (
    GroupScore,
    MatchBucket,
    Measured,
    MeasuredSet,
    Record,
    Validated,
    perplexity_of,
)


def test_a_validation_of_an_older_version_has_one_set_and_no_groups():
    old = {
        "type": "validated",
        "time_s": 1.5,
        "step": 20,
        "tokens_seen": 2560,
        "loss": 3.25,
        "bits_per_byte": 1.5,
        "tokens": 256,
        "best": True,
        "seconds": 0.5,
        "buckets": [{"low": 4, "high": 5, "tokens": 120, "loss": 2.5, "hit_rate": 0.25}],
    }
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Record)
    bucket = MatchBucket(low=4, high=5, tokens=120, loss=2.5, hit_rate=0.25)
    assert record == Validated(
        time_s=1.5,
        step=20,
        tokens_seen=2560,
        loss=3.25,
        bits_per_byte=1.5,
        tokens=256,
        best=True,
        seconds=0.5,
        buckets=(bucket,),
    )
    assert (record.without_index, record.sets, record.groups) == (None, (), ())


def test_a_validation_with_everything_comes_back_as_it_was():
    measured = Measured(loss=2.0, bits_per_byte=1.0, tokens=64)
    record = Validated(
        step=1,
        tokens_seen=2,
        loss=3.0,
        bits_per_byte=1.5,
        tokens=64,
        best=False,
        without_index=measured,
        sets=(MeasuredSet(name="news", measured=measured, without_index=measured),),
        groups=(GroupScore(group="z", right=3, total=4),),
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) == record


def test_perplexity_is_the_exponential_of_the_loss_and_stays_finite():
    assert perplexity_of(2.0) == Measured(loss=2.0, bits_per_byte=1, tokens=1).perplexity
    assert perplexity_of(2.0) == pytest.approx(math.exp(2.0))
    assert math.isfinite(perplexity_of(1e6)) and math.isnan(perplexity_of(math.nan))


def test_the_accuracy_of_a_group_is_its_share_of_right_cases():
    assert GroupScore(group="z", right=3, total=4).accuracy == 0.75
    assert math.isnan(GroupScore(group="z", right=0, total=0).accuracy)
