"""What ``erpsync help TOPIC`` prints. Rule: what can be read from the program is read from it, so that it is true."""

from __future__ import annotations

from collections.abc import Callable

from erpsync.cli.tables import wrapped

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
    return {"exit-codes": EXIT_CODES.splitlines, "filters": _filters}


def _filters() -> list[str]:
    lines = [*_FILTERS.splitlines(), "", "Fields"]
    for listing, fields in _fields().items():
        lines += wrapped(", ".join(sorted(fields)), room=_WIDTH, first=f"  {listing:<16}  ", then=" " * 20)
    return lines


def _fields() -> dict[str, tuple[str, ...]]:
    """What each listing can be asked by."""
    from erpsync.cli import config, systems, tailing, workers  # noqa: PLC0415  (help alone needs every listing)
    from erpsync.store.reading import audit, events, exceptions, messages, xrefs  # noqa: PLC0415  (as above)

    return {
        "audit list": tuple(audit.FIELDS),
        "config show": config.FIELDS,
        "dlq list, replay": tuple(messages.DEAD_FIELDS),
        "events list": tuple(events.FIELDS),
        "exceptions list": tuple(exceptions.FIELDS),
        "messages list": tuple(messages.FIELDS),
        "systems list": systems.FIELDS,
        "tail": tailing.FIELDS,
        "workers list": workers.FIELDS,
        "xref list": tuple(xrefs.FIELDS),
    }
