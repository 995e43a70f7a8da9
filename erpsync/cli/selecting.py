"""What the options of a listing come to: one selection for the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from erpsync.cli.options import DEFAULT_LIMIT, FOR_PROGRAMS, Output
from erpsync.cli.output import warn
from erpsync.domain.nearest import meant
from erpsync.domain.values import from_minor_units
from erpsync.errors import UsageError
from erpsync.terminal import Clock, amounts, money, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from erpsync.domain.filter_nodes import Node
    from erpsync.store.reading.asked import Selection
    from erpsync.workbench import Workbench

Row = TypeVar("Row")


def selection(bench: Workbench, where: str, *, limit: int | None, sort: str, output: Output) -> Selection:
    """The rows asked for; raises FilterError. Without a limit 50, and all where they are passed on to another program."""
    from erpsync.store.reading.asked import Selection  # noqa: PLC0415  (not for help and --version)

    if limit is None:
        limit = 0 if output in FOR_PROGRAMS else DEFAULT_LIMIT
    return Selection(
        company=bench.landscape.company,
        now=bench.now(),
        where=_told_of_names(bench, _filter(where)),
        limit=limit,
        sort=sort,
        zone=clock(bench).zone,
    )


def _told_of_names(bench: Workbench, node: Node) -> Node:
    """The same filter; a system or flow in it that the landscape has not is warned of: it may be of former times."""
    from erpsync.domain.filter_nodes import Compare, leaves  # noqa: PLC0415  (as above)

    landscape = bench.landscape
    known = {"flow": [flow.name for flow in landscape.flows], **dict.fromkeys(("system", "from"), landscape.systems)}
    for leaf in leaves(node):
        if isinstance(leaf, Compare) and leaf.op in ("=", "!=") and leaf.value and not leaf.glob:
            names = known.get(leaf.field)
            if names and leaf.value not in names:
                noun = "flow" if leaf.field == "flow" else "system"
                warn(
                    f"no {noun} is called {leaf.value[:60]}: {meant(leaf.value, names)}{noun.capitalize()}s: {', '.join(names)}"
                )
    return node


def _filter(where: str) -> Node:
    from erpsync.domain.filter_nodes import Everything  # noqa: PLC0415  (as above)

    if not where.strip():
        return Everything()
    from erpsync.domain.filters import parse  # noqa: PLC0415  (only where there is something to read)

    return parse(where)


def filtered(
    bench: Workbench,
    rows: Iterable[Row],
    values: Callable[[Row], Mapping[str, object]],
    *,
    where: str,
    sort: str,
    subject: str,
    fields: Sequence[str],
) -> list[Row]:
    """Rows that are all in hand, those that a filter lets through, in the order asked for; raises FilterError and UsageError."""
    from erpsync.domain.filters import check_fields, matches  # noqa: PLC0415  (as above)

    node, zone, now = _filter(where), clock(bench).zone, bench.now()
    check_fields(node, fields, subject=subject)
    found = [row for row in rows if matches(node, values(row), now=now, zone=zone)]
    if sort:
        name = sort.removeprefix("-")
        if name not in fields:
            raise UsageError(
                f"--sort {sort}: there is no such field",
                hint=f"{meant(name, fields)}Fields: {', '.join(sorted(fields))}",
            )
        found.sort(key=lambda row: _sortable(values(row)[name]), reverse=sort.startswith("-"))
    return found


def _sortable(value: object) -> tuple[str, object]:
    return type(value).__name__, value


def clock(bench: Workbench) -> Clock:
    """The clock on the wall of this landscape, as of now."""
    return Clock(bench.now(), bench.landscape.timezone)


def count_line(shown: int, total: int, everything: int, noun: str, *, times: Clock | None = None) -> str:
    """``8 of 37; 41 dead letters in all; times are CDT``; ``noun`` is of one of them."""
    parts = [f"{shown:,} of {total:,}"] if shown != total or total != everything else []
    parts.append(plural(everything, noun) + (" in all" if parts else ""))
    if times is not None and shown:
        parts.append(f"times are {times.zone_name}")
    return "; ".join(parts)


def one_currency(currencies: Iterable[str], *, usual: str) -> str | None:
    """The one currency of these rows, safe, ``usual`` when none has any; None where they differ."""
    found = {currency for currency in currencies if currency}
    if not found:
        return usual
    return safe(found.pop()) if len(found) == 1 else None


def stake_text(stake: int, currency: str, *, beside: bool) -> str:
    """An amount; with its currency where the heading cannot name one for all."""
    amount = money(stake, currency)
    return f"{amount} {safe(currency)}" if beside and stake else amount


def sums_text(stakes: Iterable[tuple[str, int]], *, heading: str | None) -> str:
    """Sums by currency; without the currency that the heading names for all."""
    text = amounts(stakes)
    return text.removesuffix(f" {heading}") if heading else text


def stake_json(stake: int, currency: str, *, usual: str) -> dict[str, object]:
    """``{"amount": "4905.35", "currency": "USD"}``."""
    code = currency or usual
    return {"amount": format(from_minor_units(stake, code), "f"), "currency": code}


def stakes_json(stakes: Iterable[tuple[str, int]], *, usual: str) -> dict[str, object]:
    """Sums in JSON: one amount where there is one currency (null where there are several), and the sum of each."""
    sums = [stake_json(stake, code, usual=usual) for code, stake in stakes]
    if len(sums) > 1:
        return {"amount": None, "currency": None, "by_currency": sums}
    return {**(sums[0] if sums else stake_json(0, usual, usual=usual)), "by_currency": sums}
