"""Opens the adapter a system names. Adapters and what they need are loaded here, when one is opened, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from erpsync.adapters.protocol import Adapter
from erpsync.config.landscape import Limits, System
from erpsync.errors import LandscapeError

ADAPTERS = ("http", "files", "tryton")


def open_adapter(
    system: System, *, secret: str | None, currency: str, now: Callable[[], datetime], company_zone: str
) -> Adapter:
    """The adapter of ``system``, without any call to it; raises LandscapeError for what cannot be.

    ``currency`` is for documents that name none, ``company_zone`` the zone of business days.
    """
    match system.adapter:
        case "http":
            from erpsync.adapters.http.adapter import HttpAdapter  # noqa: PLC0415  (loads libcurl)

            return HttpAdapter(system, secret=secret, currency=currency, now=now, company_zone=company_zone)
        case "files":
            from erpsync.adapters.files import FilesAdapter  # noqa: PLC0415  (loaded only where it is used)

            return FilesAdapter(system, currency=currency, now=now)
        case "tryton":
            from erpsync.adapters.tryton import TrytonAdapter  # noqa: PLC0415  (loads libcurl)

            return TrytonAdapter(system, secret=secret, currency=currency, now=now)
    raise LandscapeError(
        f"system {system.name} names the adapter {system.adapter!r}, which there is not",
        hint=f"adapters: {', '.join(ADAPTERS)}",
        where=f"systems.{system.name}.adapter",
        found=system.adapter,
        valid=ADAPTERS,
    )


def with_limits_of_spec(system: System) -> System:
    """The system with the limits its spec file names where the landscape says nothing of them."""
    if system.adapter != "http" or system.spec is None:
        return system
    from erpsync.adapters.http.loading import load_spec  # noqa: PLC0415  (loads jmespath)

    given = load_spec(system.spec, options=frozenset(system.options)).limits
    now, usual = system.limits, Limits()
    open_ = {name for name in given.model_fields_set if getattr(now, name) == getattr(usual, name)}
    gaps = {name: value for name in open_ if (value := getattr(given, name)) is not None}
    limits = replace(now, **gaps)
    if limits.deadline < limits.timeout:
        limits = replace(limits, deadline=limits.timeout)
    return replace(system, limits=limits) if gaps else system
