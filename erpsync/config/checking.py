"""Makes the landscape of a TOML document, table by table, and finds every mistake in it.

One rule: what needs more than the file and the environment (a network, a store, an adapter) is not checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from erpsync.config.flows import read_flows, read_owners
from erpsync.config.landscape import LEAST_KEEP, Breaker, Landscape, Retry
from erpsync.config.systems import read_breaker, read_retry, read_systems
from erpsync.config.tables import Mistakes, Table
from erpsync.domain.values import currency_code

ROUNDING = "half-up per line"
COLOURS = ("red", "green", "yellow", "blue", "magenta", "cyan", "white", "black")
_LATER = (
    "approvals",
    "billing",
    "companies",
    "contracts",
    "exceptions",
    "freight",
    "gates",
    "gateway",
    "inventory",
    "limits",
    "locations",
    "metrics",
    "nats",
    "notify",
    "orders",
    "pricing",
    "retention",
    "returns",
    "roles",
    "sla",
    "steps",
    "tax",
    "users",
    "webhooks",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def build(document: dict[str, Any], *, file: Path, environ: Mapping[str, str]) -> tuple[Landscape, Mistakes]:
    """The landscape as far as it can be read (its ``digest`` still empty), and all that is wrong with it."""
    mistakes = Mistakes(environ)
    root = Table(document, (), mistakes)
    folder = file.parent
    retry = read_retry(root.table("retry"), Retry())
    breaker = read_breaker(root.table("breaker"), Breaker())
    systems = read_systems(root, folder, retry=retry, breaker=breaker)
    owners = read_owners(root, dict(systems))
    store = root.table("store")
    landscape = Landscape(
        name=_name(root, "name", required=True),
        production=root.flag("production"),
        colour=root.choice("colour", "", COLOURS),
        company=_name(root, "company", default="main"),
        timezone=_timezone(root),
        rounding=root.choice("rounding", ROUNDING, (ROUNDING,)),
        currency=_currency(root),
        keep=_keep(store),
        store=_store(store, folder),
        systems=systems,
        owners=owners,
        flows=read_flows(root, dict(systems), owners),
        file=file,
        digest="",
    )
    root.finish(later=_LATER)
    return landscape, mistakes


def _name(root: Table, key: str, *, default: str = "", required: bool = False) -> str:
    name = root.text(key, default, required=required, hint=f'{key} = "acme-test", shown on every screen')
    if name and not _NAME.fullmatch(name):
        root.wrong(key, "is no plain name", hint="letters, digits, dot, - and _, at most 60")
    return name


def _timezone(root: Table) -> str:
    zone = root.text("timezone", "UTC")
    try:
        ZoneInfo(zone or "UTC")
    except (
        OSError,
        ValueError,
        KeyError,
    ):  # a missing zone is a KeyError, an odd name a ValueError, a folder an OSError
        root.wrong("timezone", "no such time zone", hint='a name of the IANA list, like "Europe/Berlin" or "UTC"')
    return zone


def _currency(root: Table) -> str:
    currency = root.text("currency", "USD")
    try:
        currency_code(currency)
    except ValueError:
        root.wrong("currency", "is no currency code", hint='three letters of ISO 4217, like "EUR"')
    return currency


def _keep(table: Table) -> timedelta:
    usual = Landscape.keep
    keep = table.duration("keep", usual)
    if keep < LEAST_KEEP:
        table.wrong("keep", "is less than an hour", hint='like "90d"')
        return usual
    return keep


def _store(table: Table, folder: Path) -> Path:
    """The store's file, absolute: ``url = "sqlite:///erpsync.db"``, or ``path``; from the landscape's folder."""
    before = len(table.mistakes)
    url, path = table.expanded("url"), table.expanded("path")
    table.finish()
    default = folder / "erpsync.db"
    if len(table.mistakes) > before:
        return default
    if url and path:
        table.mistakes.at(("store", "path"), "url says where the store is already", hint="one of the two", on_key=True)
    if url:
        scheme, separator, rest = url.partition("://")
        if separator and scheme in ("postgresql", "postgres"):
            table.mistakes.not_built(("store", "url"), found=f"{scheme}://")
            return default
        if scheme != "sqlite" or not rest.startswith("/") or "?" in rest:
            shown = not separator or "@" not in rest
            table.wrong("url", "is no address of a store", hint='url = "sqlite:///erpsync.db"', shown=shown)
            return default
        path = rest[1:]
    if path in (":memory:", "") and (url or table.has("path")):
        table.wrong("url" if url else "path", "names no file", hint='url = "sqlite:///erpsync.db"')
        return default
    return (folder / path).absolute() if path else default
