"""Where a request goes: the address of a system and a target in it, as they stand on the wire."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

_AS_IS = "%:/?[]@!$&'()*+,;="  # what may stand in a target (RFC 3986 2); anything else is encoded


def origin_of(url: str) -> str:
    """Scheme and host of a system's address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_ascii(parts.netloc)}"


def address_in(origin: str, target: str) -> str:
    """The whole address of a target, path and query, at an origin."""
    return origin + quote(target, safe=_AS_IS)


def _ascii(netloc: str) -> str:
    """A host's name as the wire has it (RFC 5891): libcurl's builds differ in whether they know other letters."""
    if netloc.isascii():
        return netloc
    import idna  # noqa: PLC0415  (large, and nearly every host is named in plain letters)

    host, colon, port = netloc.partition(":")
    return idna.encode(host, uts46=True).decode() + colon + port
