"""``status`` in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erpsync.cli.causes import cause_list, cause_run, cause_text
from erpsync.cli.output import utc
from erpsync.cli.selecting import stakes_json
from erpsync.cli.status import DELIVERED, DIED, DUPLICATES, LOST
from erpsync.cli.wording import waiting_seconds

if TYPE_CHECKING:
    from erpsync.store.reading.status import Status
    from erpsync.store.reading.systems import SystemStanding
    from erpsync.workbench import Workbench

_STATES = ("ready", "leased", "held", "unknown", "dead", "done", "skipped")
_SETTLED = ("settled", "settled_delivered", "settled_not_delivered", "not_found")


def status_answer(bench: Workbench, found: Status) -> dict[str, object]:
    """The answer in JSON, without its envelope."""
    usual, now = bench.landscape.currency, bench.now()
    hour = found.last_hour
    return {
        "production": bench.landscape.production,
        "well": not found.causes,
        "at_stake": {
            **stakes_json(found.stakes, usual=usual),
            "documents": found.documents if found.exact else None,
            "invoices": None,
            "counted_once": {**stakes_json(found.twice_stakes, usual=usual), "documents": found.twice}
            if found.exact
            else None,
        },
        "causes": [
            {
                "code": str(cause.code),
                "system": cause.system,
                "flow": cause.flow or None,
                "by": cause.by or None,
                "since": utc(cause.since),
                "waiting_seconds": waiting_seconds(now, cause.since) if cause.since else None,
                "messages": cause.messages,
                "behind": cause.behind,
                "behind_more": cause.behind_more,
                "invoices": None,
                "at_stake": stakes_json(cause.stakes, usual=usual),
                "first": cause.first_id,
                "key": cause.first_key or None,
                "error": cause.error or None,
                "text": cause_text(cause),
                "list": cause_list(cause),
                "run": cause_run(cause),
            }
            for cause in found.causes
        ],
        "messages": {state: found.counts.get(state, 0) for state in _STATES},
        "systems": [_system_answer(bench, system) for system in found.systems],
        "invoices": None,
        "exceptions": {
            "open": sum(ones.count for ones in found.exceptions),
            "at_stake": stakes_json(_sum_of_exceptions(found), usual=usual),
        },
        "stock": None,
        "last_hour": {
            "delivered": sum(hour.get(outcome, 0) for outcome in DELIVERED),
            "died": sum(hour.get(outcome, 0) for outcome in DIED),
            "duplicates": hour.get(DUPLICATES, 0),
            "answers_lost": sum(hour.get(outcome, 0) for outcome in LOST),
            "answers_settled": sum(hour.get(outcome, 0) for outcome in _SETTLED),
        },
        "workers": found.workers,
        "read_only": bench.read_only,
    }


def _sum_of_exceptions(found: Status) -> list[tuple[str, int]]:
    sums: dict[str, int] = {}
    for ones in found.exceptions:
        for currency, stake in ones.stakes:
            sums[currency] = sums.get(currency, 0) + stake
    return list(sums.items())


def _system_answer(bench: Workbench, system: SystemStanding) -> dict[str, object]:
    configured = bench.landscape.systems.get(system.name)
    return {
        "system": system.name,
        "role": configured.role if configured else None,
        "state": system.shown_state,
        "breaker": "open" if system.state == "down" else "closed",
        "pause": system.pause or None,
        "paused_by": system.paused_by,
        "since": utc(system.shown_since),
        "next_probe_at": utc(system.probe_at),
        "due": system.due,
        "oldest_due_seconds": waiting_seconds(bench.now(), system.oldest_due) if system.oldest_due else None,
        "held": system.counts.get("held", 0),
        "unknown": system.counts.get("unknown", 0),
        "dead": system.counts.get("dead", 0),
        "last_ok": utc(system.last_ok_at),
    }
