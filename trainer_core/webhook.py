"""Messages to an address of the user's: one POST with JSON that common services understand.

Discord shows `content`; Slack, Mattermost and Google Chat show `text`; Gotify `title` and
`message`. The other keys are for programs of one's own.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Literal

from trainer_core import __version__
from trainer_core.errors import KnownError, SpecError
from trainer_core.manners import Occasion

TIMEOUT_S = 10.0
CONTENT_CHARS_MAX = 1_900
"""Discord takes 2,000 characters."""
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Message:
    """What somebody is told.

    Attributes:
        event: Which occasion it is, or a test.
        title: What happened, in a few words.
        text: More of it; may be empty.
        run: What people call the job.
        step: Of a training; None where it has none.
        time_s: When it happened, seconds since the epoch.
    """

    event: Occasion | Literal["test"]
    title: str
    text: str = ""
    run: str = ""
    step: int | None = None
    time_s: float = field(default_factory=time.time)

    def payload(self) -> dict[str, Any]:
        """As JSON values."""
        heading = f"{self.run}: {self.title}" if self.run else self.title
        whole = f"{heading}\n{self.text}" if self.text else heading
        short = whole if len(whole) <= CONTENT_CHARS_MAX else whole[: CONTENT_CHARS_MAX - 1] + "…"
        return {
            "event": self.event,
            "title": heading,
            "text": short,
            "content": short,
            "message": self.text or heading,
            "run": self.run,
            "step": self.step,
            "time_s": self.time_s,
        }


class WebhookError(KnownError):
    """A message could not be delivered.

    Args:
        what: Why; the address is a secret and never a part of it.
        safe: What is unharmed.
        do: What the user can do.
        passing: Whether trying again may help.
    """

    def __init__(self, what: str, *, safe: str, do: str, passing: bool) -> None:
        super().__init__(what, safe=safe, do=do)
        self.passing = passing


def check_address(address: str) -> None:
    """Refuse what cannot be an address for messages.

    Raises:
        SpecError: It is not a whole http or https address.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not address.isascii() or any(c.isspace() or ord(c) < 32 for c in address):
        raise SpecError(
            "This is not a web address that takes messages.",
            safe="Nothing was sent.",
            do="Copy the whole address, from https:// on, from the service's settings.",
            field="webhook",
        )


def post(address: str, message: Message, timeout_s: float = TIMEOUT_S) -> None:
    """Deliver a message; waits for the service.

    Args:
        address: Whole, with http or https.
        message: What to say.
        timeout_s: How long each answer on the way may take.

    Raises:
        SpecError: It is no such address.
        WebhookError: It was not delivered.
    """
    check_address(address)
    request = urllib.request.Request(
        address,
        data=json.dumps(message.payload()).encode(),
        headers={"Content-Type": "application/json", "User-Agent": f"Hearth/{__version__}"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(f"the service answers {error.code}", error.code in _RETRIED) from None
    except TimeoutError:
        raise _failed("the service does not answer", passing=True) from None
    except urllib.error.URLError as error:
        reason = error.reason
        words = reason.strerror if isinstance(reason, OSError) else ""
        raise _failed(words or "the service cannot be reached", passing=True) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(f"the connection broke ({type(error).__name__})", passing=True) from None


def _failed(why: str, passing: bool) -> WebhookError:
    return WebhookError(
        f"The message was not delivered: {why}.",
        safe="The training is not affected.",
        do="Check the address and the network, then send a test.",
        passing=passing,
    )
