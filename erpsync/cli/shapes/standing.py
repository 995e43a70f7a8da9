"""The answers about how things stand: status, systems, flows, workers, settings."""

from __future__ import annotations

from erpsync.cli.shapes.keys import ANYTHING, DECIMAL, FLAG, MOMENT, TEXT, WHOLE, Each, Named, key, keys, maybe, not_yet
from erpsync.cli.shapes.parts import COUNTED, SUMS, answer, listing

_STATES = ("ready", "leased", "held", "unknown", "dead", "done", "skipped")
_COUNTS = (
    key("due", WHOLE, "messages that are ready or leased"),
    key("held", WHOLE, "messages that are held"),
    key("unknown", WHOLE, "messages whose answer was lost"),
    key("dead", WHOLE, "dead letters"),
)
_PAUSED = (
    maybe("paused_by", TEXT, "who paused it"),
    maybe("paused_at", MOMENT, "when"),
    maybe("pause_reason", TEXT, "why"),
)
_AT_STAKE = SUMS.and_(
    maybe("documents", WHOLE, "how many have money; null where they are too many to count once"),
    not_yet("invoices", "how many invoices"),
    maybe("counted_once", SUMS.and_(key("documents", WHOLE, "how many")), "what has several causes"),
)
_CAUSE = keys(
    key("code", TEXT, "what kind of cause"),
    maybe("system", TEXT, "the system"),
    maybe("flow", TEXT, "the flow that is paused"),
    maybe("by", TEXT, "who paused it"),
    maybe("since", MOMENT, "since when"),
    maybe("waiting_seconds", WHOLE, "for how long"),
    key("messages", WHOLE, "how many messages or exceptions"),
    key("behind", WHOLE, "how many wait behind them"),
    key("behind_more", FLAG, "whether there are more than were counted"),
    not_yet("invoices", "how many invoices"),
    key("at_stake", SUMS, "money at stake by it"),
    maybe("first", WHOLE, "the message or exception with the most money"),
    maybe("key", TEXT, "its key"),
    maybe("error", TEXT, "its error"),
    key("text", TEXT, "the cause in a sentence"),
    key("list", TEXT, "the command that lists all that stands by it"),
    key("run", TEXT, "the next command"),
)
STATUS = (
    key("production", FLAG, "whether the landscape is marked so"),
    key("well", FLAG, "whether nothing is wrong"),
    key("at_stake", _AT_STAKE, "money at stake, each document counted once"),
    key("causes", Each(_CAUSE), "what is wrong, the most money first"),
    key("messages", keys(*(key(state, WHOLE, "how many") for state in _STATES)), "messages by state"),
    key(
        "systems",
        Each(
            keys(
                key("system", TEXT, "its name"),
                maybe("role", TEXT, "its role"),
                key("state", TEXT, "up, limited, down, stopped or paused"),
                maybe("pause", TEXT, "in, out or both, while it is paused"),
                maybe("paused_by", TEXT, "who paused it"),
                key("breaker", TEXT, "open or closed"),
                key("since", MOMENT, "since when"),
                maybe("next_probe_at", MOMENT, "when it is asked next whether it is back"),
                _COUNTS[0],
                maybe("oldest_due_seconds", WHOLE, "how long the oldest due message has waited"),
                *_COUNTS[1:],
                maybe("last_ok", MOMENT, "when it answered well last"),
            )
        ),
        "every system",
    ),
    not_yet("invoices", "invoices by readiness"),
    key("exceptions", keys(key("open", WHOLE, "how many"), key("at_stake", SUMS, "their money")), "open exceptions"),
    not_yet("stock", "oversold and unexplained stock"),
    key(
        "last_hour",
        keys(
            *(
                key(name, WHOLE, "how many")
                for name in ("delivered", "died", "duplicates", "answers_lost", "answers_settled")
            )
        ),
        "what happened in the last sixty minutes",
    ),
    key("workers", WHOLE, "how many run"),
    key("read_only", FLAG, "whether changes are refused"),
)
_WORKER = keys(
    key("worker", WHOLE, "its id"),
    key("host", TEXT, "the machine"),
    key("pid", WHOLE, "its process there"),
    key("runs", TEXT, "its command"),
    maybe("version", TEXT, "the erpsync it is"),
    key("state", TEXT, "works, stopping, silent or stopped"),
    key("started", MOMENT, "when it began"),
    key("age_seconds", WHOLE, "how long ago"),
    key("seen", MOMENT, "its last sign of life"),
    maybe("stop_asked_by", TEXT, "who asked it to stop"),
    maybe("stopped", MOMENT, "when it stopped"),
    key("in_hand", WHOLE, "how many messages it has leased"),
)

SHAPES = (
    answer("status", "What is at stake, and each system", *STATUS),
    listing(
        "systems.list",
        "The connected systems",
        keys(
            key("system", TEXT, "its name"),
            maybe("role", TEXT, "its role"),
            maybe("adapter", TEXT, "its adapter"),
            maybe("writes", Named(TEXT), "how a write of each kind is made once"),
            key("state", TEXT, "up, limited, down, stopped or paused"),
            key(
                "breaker",
                keys(
                    key("state", TEXT, "open or closed"),
                    key("since", MOMENT, "since when"),
                    key("failures", WHOLE, "how many in a row"),
                    maybe("next_probe_at", MOMENT, "when it is asked next"),
                ),
                "its breaker",
            ),
            key("since", MOMENT, "since when it is in that state"),
            key("waiting_seconds", WHOLE, "for how long"),
            *_COUNTS,
            maybe("p95_seconds", DECIMAL, "19 of 20 calls of the last hour took no longer; null: none, or longer"),
            key(
                "rate",
                keys(
                    key("used", DECIMAL, "calls in the last whole minute"),
                    maybe("limit", DECIMAL, "what it may be asked"),
                    key("per", TEXT, "s"),
                ),
                "a second",
            ),
            maybe("concurrency", WHOLE, "calls in flight at most"),
            maybe("pause", TEXT, "in, out or both, while it is paused"),
            *_PAUSED,
            maybe("stopped_by", TEXT, "who stopped it"),
            maybe("run_by", TEXT, "whose it is"),
            maybe("last_ok", MOMENT, "when it answered well last"),
            maybe(
                "last_error",
                keys(
                    maybe("at", MOMENT, "when"),
                    maybe("kind", TEXT, "what kind"),
                    key("text", TEXT, "what it said"),
                ),
                "the last error",
            ),
        ),
    ),
    answer(
        "systems.probe",
        "Whether a system is up",
        key("system", TEXT, "the system"),
        key("up", FLAG, "whether it answered well"),
        maybe("seconds", DECIMAL, "how long it took"),
        maybe("text", TEXT, "what it said"),
        key("waiting", WHOLE, "how many messages go now"),
        maybe("pause", TEXT, "in, out or both, while it is paused"),
    ),
    answer(
        "systems.pause",
        "A system left alone",
        key("system", TEXT, "the system"),
        key("changed", FLAG, "whether this did it; false: it was so already"),
        maybe("pause", TEXT, "in, out or both"),
        maybe("pause_before", TEXT, "the same before"),
        *_PAUSED,
        key("state", TEXT, "how it is apart from that: up, down or stopped"),
        key("in_hand", WHOLE, "messages whose calls are in flight: they come to their end"),
        key("waiting", WHOLE, "messages that wait now"),
    ),
    answer(
        "systems.resume",
        "A system is tried again",
        key("system", TEXT, "the system"),
        key("from_state", TEXT, "its state before"),
        key("state", TEXT, "its state now"),
        key("waiting", WHOLE, "how many messages go now"),
    ),
    listing(
        "flows.list",
        "What is carried from where to where",
        keys(
            key("flow", TEXT, "its name"),
            maybe("kind", TEXT, "the kind it carries; null when the landscape has no such flow any more"),
            maybe("from", TEXT, "the source"),
            key("to", Each(TEXT), "the targets"),
            maybe("mode", TEXT, "active or off, as the landscape says"),
            key("state", TEXT, "active, paused, off, or gone from the landscape"),
            maybe("every_seconds", WHOLE, "how often its source is read"),
            *_COUNTS,
            maybe("oldest_due_seconds", WHOLE, "how long the oldest due message has waited"),
            maybe("read", MOMENT, "when its source was read last"),
            maybe("full_read", MOMENT, "when all of it was read last"),
            maybe("read_due", MOMENT, "when it is read next"),
            maybe("read_error", TEXT, "what reading it met last"),
            *_PAUSED,
            key(
                "targets",
                Each(keys(key("system", TEXT, "the target"), key("state", TEXT, "how it is"), *_COUNTS)),
                "what waits, by target",
            ),
        ),
    ),
    *(
        answer(
            f"flows.{verb}",
            says,
            *COUNTED,
            key(
                "items",
                Each(
                    keys(
                        key("flow", TEXT, "its name"),
                        key("changed", FLAG, "whether this did it; false: it was so already"),
                        key("waiting", WHOLE, "messages that wait, or go now"),
                        key("paused", FLAG, "whether it is paused now"),
                        *_PAUSED,
                    )
                ),
                "the flows",
            ),
        )
        for verb, says in (("pause", "Flows paused"), ("resume", "Flows that go on"))
    ),
    listing("workers.list", "Who carries documents now", _WORKER),
    answer("workers.stop", "Workers asked to stop", *COUNTED, key("items", Each(_WORKER), "those that were asked")),
    listing(
        "config.show",
        "The settings in force",
        keys(
            key("setting", TEXT, "its name"),
            maybe("value", ANYTHING, "what it is; of a secret, where it is found"),
            key("from", TEXT, "file, spec or default"),
            maybe("line", WHOLE, "its line in the landscape file"),
        ),
        key("file", TEXT, "the landscape file"),
    ),
)
