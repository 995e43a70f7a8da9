"""Systems in the store: breaker, pause, rate budget and clock, shared by all workers.

Rule: what a person paused and what the breaker found stand apart. Neither changes the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erpsync.store import standstills
from erpsync.store.connection import Connection

_COLUMNS = (
    "system_id, name, state, since, proven, proving_until, failures, first_failure_at, last_error, last_error_code, "
    "last_error_at, last_ok_at, ramp, probe_at, probes, limited_until, tokens, tokens_at, clock_offset, stopped_by, "
    "pause, paused_at, paused_by, pause_reason"
)
_OUT = ("out", "both")
_IN = ("in", "both")


@dataclass(frozen=True)
class SystemRow:
    """How a system stands. Times in milliseconds. ``proven``: it answered since it was last in doubt.

    ``pause``: what a person has paused: in (reading it), out (sending to it), both; empty: nothing.
    """

    system_id: int
    name: str
    state: str  # up, down (breaker open), stopped (access denied)
    since: int
    proven: int
    proving_until: int
    failures: int
    first_failure_at: int | None
    last_error: str | None
    last_error_code: str | None
    last_error_at: int | None
    last_ok_at: int | None
    ramp: int
    probe_at: int | None
    probes: int
    limited_until: int
    tokens: float | None
    tokens_at: int | None
    clock_offset: int | None
    stopped_by: str | None
    pause: str
    paused_at: int | None
    paused_by: str | None
    pause_reason: str

    @property
    def outward(self) -> str:
        """How it stands for what is sent to it: up, down, stopped or paused."""
        return "paused" if self.pause in _OUT else self.state

    @property
    def inward(self) -> str:
        """How it stands for what is read from it: up, down, stopped or paused."""
        return "paused" if self.pause in _IN else self.state


def systems(db: Connection) -> dict[str, SystemRow]:
    """Every system by name."""
    return {row[1]: SystemRow(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM systems ORDER BY name")}


def system(db: Connection, system_id: int) -> SystemRow:
    """One system as it stands now."""
    return SystemRow(*db.execute(f"SELECT {_COLUMNS} FROM systems WHERE system_id = ?", (system_id,)).fetchone())


def tokens_left(row: SystemRow, rate: float | None, *, now: int) -> float:
    """How many requests the rate allows at this moment; a second's worth can be saved up."""
    if rate is None:
        return float("inf")
    most = max(1.0, rate)
    if row.tokens is None or row.tokens_at is None:
        return most
    return min(most, row.tokens + rate * max(0, now - row.tokens_at) / 1000)


def spend(db: Connection, row: SystemRow, rate: float | None, *, calls: int, now: int) -> None:
    """Take requests out of the rate budget; it may fall below zero when a write took several."""
    if rate is not None and calls:
        db.execute(
            "UPDATE systems SET tokens = ?, tokens_at = ? WHERE system_id = ?",
            (tokens_left(row, rate, now=now) - calls, now, row.system_id),
        )


def prove(db: Connection, system_id: int, *, now: int, until: int) -> bool:
    """Ask for the one first call to a system in doubt; True when it is ours to make until then."""
    return (
        db.execute(
            "UPDATE systems SET proving_until = ? WHERE system_id = ? AND proving_until <= ? AND proven = 0",
            (until, system_id, now),
        ).rowcount
        == 1
    )


def give_back_proof(db: Connection, system_id: int) -> None:
    """The one first call was not made after all: somebody else may make it."""
    db.execute("UPDATE systems SET proving_until = 0 WHERE system_id = ? AND proven = 0", (system_id,))


def note_success(db: Connection, system_id: int, *, now: int, most: int, n: int = 1) -> bool:
    """It answered: failures are forgotten, the ramp doubles towards ``most``; True when it was down until now."""
    row = system(db, system_id)
    was_down = row.state == "down"
    db.execute(
        "UPDATE systems SET last_ok_at = ?, proven = 1, proving_until = 0, failures = 0, first_failure_at = NULL, probes = 0, "
        "probe_at = NULL, ramp = ?, state = CASE WHEN state = 'down' THEN 'up' ELSE state END, "
        "since = CASE WHEN state = 'down' THEN ? ELSE since END WHERE system_id = ?",
        (now, min(most, max(1, row.ramp) * (2 if n else 1)), now, system_id),
    )
    if was_down:
        standstills.end(db, "breaker", system_id=system_id, now=now)
    return was_down


def note_failure(
    db: Connection,
    system_id: int,
    *,
    now: int,
    code: str,
    text: str,
    most: int,
    within_ms: int,
    probe_ms: int,
    n: int = 1,
) -> bool:
    """It did not answer ``n`` times; True when that opens its breaker."""
    row = system(db, system_id)
    first = row.first_failure_at
    if first is None or now - first > within_ms:
        first, failures = now, n
    else:
        failures = row.failures + n
    opens = row.state == "up" and (
        failures >= most or (not row.proven and row.last_ok_at is not None and row.ramp == 1)
    )
    db.execute(
        "UPDATE systems SET failures = ?, first_failure_at = ?, last_error = ?, last_error_code = ?, last_error_at = ?, "
        "proving_until = 0 WHERE system_id = ?",
        (failures if row.state == "up" else row.failures + n, first, text, code, now, system_id),
    )
    if opens:
        db.execute(
            "UPDATE systems SET state = 'down', since = ?, proven = 0, ramp = 1, probes = 0, probe_at = ? WHERE system_id = ?",
            (now, now + probe_ms, system_id),
        )
        standstills.begin(db, "breaker", system_id=system_id, now=now)
    return opens


def take_probe(db: Connection, system_id: int, *, now: int, first_ms: int, longest_ms: int) -> bool:
    """Whether a probe of a down system is due and ours to make; the next one is set, twice as far each time."""
    row = system(db, system_id)
    if row.state != "down" or row.pause == "both" or row.probe_at is None or row.probe_at > now:
        return False
    wait = min(longest_ms, first_ms * 2 ** min(row.probes + 1, 20))
    return (
        db.execute(
            "UPDATE systems SET probe_at = ?, probes = probes + 1 WHERE system_id = ? AND probe_at = ?",
            (now + wait, system_id, row.probe_at),
        ).rowcount
        == 1
    )


def note_probe(
    db: Connection, system_id: int, *, now: int, ok: bool, code: str = "", text: str = "", offset: int | None = None
) -> bool:
    """What a probe found; True when it brought a down system back, with one in flight until the first success."""
    row = system(db, system_id)
    if not ok:
        db.execute(
            "UPDATE systems SET last_error = ?, last_error_code = ?, last_error_at = ?, failures = failures + 1 WHERE system_id = ?",
            (text, code, now, system_id),
        )
        return False
    db.execute("UPDATE systems SET clock_offset = COALESCE(?, clock_offset) WHERE system_id = ?", (offset, system_id))
    if row.state != "down":
        return False
    db.execute(
        "UPDATE systems SET state = 'up', since = ?, failures = 0, first_failure_at = NULL, probe_at = NULL, probes = 0, ramp = 1, "
        "proven = 0, proving_until = 0 WHERE system_id = ?",
        (now, system_id),
    )
    standstills.end(db, "breaker", system_id=system_id, now=now)
    return True


def limit_until(db: Connection, system_id: int, *, until: int) -> None:
    """The system asked for quiet until then (429, Retry-After)."""
    db.execute("UPDATE systems SET limited_until = max(limited_until, ?) WHERE system_id = ?", (until, system_id))


def stop(db: Connection, system_id: int, *, now: int, code: str, text: str, by: str) -> bool:
    """Nothing more is tried there until a person resumes it; True when it was not stopped yet."""
    stops = (
        db.execute(
            "UPDATE systems SET state = 'stopped', since = ?, proven = 0, proving_until = 0, ramp = 1, last_error = ?, "
            "last_error_code = ?, last_error_at = ?, stopped_by = ? WHERE system_id = ? AND state <> 'stopped'",
            (now, text, code, now, by, system_id),
        ).rowcount
        == 1
    )
    if stops:
        standstills.begin(db, "breaker", system_id=system_id, now=now)
    return stops


def resume(db: Connection, system_id: int, *, now: int) -> str:
    """Let a stopped or down system be tried again, one in flight until the first success; returns its state before."""
    before = system(db, system_id).state
    if before != "up":
        db.execute(
            "UPDATE systems SET state = 'up', since = ?, proven = 0, proving_until = 0, ramp = 1, failures = 0, probe_at = NULL, "
            "probes = 0, first_failure_at = NULL, limited_until = 0, stopped_by = NULL WHERE system_id = ?",
            (now, system_id),
        )
        standstills.end(db, "breaker", system_id=system_id, now=now)
    return before


def due_probes(db: Connection, system_ids: Sequence[int], *, now: int) -> list[int]:
    """Which of these are down, due to be asked whether they are back, and not left alone altogether."""
    return [
        int(row[0])
        for row in db.execute(
            "SELECT system_id FROM systems WHERE state = 'down' AND pause <> 'both' AND probe_at <= ?", (now,)
        )
        if row[0] in system_ids
    ]


def pause(db: Connection, row: SystemRow, what: str, *, now: int, by: str, reason: str) -> str:
    """Read no more from it (``in``), send no more to it (``out``), or ``both``; returns all that is paused now.

    What was paused before stays so. Nothing is written where that changes nothing.
    """
    both = {*(_parts(row.pause)), *_parts(what)}
    paused = "both" if len(both) > 1 else both.pop()
    if paused != row.pause:
        db.execute(
            "UPDATE systems SET pause = ?, paused_at = ?, paused_by = ?, pause_reason = ? WHERE system_id = ?",
            (paused, now, by, reason, row.system_id),
        )
        if row.outward != "paused" and paused in _OUT:
            standstills.begin(db, "pause", system_id=row.system_id, now=now)
    return paused


def lift(db: Connection, system_id: int, *, now: int) -> None:
    """Nothing of it is paused any more; its breaker is as it was."""
    db.execute(
        "UPDATE systems SET pause = '', paused_at = NULL, paused_by = NULL, pause_reason = '' WHERE system_id = ?",
        (system_id,),
    )
    standstills.end(db, "pause", system_id=system_id, now=now)


def _parts(paused: str) -> tuple[str, ...]:
    return ("in", "out") if paused == "both" else (paused,) if paused else ()
