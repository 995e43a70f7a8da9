"""The adapter made of data: a spec file says how one kind of system is spoken to, this room does it over HTTP.

One rule: what differs between systems stands in the spec file; no code here names a system.

A spec file is TOML. ``spec.py`` has every key with what it means; the files in ``erpsync/adapters/specs`` are whole
examples. In short::

    spec = 1                                  # version of this format
    zone = "Europe/Berlin"                    # what the system's times mean that name no zone
    decimals = "number"                       # or "text": how decimals are written in bodies
    [auth]                                    # bearer, basic (options.user) or key (header); the secret is the landscape's
    [headers] [limits] [throttle] [codes.T]   # codes: our word = their code; from_code('T', x), to_code('T', x)
    [probe]                                   # a harmless request
    [[errors]]                                # first that fits: status, when (JMESPath on the body), content_type, on
    means = "refused"                         # ok gone refused retry_later system_down access_denied parent_missing conflict unknown

    [kinds.item]                              # far_id, number, removed, at, revision, nulls: expressions on their document
    [kinds.item.fields]                       # ours = JMESPath on theirs; lines = { each, fields }
    [kinds.item.changes]                      # request, items, paging, and since (a stamp) or cursor (their token)
    [kinds.item.scan] [kinds.item.one]        # everything; one by {far_id}
    [kinds.item.find.by_reference]            # by our {number}; by_natural_key after it
    [kinds.item.write]                        # once = idempotent | findable | blind, key_life, upsert, read_back
    [kinds.item.create] [.update] [.remove]   # method, path, query, headers, body, send = all | changed, answer
    [kinds.item.body]                         # of create and update: texts that begin with = are JMESPath on our document

In paths, queries and headers ``{far_id}``, ``{number}``, ``{once_key}``, ``{far_revision}``, ``{doc.FIELD}`` and
``{options.NAME}`` are filled in, and in reads ``{limit}``, ``{page}``, ``{offset}``, ``{next}``, ``{since}``,
``{cursor}``. In bodies the same stand under ``_`` (``_.once_key``; ``_.doc`` is the whole document), ``far('customer',
customer)`` is what the system calls that document, and ``"=each" = "lines"`` makes a list of a table. What expressions
may call beside JMESPath's own functions is in ``functions.py``.
"""
