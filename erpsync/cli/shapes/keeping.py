"""The answers about the store itself, the machine it is on, and the landscape file."""

from __future__ import annotations

from erpsync.cli.shapes.keys import ANYTHING, DECIMAL, FLAG, MOMENT, TEXT, WHOLE, Each, Named, key, keys, maybe, one_of
from erpsync.cli.shapes.parts import COUNTED, answer

SHAPES = (
    answer(
        "store.info",
        "What the store is",
        key(
            "store",
            keys(
                key("path", TEXT, "the file"),
                key("size", WHOLE, "its bytes"),
                key("wal_size", WHOLE, "the bytes of its -wal"),
                key("reusable", WHOLE, "bytes of it that hold nothing"),
                key("free_pages", WHOLE, "pages of it that hold nothing"),
                key("page_size", WHOLE, "bytes of a page"),
                key("disk_free", WHOLE, "bytes that are free on its disk"),
                key("mode", TEXT, "who may read it, like 0600"),
                key("schema", WHOLE, "its schema"),
                key("schema_known", WHOLE, "the schema that this erpsync knows"),
                key("store_id", TEXT, "its identity"),
                key("epoch", WHOLE, "how often a backup took its place, and one"),
                maybe("created_at", MOMENT, "when it was made"),
                maybe("restored_at", MOMENT, "when a backup took its place last"),
                key("sqlite", TEXT, "the version of SQLite"),
                key("sqlite_sound", FLAG, "whether several processes may write with it"),
                key("advice", TEXT, "what to do where it is not; else empty"),
                maybe("last_backup", Named(ANYTHING), "when and where it was last backed up, as the audit log has it"),
                maybe("last_prune", Named(ANYTHING), "when it was last pruned, and of what, as the audit log has it"),
                key("tables", Named(WHOLE), "rows by table"),
                maybe("oldest_event", MOMENT, "when its oldest event came in"),
                maybe("newest_event", MOMENT, "when its newest event came in"),
                maybe("oldest_message", MOMENT, "when its oldest message was accepted"),
                maybe("oldest_open", MOMENT, "when its oldest unfinished message was accepted"),
                key("keep_seconds", WHOLE, "how long what is finished is kept"),
            ),
            "the store",
        ),
    ),
    answer(
        "store.verify",
        "Whether the store is whole",
        key("whole", FLAG, "whether it is"),
        *COUNTED,
        key(
            "items",
            Each(keys(key("where", TEXT, "the check that found it"), key("text", TEXT, "what is wrong"))),
            "every problem",
        ),
    ),
    answer(
        "store.migrate",
        "The store brought to this schema",
        key("before", WHOLE, "its schema before"),
        key("after", WHOLE, "its schema now"),
    ),
    answer(
        "store.backup",
        "A copy of the store",
        key("file", TEXT, "the copy"),
        key("moment", MOMENT, "the moment that it stands for"),
        key("size", WHOLE, "its bytes"),
        key("events", WHOLE, "how many it holds"),
        key("messages", WHOLE, "how many it holds"),
        key("unfinished", WHOLE, "how many of them are unfinished"),
        maybe("act", TEXT, "the act in the audit log; null where the store could not note it"),
    ),
    answer(
        "store.prune",
        "What was finished long ago is removed",
        key("dry_run", FLAG, "whether it was only shown"),
        key("keep_seconds", WHOLE, "how long what is finished is kept"),
        key("before", MOMENT, "what was finished before then goes"),
        key("messages", WHOLE, "how many"),
        key("attempts", WHOLE, "how many"),
        key("exceptions", WHOLE, "closed ones"),
        key("events_forgotten", WHOLE, "events whose raw content goes; what was read of them stays"),
        key("minutes", WHOLE, "counts of old minutes"),
        key("contents", WHOLE, "contents that nothing names any more"),
        key("bytes", WHOLE, "of those contents"),
        maybe("reusable", WHOLE, "bytes of the file that hold nothing now"),
        maybe("in_hands", WHOLE, "messages in workers' hands for whose sake contents stay until the next time"),
        maybe("act", TEXT, "the act in the audit log"),
    ),
    answer(
        "doctor",
        "Whether machine, store, landscape, workers and systems are well",
        key("well", FLAG, "whether nothing is bad; warnings are let pass"),
        *COUNTED,
        key(
            "items",
            Each(
                keys(
                    key("check", TEXT, "what was looked at"),
                    key("state", one_of("ok", "warn", "bad", "unknown"), "what was found"),
                    key("text", TEXT, "the same in words"),
                    maybe("run", TEXT, "the next command"),
                )
            ),
            "every check",
        ),
    ),
    answer(
        "check",
        "The mistakes in the landscape file",
        key("file", TEXT, "the file"),
        key("good", FLAG, "whether there is none"),
        *COUNTED,
        key(
            "items",
            Each(
                keys(
                    key("file", TEXT, "the file it is in"),
                    maybe("line", WHOLE, "its line"),
                    maybe("column", WHOLE, "its column"),
                    maybe("where", TEXT, "the table and key"),
                    key("text", TEXT, "what is wrong"),
                    maybe("found", ANYTHING, "what stands there"),
                    maybe("nearest", TEXT, "what was probably meant"),
                    maybe("valid", Each(TEXT), "what may stand there"),
                )
            ),
            "every mistake, in the file's order",
        ),
        maybe(
            "systems",
            Each(
                keys(
                    key("system", TEXT, "its name"),
                    key("up", FLAG, "whether it answered well"),
                    maybe("seconds", DECIMAL, "how long it took"),
                    maybe("text", TEXT, "what it said"),
                )
            ),
            "each system that was asked (--online)",
        ),
    ),
)
