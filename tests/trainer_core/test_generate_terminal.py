import json

import pytest
from tiny_run import indexed_run

from trainer_core.__main__ import main
from trainer_core.errors import ExitCode


def sample(capsys, *options):
    code = main(["sample", str(indexed_run().folder), "--prompt", "They took", *options])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_sample_continues_the_prompt_on_standard_output(capsys):
    code, out, err = sample(capsys, "--max-tokens", "12", "--temperature", "0")
    assert code == ExitCode.OK
    assert out.startswith("They took some honey")
    assert "continue a match of 4 tokens or more" in err


def test_json_has_every_tokens_figures(capsys):
    _, out, _ = sample(capsys, "--max-tokens", "6", "--temperature", "0", "--json")
    content = json.loads(out)
    assert content["text"] == "".join(token["text"] for token in content["tokens"])
    first = content["tokens"][0]
    assert first["match_kind"] == "index"
    assert first["match_length"] > 0
    assert first["document"].startswith("texts/verse-")
    assert len(first["top"]) == 8


def test_the_seed_gives_the_same_text_again(capsys):
    options = ("--max-tokens", "20", "--temperature", "1.5", "--seed", "3")
    assert sample(capsys, *options)[1] == sample(capsys, *options)[1]


def test_the_index_can_be_left_out(capsys):
    texts = [
        json.loads(sample(capsys, "--max-tokens", "6", "--json", *flag)[1])
        for flag in ((), ("--no-index",))
    ]
    figures = [[token["probability"] for token in text["tokens"]] for text in texts]
    assert figures[0] != figures[1]


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [("--temperature", "-1", "temperature"), ("--top-p", "2", "top_p"), ("--seed", "-1", "seed")],
)
def test_an_option_out_of_range_is_named(capsys, option, value, named):
    code, _, err = sample(capsys, option, value)
    assert code == ExitCode.USAGE
    assert named in err


def test_a_checkpoint_that_is_not_there_is_a_known_error(capsys):
    code, _, err = sample(capsys, "--checkpoint", "12345")
    assert code == ExitCode.KNOWN_ERROR
    assert "12345" in err
