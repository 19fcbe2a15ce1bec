"""Decodes the bytes of a message, one module a format.

This module exports what a plug-in codec needs (docs/messages.md), which is found by its entry point in the group
`vcedge.codecs`.
"""

from vcedge.runtime.codecs.reading import Codec, Limits, Reading, Undecodable

__all__ = ["Codec", "Limits", "Reading", "Undecodable"]
