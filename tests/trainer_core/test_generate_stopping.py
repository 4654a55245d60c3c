from hypothesis import given
from hypothesis import strategies as st

from trainer_core.generate.stopping import StopFilter
from trainer_core.generate.token import GeneratedToken


def token(index, data):
    return GeneratedToken(index, 0, data, 0, "none", -1, False, 0.5, 1.0, ())


def shown(pieces, stops):
    """What a reader sees, and whether the text was stopped."""
    stopper = StopFilter(stops)
    seen = []
    for index, piece in enumerate(pieces):
        seen += stopper.push(token(index, piece))
        if stopper.stopped:
            break
    else:
        seen += stopper.flush()
    return b"".join(t.data for t in seen), stopper.stopped


def test_without_stops_every_token_is_shown_at_once():
    stopper = StopFilter(("",))
    assert [t.data for t in stopper.push(token(0, b"ab"))] == [b"ab"]


def test_a_stop_within_a_token_shortens_it():
    assert shown([b"one ", b"two\n\nthree"], ["\n\n"]) == (b"one two", True)


def test_a_stop_over_several_tokens_leaves_nothing_of_itself():
    assert shown([b"yes", b"\n", b"You", b":", b" no"], ["\nYou:"]) == (b"yes", True)


def test_what_only_looked_like_a_stop_is_shown():
    assert shown([b"a\n", b"You", b" know"], ["\nYou:"]) == (b"a\nYou know", False)


def test_a_token_is_held_only_while_it_may_begin_a_stop():
    stopper = StopFilter(["END"])
    assert stopper.push(token(0, b"xE")) == []
    assert [t.data for t in stopper.push(token(1, b"x"))] == [b"xE", b"x"]


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=12),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_the_text_ends_before_the_first_stop(pieces, stops):
    text = "".join(pieces)
    ends = [text.find(stop) for stop in stops if stop in text]
    got, stopped = shown([piece.encode() for piece in pieces], stops)
    assert stopped == bool(ends)
    if not ends:
        assert got.decode() == text
    else:
        # The stop that is complete first ends the text; it may begin later than another.
        first_complete = min(text.find(s) + len(s) for s in stops if s in text)
        assert text.startswith(got.decode())
        assert len(got) <= first_complete
        assert not any(stop in got.decode() for stop in stops)
