"""Frames on the wire: a u32 length and one message, read from chunks of any size."""

from __future__ import annotations

import struct

import msgspec

from trainer_core.errors import ProtocolError
from trainer_core.protocol.messages import Message

FRAME_BYTES_MAX = 1 << 20

_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def _protocol_error(reason: str) -> ProtocolError:
    return ProtocolError(
        f"A message on the job's socket is not valid: {reason}.",
        safe="The job goes on and ignores it.",
        do="Connect with the same version of Hearth.",
    )


def encode_frame(message: Message) -> bytes:
    """The bytes of one message.

    Raises:
        ProtocolError: It is larger than a frame may be.
    """
    payload = _encoder.encode(message)
    if len(payload) > FRAME_BYTES_MAX:
        raise _protocol_error(f"{len(payload):,} bytes are more than {FRAME_BYTES_MAX:,}")
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Collects bytes and gives whole messages; holds at most one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by these bytes.

        Raises:
            ProtocolError: A frame is too long or is no message; the connection is of no more use.
        """
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= _LENGTH.size:
            length: int = _LENGTH.unpack_from(self._buffer)[0]
            if length > FRAME_BYTES_MAX:
                raise _protocol_error(f"{length:,} bytes are more than {FRAME_BYTES_MAX:,}")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            try:
                messages.append(_decoder.decode(self._buffer[_LENGTH.size : end]))
            except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
                raise _protocol_error(str(error)) from None
            del self._buffer[:end]
        return messages
