"""The job's local socket: hints and commands, never the only copy of anything.

Frames are a little-endian u32 length and a msgpack message of at most 1 MiB. On Unix the job
listens on a socket in a private folder and checks the peer's user; elsewhere on loopback with a
token of its own for each run and mutual proof (HMAC-SHA-256).
"""

from trainer_core.protocol.address import Owner, read_owner
from trainer_core.protocol.client import Client, send_command
from trainer_core.protocol.frames import FRAME_BYTES_MAX, FrameReader, encode_frame
from trainer_core.protocol.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    Candidate,
    Changed,
    ChangePlan,
    CheckpointNow,
    FindSources,
    Generate,
    GenerationEnded,
    Message,
    Pause,
    PromptRead,
    Refused,
    SourcePlace,
    SourcesFound,
    Stop,
    TokenWritten,
    Welcome,
)
from trainer_core.protocol.server import Peer, Server

__all__ = [
    "FRAME_BYTES_MAX",
    "PROTOCOL_VERSION",
    "Accepted",
    "Cancel",
    "Candidate",
    "ChangePlan",
    "Changed",
    "CheckpointNow",
    "Client",
    "FindSources",
    "FrameReader",
    "Generate",
    "GenerationEnded",
    "Message",
    "Owner",
    "Pause",
    "Peer",
    "PromptRead",
    "Refused",
    "Server",
    "SourcePlace",
    "SourcesFound",
    "Stop",
    "TokenWritten",
    "Welcome",
    "encode_frame",
    "read_owner",
    "send_command",
]
