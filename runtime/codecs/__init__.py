"""From the bytes of a message to samples, one module a format. What a codec of one's own needs is named here
(docs/messages.md); it is found by its entry point in the group `vcedge.codecs`."""

from vcedge.runtime.codecs.reading import Codec, Limits, Reading, Undecodable

__all__ = ["Codec", "Limits", "Reading", "Undecodable"]
