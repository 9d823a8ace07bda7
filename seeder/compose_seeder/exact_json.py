"""JSON that keeps every digit: a number that is no integer is a Decimal, not a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

_decoder = Decoder(float_hook=Decimal)
_encoder = Encoder(decimal_format="number")


def decode(data: bytes | memoryview) -> Any:
    """The value of JSON text.

    Raises:
        msgspec.DecodeError: it is none.
    """
    try:
        return _decoder.decode(data)
    except (UnicodeDecodeError, RecursionError, InvalidOperation) as error:
        # Text that is not UTF-8, a nesting without end, a number that no Decimal can be.
        raise DecodeError(str(error)) from None


def encode(value: Any) -> bytes:
    """JSON text of a value; `msgspec.Raw` in it stays as it is."""
    return _encoder.encode(value)
