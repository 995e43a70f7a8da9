"""What ``erpsync help TOPIC`` prints. Rule: what can be read from the program is read from it, so that it is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from erpsync.cli.json_text import as_json
from erpsync.cli.tables import wrapped
from erpsync.domain.nearest import meant
from erpsync.errors import UsageError

_WIDTH = 80

EXIT_CODES = """\
  0  good, also for an empty list; leaving a question; a closed pipe
  1  the answer is no (verify), or a part of many failed (sync, replay)
  2  wrong usage, landscape or input; refused by --read-only
  3  nothing could be tried: systems refused or out of reach
  4  the store is unusable: locked, damaged, too new, its disk full
  8  still pending at the time limit
 70  a defect in erpsync
130  interrupted (Ctrl-C); 143 ended by SIGTERM"""

_FILTERS = """\
A filter is FIELD OP VALUE, joined by and, or, not and ( ):

  system = wms and (error ~ timeout or waiting > 2h) and not key = order:SO-1*

  =  !=           is, is not; * and ? in VALUE stand for any text, any character
  ~  !~           has VALUE somewhere in it, or has not
  <  <=  >  >=    for numbers, money, ages and times

Values
  wms, SO-10*     a word as it is; anything else in quotes: 'a b', "it's", '\\n'
  2h30m, 3d, 45s  an age: age is since it was accepted, waiting since it came to
                  its state; waiting > 2h has waited for longer
  2026-10-15      a day in the landscape's zone; a minute is 2026-10-15T02:05,
                  with a zone ...T07:05Z; 2h is two hours ago: at > 2h is after
  4905.35         money in its own currency; '' is nothing: error = ''
  head, not head  yes or no: a field without OP

In a shell a filter stands in quotes: --where 'waiting > 2h'"""


def topics() -> dict[str, Callable[[], list[str]]]:
    """The lines of each topic."""
    return {"exit-codes": EXIT_CODES.splitlines, "filters": _filters, "json": _json}


def topic(words: Sequence[str], *, as_schema: bool = False) -> list[str]:
    """The lines of a topic; behind ``json`` the words of a command. Raises UsageError for what there is not."""
    name, *rest = words
    known = topics()
    if name not in known:
        commands = "a command: erpsync COMMAND --help"
        raise _none_such(f"help has no topic {name}", name, list(known), f"Topics: {', '.join(known)}; {commands}")
    if name == "json" and (rest or as_schema):
        return answer_lines(".".join(rest), as_schema=as_schema)
    if rest or as_schema:
        raise UsageError(f"help {name} takes nothing more", hint="-o json, and the name of a command: help json")
    return known[name]()


def _none_such(text: str, name: str, known: Sequence[str], every: str) -> UsageError:
    return UsageError(text, hint=f"{meant(name, known)}{every}")


def _filters() -> list[str]:
    lines = [*_FILTERS.splitlines(), "", "Fields"]
    for listing, names in fields().items():
        lines += wrapped(", ".join(sorted(names)), room=_WIDTH, first=f"  {listing:<16}  ", then=" " * 20)
    return lines


def fields() -> dict[str, tuple[str, ...]]:
    """What each listing can be asked by."""
    from erpsync.cli import config, flows, systems, tailing, workers  # noqa: PLC0415  (help alone needs every listing)
    from erpsync.store.reading import audit, events, exceptions, lanes, messages, xrefs  # noqa: PLC0415  (as above)

    return {
        "audit list": tuple(audit.FIELDS),
        "config show": config.FIELDS,
        "dlq list, replay": tuple(messages.DEAD_FIELDS),
        "events list": tuple(events.FIELDS),
        "exceptions list": tuple(exceptions.FIELDS),
        "flows list": flows.FIELDS,
        "lanes list": tuple(lanes.FIELDS),
        "messages list": tuple(messages.FIELDS),
        "systems list": systems.FIELDS,
        "tail": tailing.FIELDS,
        "workers list": workers.FIELDS,
        "xref list": tuple(xrefs.FIELDS),
    }


_JSON = """\
With -o json an answer is one object:

  schema     what it is: erpsync/COMMAND/VERSION
  landscape  whose; null where none was needed, or none could be read
  at         as of when
  total, shown, items           of a listing: how many match, how many are here

Within a version no key is renamed or removed, and none is left out: what is not
known, or not built yet, is null. Keys may be added.

Values
  time       in UTC: 2026-10-15T08:12:40Z; lengths of time are whole ..._seconds
  money      {"amount": "4905.35", "currency": "USD"}: decimals are text
  text       exact, whatever a system sent; nothing is cut

  -o jsonl   the items alone, a line each
  -o csv     the same keys, flattened with dots: at_stake.amount; lists are JSON
             in one cell, control characters visible: \\x1b; what a spreadsheet
             would take for a formula gets ' before it, but not with --raw
  -o ids     the ids alone, a line each

With -o json and jsonl an error is one object too, on stderr: help json error

Answers"""


def _json() -> list[str]:
    from erpsync.cli.shapes import shapes  # noqa: PLC0415  (help alone)

    found = shapes()
    column = max(map(len, found))
    every = [
        line
        for name, shape in found.items()
        for line in wrapped(shape.says, room=_WIDTH, first=f"  {name:<{column}}  ", then=" " * (column + 4))
    ]
    end = ["", "Every key of one:  erpsync help json dlq.list", "Its JSON Schema:   erpsync help json dlq.list -o json"]
    return [*_JSON.splitlines(), *every, *end]


def answer_lines(name: str, *, as_schema: bool) -> list[str]:
    """Every key of an answer, or its JSON Schema; raises UsageError for a command that has none."""
    from erpsync.cli.shapes import shapes  # noqa: PLC0415  (help alone)
    from erpsync.cli.shapes.keys import described, json_schema  # noqa: PLC0415  (as above)

    found = shapes()
    if name not in found:
        every = "All: erpsync help json"
        raise _none_such(
            f"help json has no answer {name}" if name else "help json -o json needs a command", name, list(found), every
        )
    shape = found[name]
    if as_schema:
        return as_json(json_schema(shape), indent=2).splitlines()
    lines = [f"{shape.schema_name}: {shape.says}", ""]
    for path, of, says in described(shape.answer):
        lines += wrapped(f"{says} ({of})", room=_WIDTH, first=f"  {path:<29} ", then=" " * 32)
    return lines
