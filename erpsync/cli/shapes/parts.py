"""What several answers have in common: the envelope, money, a message, an event, a try."""

from __future__ import annotations

from erpsync.cli.shapes.keys import (
    ANYTHING,
    DECIMAL,
    FLAG,
    MOMENT,
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
    one_of,
)

STATE = one_of("ready", "leased", "held", "unknown", "dead", "done", "skipped")
ENVELOPE = (
    key("schema", TEXT, "what this object is: erpsync/COMMAND/VERSION"),
    maybe("landscape", TEXT, "the name of the landscape"),
    key("at", MOMENT, "as of when"),
)
_SUM = keys(key("amount", DECIMAL, "in that currency"), key("currency", TEXT, "three letters"))
SUMS = keys(
    maybe("amount", DECIMAL, "the sum; null where there are several currencies"),
    maybe("currency", TEXT, "its currency; null where there are several"),
    key("by_currency", Each(_SUM), "the sum of each currency"),
)
COUNTED = (key("total", WHOLE, "how many match"), key("shown", WHOLE, "how many are here"))
RUN = key("run", TEXT, "the next command")


def answer(name: str, says: str, *these: Key, version: int = 1) -> Shape:
    """The shape of a command that is no listing."""
    return Shape(name, says, keys(*ENVELOPE, *these), version=version)


def listing(name: str, says: str, items: Keys, *more: Key, version: int = 1) -> Shape:
    """The shape of a listing; ``more`` stands beside its items."""
    these = (*ENVELOPE, *COUNTED, *more, key("items", Each(items), "one object each"))
    return Shape(name, says, keys(*these), items=items, version=version)


MESSAGE = keys(
    key("id", WHOLE, "the message"),
    key("key", TEXT, "the key of its document"),
    key("system", TEXT, "where it goes"),
    maybe("from", TEXT, "the system whose event it came of"),
    key("kind", TEXT, "the kind of its document"),
    key("flow", TEXT, "the flow it goes along"),
    key("lane", TEXT, "the key it queues under"),
    key("state", STATE, "its state"),
    not_yet("group", "the group of dead letters it belongs to"),
    maybe("cause", TEXT, "why it is in that state, in a word"),
    maybe("error", TEXT, "the last error, exact"),
    maybe("field", TEXT, "the field that error is about"),
    key("tries", WHOLE, "how often it was tried"),
    key("since", MOMENT, "when it came to that state"),
    key("waiting_seconds", WHOLE, "for how long"),
    key("accepted", MOMENT, "when it was accepted"),
    key("age_seconds", WHOLE, "how long ago"),
    maybe("due", MOMENT, "when it is tried next, or its lease ends"),
    key("head", FLAG, "whether it is the head of its lane"),
    maybe("event", WHOLE, "the event it came of"),
    maybe("far_id", TEXT, "what the target calls its document"),
    maybe("superseded_by", WHOLE, "the message that took its place"),
    key(
        "waits",
        Each(
            keys(
                key("reason", TEXT, "checkpoint, parent, approval, person, removal or line"),
                maybe("on", TEXT, "what is waited for"),
                key("since", MOMENT, "since when"),
            )
        ),
        "why it is held",
    ),
    key(
        "at_stake",
        keys(
            key("amount", DECIMAL, "its document's money"),
            key("currency", TEXT, "three letters"),
            not_yet("invoices", "the invoices it holds up"),
        ),
        "money at stake",
    ),
)
EVENT = keys(
    key("id", WHOLE, "the event"),
    key("key", TEXT, "the key it is about; the far id where it could not be read"),
    key("kind", TEXT, "the kind of document"),
    key("from", TEXT, "the system that told it"),
    key("verdict", TEXT, "what was made of it"),
    maybe("detail", TEXT, "why, in words"),
    key("removed", FLAG, "whether that system has it no more"),
    maybe("far_id", TEXT, "what that system calls it"),
    maybe("far_revision", TEXT, "that system's revision"),
    maybe("source_event_id", TEXT, "that system's id of the event"),
    maybe("at", MOMENT, "the source's own time"),
    key("received", MOMENT, "when it came in"),
    key("age_seconds", WHOLE, "how long ago"),
    key("repeats", WHOLE, "how often it came again"),
    maybe("repeated", MOMENT, "when it came again last"),
    maybe("caused_by", WHOLE, "the message of ours that it is the echo of"),
)
ATTEMPT = keys(
    key("try", WHOLE, "its number"),
    key("what", one_of("write", "find", "settle"), "what was asked"),
    key("at", MOMENT, "when it began"),
    maybe("outcome", TEXT, "what came of it; null under way"),
    maybe("request", TEXT, "method and path"),
    key(
        "headers",
        Each(keys(key("name", TEXT, "its name"), key("value", TEXT, "its value, secrets removed"))),
        "as sent",
    ),
    maybe("body", TEXT, "the bytes that were sent, as text"),
    maybe("status", WHOLE, "the status of the answer"),
    maybe("seconds", DECIMAL, "how long it took"),
    maybe("answer", TEXT, "what was answered, as text"),
    key("answer_cut", FLAG, "whether more was answered than is kept"),
    maybe("error", TEXT, "what went wrong"),
    maybe("worker", TEXT, "who had it in hand: worker, process and machine"),
    maybe("far_id", TEXT, "what the target called the document"),
    maybe("once_key", TEXT, "the key under which it does this once"),
)
ENTRY = keys(
    key("at", MOMENT, "when"),
    key("kind", TEXT, "event, attempt, message, exception or act"),
    maybe("system", TEXT, "which system"),
    maybe("message", WHOLE, "the message"),
    maybe("event", WHOLE, "the event"),
    maybe("act", TEXT, "the act"),
    maybe("exception", TEXT, "the exception"),
    maybe("actor", TEXT, "who: a person, engine, or a system"),
    maybe("outcome", TEXT, "what came of it, in a word"),
    maybe("seconds", DECIMAL, "how long it took"),
    key("text", TEXT, "a sentence, exact"),
)
FIELDS = Named(ANYTHING)
LEFT_OUT = Each(keys(key("message", WHOLE, "the message"), key("why", TEXT, "why nothing was done with it")))


def done(past: str) -> tuple[Key, ...]:
    """What an act on messages came to; ``past`` is its verb."""
    return (
        key(past, Each(WHOLE), "those it was done with"),
        key("line", Each(WHOLE), "those of their line that went with them"),
        key(
            "stays",
            Each(keys(key("message", WHOLE, "the message"), key("for", TEXT, "for what"))),
            "those that stay held for something else",
        ),
        key("left_out", LEFT_OUT, "those it was not done with"),
        key("closed", Each(TEXT), "the exceptions that it closed"),
        maybe("act", TEXT, "the act in the audit log"),
    )
