"""The answers about messages, dead letters and lanes."""

from __future__ import annotations

from erpsync.cli.shapes.keys import ANYTHING, DECIMAL, FLAG, MOMENT, TEXT, WHOLE, Each, Named, key, keys, maybe, not_yet
from erpsync.cli.shapes.parts import (
    ATTEMPT,
    COUNTED,
    FIELDS,
    LEFT_OUT,
    MESSAGE,
    RUN,
    STATE,
    SUMS,
    answer,
    done,
    listing,
)

_LINE = (
    key("line_behind", WHOLE, "how many wait behind it, at any depth"),
    key("line_more", FLAG, "whether there are more than were counted"),
    key("line_at_stake", SUMS, "the money of those behind"),
)
_AMOUNT = keys(key("amount", DECIMAL, "how much"), key("currency", TEXT, "three letters"))
_MEMBER = keys(
    key("id", WHOLE, "the message"),
    not_yet("step", "the business step it is"),
    key("key", TEXT, "the key of its document"),
    key("system", TEXT, "where it goes"),
    key("state", STATE, "its state"),
    key("since", MOMENT, "since when"),
    key("waits", Each(TEXT), "what it is held for"),
)

SHAPES = (
    listing("messages.list", "Messages", MESSAGE),
    answer(
        "messages.show",
        "One message with its tries",
        key("message", MESSAGE, "the message"),
        key("attempts", Each(ATTEMPT), "every try, the oldest first"),
        key("payload", FIELDS, "what it says, field by field"),
        maybe("line_behind", WHOLE, "how many wait behind it; null when it is finished"),
        maybe(
            "by",
            keys(
                key("act", TEXT, "the act"),
                key("at", MOMENT, "when"),
                key("actor", TEXT, "who"),
                key("what", TEXT, "what was done"),
                maybe("reason", TEXT, "why"),
            ),
            "the act of a person that brought it to its state",
        ),
        maybe("curl", TEXT, "its last try as a command for bash; null unless asked for (--curl)"),
        RUN,
    ),
    answer(
        "messages.settle",
        "What became of a lost answer",
        key("message", WHOLE, "the message"),
        key("from_state", STATE, "its state before"),
        key("state", STATE, "its state now"),
        key("key", TEXT, "the key of its document"),
        maybe("far_id", TEXT, "what the target calls it"),
        key("at_stake", _AMOUNT, "what is still at stake"),
        maybe("act", TEXT, "the act in the audit log; null where the system itself was asked"),
        key("closed", Each(TEXT), "the exceptions that it closed"),
        key(
            "undo",
            keys(key("possible", FLAG, "whether it can be taken back"), key("why", TEXT, "why, or why not")),
            "taking it back",
        ),
    ),
    *(
        answer(
            f"messages.{verb}",
            f"Messages {past}",
            key("dry_run", FLAG, "whether it was only shown"),
            *COUNTED,
            key("items", Each(MESSAGE), "the messages as they were before"),
            *_LINE,
            *done(past),
        )
        for verb, past in (("hold", "held"), ("release", "released"), ("skip", "skipped"))
    ),
    listing(
        "dlq.list",
        "Dead letters",
        MESSAGE.and_(key("died", MOMENT, "when it died"), *_LINE, RUN),
    ),
    answer(
        "dlq.show",
        "One dead letter with its evidence",
        key("message", MESSAGE, "the letter"),
        maybe(
            "event",
            keys(
                key("id", WHOLE, "the event"),
                key("from", TEXT, "the system that told it"),
                key("at", MOMENT, "when it came in"),
                not_yet("mapping", "the mapping it was read with"),
            ),
            "the event it came of",
        ),
        key("attempts", Each(ATTEMPT), "every try, the oldest first"),
        key("payload", FIELDS, "what it says, field by field"),
        maybe("last_delivered", Named(ANYTHING), "what the target is known to hold"),
        key(
            "changes",
            Each(
                keys(
                    key("field", TEXT, "the field"),
                    maybe("from", ANYTHING, "what the target holds"),
                    maybe("to", ANYTHING, "what it would hold"),
                    key("refused", FLAG, "whether this is what was refused"),
                )
            ),
            "what it would change in the target",
        ),
        key("line_behind", Each(_MEMBER), "those behind it, in order"),
        key("line_total", WHOLE, "how many there are"),
        key("line_more", FLAG, "whether there are more than were counted"),
        key("line_at_stake", SUMS, "their money"),
        not_yet("stops", "the invoices it stops"),
        RUN,
    ),
    *(
        answer(
            f"dlq.{verb}",
            f"Letters {past}",
            key("dry_run", FLAG, "whether it was only shown"),
            *COUNTED,
            key("items", Each(MESSAGE), "the letters as they were before"),
            *done(past),
        )
        for verb, past in (("discard", "discarded"), ("restore", "restored"))
    ),
    listing(
        "lanes.list",
        "Lanes that do not move by themselves",
        keys(
            key("system", TEXT, "the target"),
            key("lane", TEXT, "the key it queues under"),
            key("head", WHOLE, "the message at its head"),
            key("key", TEXT, "the key of its document"),
            key("state", STATE, "the head's state"),
            maybe("cause", TEXT, "why it is in that state, in a word"),
            maybe("error", TEXT, "its last error"),
            key("since", MOMENT, "since when"),
            key("waiting_seconds", WHOLE, "for how long"),
            key("waits", Each(TEXT), "what it is held for"),
            key("line", WHOLE, "how many wait behind it, at any depth"),
            key("line_more", FLAG, "whether there are more than were counted"),
            key("line_at_stake", SUMS, "the money of those behind"),
            key("at_stake", SUMS, "the money of the head and its line"),
            RUN,
        ),
    ),
    answer(
        "lanes.show",
        "One lane",
        key("system", TEXT, "the target"),
        key("lane", TEXT, "the key it queues under"),
        maybe("head", WHOLE, "the message at its head; null when it is empty"),
        maybe("state", STATE, "the head's state"),
        maybe("since", MOMENT, "since when"),
        maybe("waiting_seconds", WHOLE, "for how long"),
        key("line", WHOLE, "how many wait behind the head, at any depth"),
        key("line_more", FLAG, "whether there are more than were counted"),
        key("at_stake", SUMS, "their money"),
        key("messages", Each(_MEMBER.and_(key("at_stake", _AMOUNT, "its document's money"))), "the head and its line"),
    ),
    answer(
        "replay",
        "Dead letters sent again",
        key("kind", TEXT, "replay"),
        not_yet("plan", "the plan it was frozen to"),
        key("send", Each(WHOLE), "the letters that go"),
        key(
            "targets",
            Named(keys(key("letters", WHOLE, "letters to it"), key("send", WHOLE, "of which go"))),
            "by system",
        ),
        key("at_stake", SUMS, "their money"),
        *_LINE,
        key(
            "left_out",
            LEFT_OUT,
            "those that do not go",
        ),
        not_yet("stock", "what it does to stock"),
        not_yet("invoices", "which invoices become ready"),
        key("undo", FLAG, "whether it can be taken back"),
        maybe(
            "result",
            keys(
                key("replayed", Each(WHOLE), "those that are ready again"),
                key("failed", LEFT_OUT, "those that are not"),
            ),
            "what was done; null with --dry-run, or when nothing matched",
        ),
    ),
)
