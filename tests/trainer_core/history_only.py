"""The check that what a model is told of a token comes from the text up to and with that token."""

import numpy as np


def assert_history_only(told, text, cuts):
    """What is told of the first tokens is the same whatever comes after them, or nothing.

    Args:
        told: From a text, (n,) tokens, to named arrays with a row for each of its tokens, or for
            its first ones.
        text: The text, (n,).
        cuts: Numbers of first tokens to look at.

    Raises:
        AssertionError: Something told of a token depends on a later one.
    """
    whole = told(text)
    for cut in cuts:
        other = text.copy()
        other[cut:] = text[cut:][::-1]
        for future, changed in (("is cut off", text[:cut]), ("is another", other)):
            for name, values in told(changed).items():
                first = values[:cut]
                np.testing.assert_allclose(
                    first,
                    whole[name][: len(first)],
                    atol=1e-4 if first.dtype.kind == "f" else 0,
                    err_msg=f"{name} of the first {cut} tokens changes when what follows {future}",
                )
