"""TensorBoard's event files: records with checksums, and the few messages that hold scalars.

A record is u64 length, u32 masked CRC-32C of the length, the payload, u32 masked CRC-32C of it.
The packages that read and write these files bring torch or TensorFlow along, which the studio must
not load; the messages themselves are protobuf's work, described here by their numbers.

Source: tensorflow/core/lib/io/record_writer.h, and the .proto files of TensorBoard.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HEAD: Final = struct.Struct("<QI")
TAIL: Final = struct.Struct("<I")
SCALAR_BYTES_MAX: Final = 64 * 1024
"""Longer records are pictures, histograms and graphs: they are passed over unread."""
RECORD_BYTES_MAX: Final = 1 << 31
_POLYNOMIAL: Final = 0x82F63B78
_MASK: Final = 0xA282EAD8

Bytes = NDArray[np.uint8]
Sums = NDArray[np.uint32]


@lru_cache(maxsize=1)
def _table() -> Sums:
    """CRC-32C (Castagnoli) of each byte."""
    made = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        made = np.where(made & 1, (made >> 1) ^ np.uint32(_POLYNOMIAL), made >> 1)
    return made


def masked_sums(payloads: list[bytes]) -> Sums:
    """Masked CRC-32C of many payloads, (n,), worked out side by side: one byte of each at a time.

    Source: RFC 3720, appendix B.4; the mask is TensorFlow's `crc32c::Mask`.
    """
    sums = np.full(len(payloads), 0xFFFFFFFF, np.uint32)
    order = sorted(range(len(payloads)), key=lambda at: -len(payloads[at]))
    lengths = np.array([len(payloads[at]) for at in order], np.int64)
    joined = np.frombuffer(b"".join(payloads[at] for at in order), np.uint8)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    table = _table()
    running = sums.copy()
    longest = int(lengths[0]) if len(lengths) else 0
    for place in range(longest):
        # They lie longest first: those that have a byte here are the first ones.
        count = int(np.searchsorted(-lengths, -place, side="left"))
        part = running[:count]
        byte = joined[starts[:count] + place]
        running[:count] = table[(part ^ byte) & 0xFF] ^ (part >> np.uint32(8))
    sums[order] = running ^ np.uint32(0xFFFFFFFF)
    rotated = (sums >> np.uint32(15)) | (sums << np.uint32(17))
    return rotated + np.uint32(_MASK)


@lru_cache(maxsize=1)
def _plain_table() -> list[int]:
    found: list[int] = _table().tolist()
    return found


def masked_sum(payload: bytes) -> int:
    """Masked CRC-32C of a few bytes, such as the length of a record."""
    table, sum_ = _plain_table(), 0xFFFFFFFF
    for byte in payload:
        sum_ = table[(sum_ ^ byte) & 0xFF] ^ (sum_ >> 8)
    sum_ ^= 0xFFFFFFFF
    return ((sum_ >> 15 | sum_ << 17) + _MASK) & 0xFFFFFFFF


@lru_cache(maxsize=1)
def event_class() -> Any:  # noqa: ANN401 - protobuf makes the class at run time
    """The message `Event`, with the fields that scalars and texts need."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="hearth_events.proto", package="hearth_events", syntax="proto3"
    )
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(name: str, *fields: tuple[str, int, int, bool, str]) -> None:
        made = file.message_type.add(name=name)
        for field, number, kind, repeated, of in fields:
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            made.field.add(
                name=field,
                number=number,
                type=kind,  # type: ignore[arg-type, unused-ignore]  # some stubs know no int here
                label=label,
                type_name=f".hearth_events.{of}" if of else None,
            )

    text, data, whole = kinds.TYPE_STRING, kinds.TYPE_BYTES, kinds.TYPE_INT64
    single, double, inner = kinds.TYPE_FLOAT, kinds.TYPE_DOUBLE, kinds.TYPE_MESSAGE
    number = kinds.TYPE_INT32
    message("Dim", ("size", 1, whole, False, ""))
    message("Shape", ("dim", 2, inner, True, "Dim"))
    message(
        "Tensor",
        ("dtype", 1, number, False, ""),
        ("shape", 2, inner, False, "Shape"),
        ("content", 4, data, False, ""),
        ("floats", 5, single, True, ""),
        ("doubles", 6, double, True, ""),
        ("strings", 8, data, True, ""),
    )
    message("Plugin", ("name", 1, text, False, ""))
    message("Metadata", ("plugin", 1, inner, False, "Plugin"))
    message(
        "Value",
        ("tag", 1, text, False, ""),
        ("simple", 2, single, False, ""),
        ("tensor", 8, inner, False, "Tensor"),
        ("metadata", 9, inner, False, "Metadata"),
    )
    # Whether a number is there or merely 0 can only be asked of a member of a choice.
    value = file.message_type[-1]
    value.oneof_decl.add(name="value")
    for field in value.field:
        if field.name in ("simple", "tensor"):
            field.oneof_index = 0
    message("Summary", ("value", 1, inner, True, "Value"))
    message(
        "Event",
        ("wall_time", 1, double, False, ""),
        ("step", 2, whole, False, ""),
        ("version", 3, text, False, ""),
        ("summary", 5, inner, False, "Summary"),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("hearth_events.Event"))
