"""What the playground counts and says of tokens: no window, no server."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_for_tests import add_run, place, token

from studio.pages.playground.document import read_document
from studio.pages.playground.servers import pick, read_choices
from studio.pages.playground.session import ServerEndedError, why_it_ended
from studio.pages.playground.stats import match_shares
from studio.pages.playground.words import (
    ended_words,
    kind_words,
    matched_words,
    occurrence_parts,
    rate_parts,
)
from studio.storage.library import Library
from trainer_core.journal import JournalWriter
from trainer_core.protocol import GenerationEnded, SourcesFound
from trainer_core.records import Ended, JobStarted
from trainer_core.status import JOURNAL_FILE


def test_shares_count_only_tokens_that_go_on_with_their_match() -> None:
    tokens = [token(1, 0), token(1, 1, 9), token(1, 2, 9, followed=False), token(1, 3, 4)]
    shares = match_shares(tokens)
    assert shares.tokens == 4
    assert shares.strong == 0.25
    assert shares.by_step == (0.5, 0.25, 0.25, 0.0, 0.0)
    assert shares.verbatim == 0.0


def test_a_match_of_32_makes_the_whole_run_verbatim() -> None:
    tokens = [token(1, i, min(i, 32)) for i in range(40)] + [token(1, 40)]
    assert match_shares(tokens).verbatim == pytest.approx(40 / 41)
    own = [token(1, i, min(i, 32), match_kind="prompt" if i else "none") for i in range(40)]
    shares = match_shares(own)
    assert shares.verbatim == 0.0
    assert shares.own == shares.strong > 0.7
    assert match_shares([]).tokens == 0


def test_words_tell_copies_from_own_words() -> None:
    assert matched_words(token(1, 1, 1)) == "matched 1 token"
    assert matched_words(token(1, 1)) == "no match"
    assert "the model's own" in kind_words(token(1, 1))
    assert kind_words(token(1, 1, 5)) == "Goes on as in apiary.txt."
    assert "otherwise" in kind_words(token(1, 1, 5, followed=False))
    assert kind_words(token(1, 1, 5, match_kind="prompt")) == "Goes on as earlier in this text."


def test_what_followed_is_counted_over_the_places_at_hand() -> None:
    places = (place(), place(), place(following=" have"))
    found = SourcesFound(
        request=1, token_index=1, match_length=3, occurrences=3, documents=2, places=places
    )
    text = "".join(part.text for part in occurrence_parts(found))
    assert text == "3 occurrences in 2 documents. What followed: flight 2, have 1."
    nothing = SourcesFound(
        request=1, token_index=1, match_length=0, occurrences=0, documents=0, note="No index."
    )
    assert [part.text for part in occurrence_parts(nothing)] == ["No index."]


def test_a_rate_needs_two_tokens_and_some_time() -> None:
    assert rate_parts(1, 1.0) == []
    assert rate_parts(10, 0.0) == []
    assert rate_parts(300, 1.4)[0].text == "214"
    ended = GenerationEnded(request=1, reason="separator", tokens=1, seconds=1.0)
    assert ended_words(ended) == "The model ended the text"


def test_choices_are_the_checkpoints_that_are_on_disk(private_home: Path) -> None:
    library = Library.open(private_home)
    run = add_run(library, steps=(100, 200, 300))
    (run.folder / "checkpoints" / "step-00000200").rmdir()
    choices = read_choices(library)
    assert [(c.step, c.tags) for c in choices] == [(300, "last"), (100, "best")]
    assert pick(choices, run.id, 300) == choices[0]
    assert pick(choices, run.id, 200) == choices[1]
    assert pick(choices, None, None) == choices[1]
    assert pick([], run.id, None) is None
    library.close()


def test_a_document_is_found_by_its_surroundings(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    twice = "x They shiver their flight muscles. do the bees do? They shiver their flight"
    path.write_text(f"{twice} muscles to produce heat.", encoding="utf-8")
    document = read_document(place(str(path)))
    assert document.note == ""
    assert document.text[document.start : document.end] == " They shiver their"
    assert document.text[: document.start].endswith("do the bees do?")
    path.write_text("Something else.", encoding="utf-8")
    document = read_document(place(str(path)))
    assert "has changed" in document.note
    assert document.text[document.start : document.end] == " They shiver their"


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Ended(state="failed", exit_code=3, what="No checkpoint."), "No checkpoint."),
        (Ended(state="finished", exit_code=0), "unloaded"),
        (None, "without a word"),
    ],
)
def test_the_journal_of_a_server_says_why_it_ended(
    tmp_path: Path, ended: Ended | None, words: str
) -> None:
    with JournalWriter(tmp_path / JOURNAL_FILE) as journal:
        journal.append(JobStarted(verb="generate", pid=1, host="here", version="0"))
        if ended is not None:
            journal.append(ended)
    error = why_it_ended(tmp_path)
    assert isinstance(error, ServerEndedError)
    assert words in error.what
    assert error.do or ended is not None
