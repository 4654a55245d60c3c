"""Vocabularies through tiktoken, which fetches what it does not have."""

from __future__ import annotations

import threading
from collections.abc import Callable

import tiktoken

FETCH_LIMIT_S = 30.0
_POLL_S = 0.1


class NotFetched(Exception):  # noqa: N818 - an outcome: the caller says what can be done
    """A vocabulary is not to be had, for this reason."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def fetched(name: str, poll: Callable[[], None]) -> tiktoken.Encoding:
    """One of tiktoken's encodings; tiktoken checks the hash of what it loads.

    Args:
        name: As tiktoken calls it.
        poll: Called several times a second; may raise to give up.

    Raises:
        NotFetched: There is no network, no answer in time, or no room for tiktoken's cache.
    """
    fetching = _Fetching(name)
    fetching.start()
    waited_s = 0.0
    while fetching.is_alive() and waited_s < FETCH_LIMIT_S:
        poll()
        fetching.join(_POLL_S)
        waited_s += _POLL_S
    if fetching.encoding is None:
        raise NotFetched(fetching.why or f"no answer within {FETCH_LIMIT_S:.0f} seconds")
    return fetching.encoding


class _Fetching(threading.Thread):
    """Asks tiktoken in the background, because its download has no time limit.

    When it comes too late it still fills tiktoken's cache, so that the next try succeeds.
    """

    def __init__(self, encoding_name: str) -> None:
        super().__init__(name=f"fetch-{encoding_name}", daemon=True)
        self.encoding: tiktoken.Encoding | None = None
        self.why = ""
        self._encoding_name = encoding_name

    def run(self) -> None:
        try:
            self.encoding = tiktoken.get_encoding(self._encoding_name)
        except OSError as error:  # no network, no server, no room for tiktoken's cache
            self.why = f"{type(error).__name__}"
        except (ValueError, AssertionError) as error:  # something else came instead of the files
            self.why = str(error) or "the files that came are others"
