"""What goes wrong on the wire."""

from __future__ import annotations


class WireError(Exception):
    """Bytes that are no message. The text says what is wrong with them, in a few words."""


class Unsendable(WireError):  # noqa: N818
    """A value that is too large, too deep, or no data. The text completes 'it is ...'."""
