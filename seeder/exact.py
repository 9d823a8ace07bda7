"""JSON that keeps every digit: a number that is no integer is a Decimal, not a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.json import Decoder, Encoder

_decoder = Decoder(float_hook=Decimal)
_encoder = Encoder(decimal_format="number")


def decode(data: bytes | memoryview) -> Any:
    """The value of JSON text.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _decoder.decode(data)


def encode(value: Any) -> bytes:
    """JSON text of a value; `msgspec.Raw` in it stays as it is."""
    return _encoder.encode(value)
