"""What a job and its peers say to each other."""

# No `from __future__ import annotations`: msgspec resolves these annotations at run time.

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PROTOCOL_VERSION = 1

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Base(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag=lambda name: "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_"),
    tag_field="type",
):
    """A message; its `type` is the class name in snake case."""


# --- proof of identity, on loopback only --------------------------------------------------------


class Challenge(Base, frozen=True, kw_only=True):
    """Job to client: prove that you can read this run's token."""

    nonce: bytes


class Proof(Base, frozen=True, kw_only=True):
    """Client to job: the answer, and a question in return."""

    answer: bytes
    nonce: bytes


# --- client to job -----------------------------------------------------------------------------


class Pause(Base, frozen=True, kw_only=True):
    """Save, free the memory, and end so that the job can be resumed exactly."""


class Stop(Base, frozen=True, kw_only=True):
    """Save and end."""


class CheckpointNow(Base, frozen=True, kw_only=True):
    """Save a checkpoint after this step and go on."""


class ChangePlan(Base, frozen=True, kw_only=True):
    """Change the plan of a training at its next step; what is None stays."""

    lr: Annotated[float, Meta(gt=0.0, le=10.0)] | None = None
    """Peak learning rate of the schedule, from there on."""
    steps: Annotated[int, Meta(ge=1)] | None = None
    """The run's length."""
    why: Annotated[str, Meta(max_length=2000)] = ""


class Generate(Base, frozen=True, kw_only=True):
    """Continue a prompt; answered by PromptRead, TokenWritten … and GenerationEnded."""

    request: int
    prompt: str
    temperature: Annotated[float, Meta(ge=0.0, le=100.0)] = 0.8
    """0 takes the likeliest token each time."""
    top_k: Annotated[int, Meta(ge=0)] = 50
    """0 keeps all."""
    top_p: Share = 0.95
    min_p: Share = 0.05
    repetition_penalty: Annotated[float, Meta(gt=0.0, le=10.0)] = 1.0
    max_tokens: Annotated[int, Meta(ge=1, le=100_000)] = 300
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    use_index: bool = True
    stop: tuple[str, ...] = ()


class Cancel(Base, frozen=True, kw_only=True):
    """End a generation early."""

    request: int


class FindSources(Base, frozen=True, kw_only=True):
    """Where did this written token come from? Answered by SourcesFound."""

    request: int
    token_index: Annotated[int, Meta(ge=0)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 8


# --- job to client -----------------------------------------------------------------------------


class Welcome(Base, frozen=True, kw_only=True):
    """The first message of a job to a peer that it trusts."""

    version: int
    verb: str
    pid: int
    answer: bytes = b""
    """On loopback: the proof that the job knows the token too."""


class Changed(Base, frozen=True, kw_only=True):
    """The job's files have grown to these sizes."""

    journal_bytes: int
    step_rows: int
    system_rows: int


class Accepted(Base, frozen=True, kw_only=True):
    """The command will be carried out."""

    command: str


class Refused(Base, frozen=True, kw_only=True):
    """The command or the message was not accepted."""

    command: str
    what: str
    safe: str = ""
    do: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A token that could have come next, with its probability before sampling limits."""

    data: bytes
    probability: float


class PromptRead(Base, frozen=True, kw_only=True):
    """The prompt is in the model."""

    request: int
    tokens: int
    dropped: int = 0
    """Tokens cut off at the front because the context is shorter."""
    note: str = ""
    """What is absent, such as the index, or an empty string."""


class TokenWritten(Base, frozen=True, kw_only=True):
    """The model wrote a token. `data` is its bytes: a character may span several tokens."""

    request: int
    index: int
    token: int
    data: bytes
    match_length: int = 0
    match_kind: Literal["none", "prompt", "index"] = "none"
    followed: bool = False
    """Whether the written token is the one that followed the match."""
    probability: float = 0.0
    entropy: float = 0.0
    """Of the whole next-token distribution, in nats."""
    top: tuple[Candidate, ...] = ()
    document: str = ""
    """Title of the document of the match."""


class GenerationEnded(Base, frozen=True, kw_only=True):
    """No more tokens follow for this request."""

    request: int
    reason: Literal["max_tokens", "stop", "separator", "cancelled", "failed"]
    tokens: int
    seconds: float
    note: str = ""


class SourcePlace(msgspec.Struct, frozen=True, kw_only=True):
    """One place in the training text where the matched tokens stand."""

    document: int
    title: str
    path: str
    position: int
    """Token within the document at which the matched run ends, from 0."""
    document_tokens: int
    before: str
    matched: str
    following: str
    """Text of the token that followed there."""
    after: str
    text: str = ""
    """Hash of the document's whole text, as `exclude` takes it behind `text:`; empty in an older
    corpus."""


class SourcesFound(Base, frozen=True, kw_only=True):
    """The places behind a written token, most recent first."""

    request: int
    token_index: int
    match_length: int
    occurrences: int
    documents: int
    places: tuple[SourcePlace, ...] = ()
    note: str = ""


Message = (
    Challenge
    | Proof
    | Pause
    | Stop
    | CheckpointNow
    | ChangePlan
    | Generate
    | Cancel
    | FindSources
    | Welcome
    | Changed
    | Accepted
    | Refused
    | PromptRead
    | TokenWritten
    | GenerationEnded
    | SourcesFound
)


def name_of(message: Message) -> str:
    """The message's `type`, such as `checkpoint_now`."""
    return str(message.__struct_config__.tag)
