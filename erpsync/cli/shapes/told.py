"""The answers about what systems told us, what it means, and what was done: events, exceptions, trace, cross-references, acts."""

from __future__ import annotations

from erpsync.cli.shapes.keys import ANYTHING, DECIMAL, FLAG, MOMENT, TEXT, WHOLE, Each, Named, key, keys, maybe, not_yet
from erpsync.cli.shapes.parts import COUNTED, ENTRY, EVENT, FIELDS, RUN, STATE, SUMS, answer, listing

_EXCEPTION = keys(
    key("id", TEXT, "like E-303"),
    key("kind", TEXT, "the kind of exception"),
    key("subject", TEXT, "the key or system it is about"),
    maybe("system", TEXT, "the system it is about"),
    maybe("severity", TEXT, "how bad"),
    maybe("owner", TEXT, "whose it is to mend"),
    key("opened", MOMENT, "when it opened"),
    key("waiting_seconds", WHOLE, "how long ago"),
    key("at_stake", keys(key("amount", DECIMAL, "how much"), key("currency", TEXT, "three letters")), "money at stake"),
    not_yet("assigned", "who works on it"),
    not_yet("snoozed_until", "until when it is quiet"),
    key("state", TEXT, "open or closed"),
    maybe("text", TEXT, "what is wrong, in words"),
    maybe("stops", TEXT, "what it stops: release, ship, invoice, nothing"),
    maybe("grace_seconds", WHOLE, "how long it waits before it opens"),
    key("times", WHOLE, "how often it was met"),
    maybe("message", WHOLE, "the message it is about"),
    maybe("event", WHOLE, "the event it is about"),
    key("evidence", Named(ANYTHING), "what was found"),
    not_yet("blocks", "the keys it blocks"),
    maybe("closed", MOMENT, "when it closed"),
    maybe("closed_by", TEXT, "who closed it"),
    maybe("close_reason", TEXT, "why"),
    RUN,
)
_APPLIED = keys(
    key("id", WHOLE, "the event"),
    key("key", TEXT, "the key it is about"),
    key("from", TEXT, "the system that told it"),
    key("verdict", TEXT, "what was made of it: now, with --dry-run until now"),
    maybe("detail", TEXT, "why, in words"),
)

SHAPES = (
    listing("events.list", "What systems told us", EVENT),
    answer(
        "events.show",
        "One event with its contents",
        key("event", EVENT, "the event"),
        maybe("raw", TEXT, "what was told, exact"),
        maybe("canonical", FIELDS, "as it was read"),
        key(
            "messages",
            Each(
                keys(
                    key("id", WHOLE, "the message"),
                    key("system", TEXT, "where it goes"),
                    key("state", STATE, "its state"),
                )
            ),
            "what came of it",
        ),
        RUN,
    ),
    answer(
        "events.apply",
        "Kept events read again",
        key("dry_run", FLAG, "whether it was only shown"),
        *COUNTED,
        key("items", Each(_APPLIED), "the events"),
    ),
    listing("exceptions.list", "Business problems", _EXCEPTION),
    answer("exceptions.show", "One exception", key("exception", _EXCEPTION, "the exception")),
    answer("exceptions.resolve", "An exception closed", key("exception", _EXCEPTION, "as it is now")),
    listing(
        "trace",
        "All that happened to a key",
        ENTRY,
        key("key", TEXT, "the key"),
        key("answer", TEXT, "the first line: where it is"),
        key("references", Named(TEXT), "what each system calls it"),
        key("at_stake", SUMS, "its money, while anything of it is unfinished"),
        RUN,
    ),
    listing(
        "xref.list",
        "Cross-references",
        keys(
            key("system", TEXT, "the system"),
            key("key", TEXT, "our key"),
            key("kind", TEXT, "its kind"),
            key("far_id", TEXT, "what that system calls it"),
            key("bound", MOMENT, "since when that is known"),
            key("age_seconds", WHOLE, "how long ago"),
        ),
    ),
    listing(
        "audit.list",
        "Acts of people, decisions of the engine",
        keys(
            key("act", TEXT, "like A-2211"),
            key("at", MOMENT, "when"),
            key("actor", TEXT, "who; engine where nobody did"),
            key("what", TEXT, "what was done"),
            key("subject", TEXT, "to what"),
            maybe("reason", TEXT, "why"),
            maybe("command", TEXT, "the command that did it"),
            maybe("before", ANYTHING, "how it was"),
            maybe("after", ANYTHING, "how it is"),
            not_yet("undo", "whether it can be taken back"),
            key("hash", TEXT, "its hash in the chain"),
            key("previous", TEXT, "the hash of the act before it"),
        ),
    ),
    answer(
        "audit.verify",
        "Whether the audit log is whole",
        key("whole", FLAG, "whether it is"),
        key("newest", Each(keys(key("act", TEXT, "the act"), key("hash", TEXT, "its hash"))), "the end of each chain"),
        *COUNTED,
        key("items", Each(keys(key("text", TEXT, "what is wrong"))), "every problem"),
    ),
)
