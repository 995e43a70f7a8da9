"""File names made of business numbers. One number, one name; no name leads outside its folder."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

_LONGEST = 120
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def file_name(number: str, suffix: str) -> str:
    """``SO-1001.json``: all but letters, digits, ``.``, ``_`` and ``-`` as ``%2F``; long ones end in a hash."""
    name = quote(number, safe="").replace("~", "%7E")
    if name.startswith(".") or _RESERVED.match(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST].rsplit('%', 1)[0]}-{hashlib.sha256(number.encode()).hexdigest()[:32]}"
    return name + suffix
