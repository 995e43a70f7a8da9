"""The answers of what carries documents, and of the practice landscape."""

from __future__ import annotations

from erpsync.cli.shapes.keys import (
    ANYTHING,
    DECIMAL,
    FLAG,
    TEXT,
    WHOLE,
    Each,
    Key,
    Keys,
    Named,
    Shape,
    key,
    keys,
    maybe,
    not_yet,
)
from erpsync.cli.shapes.parts import COUNTED, answer
from erpsync.cli.shapes.standing import STATUS

_OUTCOMES = ("read", "created", "updated", "unchanged", "skipped", "held", "unknown", "waiting", "dead")
_UNREAD = key(
    "unread",
    Each(keys(key("system", TEXT, "the system"), key("kind", TEXT, "the kind"), key("error", TEXT, "why"))),
    "what could not be read",
)
_ITEM = keys(
    key("kind", TEXT, "the kind"),
    key("from", TEXT, "the source"),
    key("to", TEXT, "the target"),
    *(key(name, WHOLE, "how many") for name in _OUTCOMES),
)
_STATUS: tuple[Key, ...] = STATUS

SHAPES: tuple[Shape, ...] = (
    answer(
        "sync",
        "What a sync came to",
        key("read", WHOLE, "documents read"),
        key("written", WHOLE, "documents created or updated"),
        *(key(name, WHOLE, "how many") for name in ("dead", "held", "unknown", "waiting")),
        key("refused", WHOLE, "documents that could not be read as what they are"),
        key("timed_out", FLAG, "whether the time limit ended it"),
        key("seconds", DECIMAL, "how long it took"),
        *COUNTED,
        key("items", Each(_ITEM), "by kind and target"),
        key(
            "failures",
            Each(
                keys(
                    key("key", TEXT, "the key"),
                    key("system", TEXT, "the target"),
                    key("message", WHOLE, "the message"),
                    key("error", TEXT, "why"),
                )
            ),
            "what died",
        ),
        _UNREAD,
        key(
            "paused",
            Each(
                keys(
                    maybe("system", TEXT, "the system that is paused"),
                    maybe("flow", TEXT, "the flow that is paused"),
                    maybe("kind", TEXT, "the kind that was not read"),
                    maybe("by", TEXT, "who paused it"),
                )
            ),
            "what a person keeps from moving",
        ),
    ),
    answer(
        "sync.dry-run",
        "What a sync would write",
        key("read", WHOLE, "documents read"),
        key("writes", WHOLE, "writes that would be made"),
        key("refused", WHOLE, "documents that could not be read as what they are"),
        key("seconds", DECIMAL, "how long it took"),
        *COUNTED,
        key(
            "items",
            Each(
                keys(
                    key("key", TEXT, "the key"),
                    key("to", TEXT, "the target"),
                    key("would", TEXT, "create, update, removed, nothing, filtered, held"),
                    maybe("far_id", TEXT, "what the target calls it"),
                    maybe("reason", TEXT, "why"),
                    key(
                        "fields",
                        Each(
                            keys(
                                key("field", TEXT, "the field"),
                                maybe("from", TEXT, "what the target holds"),
                                maybe("to", TEXT, "what it would hold"),
                                not_yet("owner", "who owns it"),
                                key("verdict", TEXT, "write"),
                            )
                        ),
                        "what would change",
                    ),
                )
            ),
            "every document and target",
        ),
        _UNREAD,
    ),
    answer(
        "run",
        "What a worker did",
        key("delivered", WHOLE, "messages delivered"),
        key("read", WHOLE, "documents read"),
        key("died", WHOLE, "messages that died"),
        maybe("signal", WHOLE, "the signal that ended it"),
        maybe("stopped_by", TEXT, "who asked it to stop"),
    ),
    answer(
        "init",
        "A landscape to begin with",
        key("folder", TEXT, "where it is"),
        key("written", Each(TEXT), "the files"),
    ),
    answer(
        "demo",
        "A night in the practice landscape",
        key(
            "steps",
            Each(keys(key("name", TEXT, "its name"), key("seconds", DECIMAL, "how long"), key("text", TEXT, "what"))),
            "what was done",
        ),
        key("status", Keys(_STATUS), "how it stands, as status tells it"),
        not_yet("diff", "two systems compared"),
        key(
            "counted",
            Named(
                keys(
                    key("documents", Named(WHOLE), "how many of each kind"),
                    key("twice", WHOLE, "how many it was made to keep twice"),
                )
            ),
            "what each system itself counted",
        ),
        key("folder", TEXT, "where it stays"),
    ),
    answer("sim.fault", "How the practice systems misbehave", key("faults", Named(ANYTHING), "by system")),
)
