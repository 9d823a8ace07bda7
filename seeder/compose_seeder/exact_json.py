"""JSON that keeps every digit: a number with a fraction or an exponent is a Decimal, not a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

Json = Any
"""A value of JSON: null, true, a number, a text, an array, an object."""

_decoder = Decoder(float_hook=Decimal)
_encoder = Encoder(decimal_format="number")


def decode(data: bytes | memoryview) -> Any:
    """Return the value of JSON text.

    Raises:
        msgspec.DecodeError: the text is not valid JSON.
    """
    try:
        return _decoder.decode(data)
    except (UnicodeDecodeError, RecursionError, InvalidOperation) as error:
        # Text that is not UTF-8, nesting that is too deep, a number beyond the limits of Decimal.
        raise DecodeError(str(error)) from None


def encode(value: Any) -> bytes:
    """Return the JSON text of a value; `msgspec.Raw` in it stays unchanged."""
    return _encoder.encode(value)
