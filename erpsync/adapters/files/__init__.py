"""Systems that are folders of files: CSV and JSON lines, read as tables and written as documents.

As a source, a kind is one file (or a drop folder's pattern) and a mapping from its columns. As a target, a kind is a
folder. A system's ``options``::

    folder = "exports"              # relative to the landscape file; nothing outside it is opened, no link followed
    quiet_seconds = 1               # a file younger than this is looked at twice before it is read
    max_megabytes = 1024            # a larger file is refused

    [systems.office.options.kinds.order]            # a kind as a source
    file = "orders.csv"             # or "inbox/orders-*.csv": a drop folder, the newest name wins for a key
    complete = true                 # what is not in the file is gone; false is the default for a drop folder
    format = "csv"                  # or "jsonl"
    delimiter = ","                 # csv
    encoding = "utf-8"              # csv: a byte-order mark is skipped; or latin-1, cp1252, iso-8859-15, cp850, cp437
    columns = { number = "OrderID", ordered_on = "OrderDate" }   # canonical field = column; jsonl: a key, or a.b.c
    constants = { currency = "USD" }
    dates = "%m/%d/%Y"              # how days are written; ISO when not given
    moments = "%d.%m.%Y %H:%M"      # how moments are written; ISO when not given
    zone = "Europe/Berlin"          # of moments that name none; an hour that came twice or never is refused
    decimal = ","                   # "." when not given
    thousands = "."                 # none when not given
    nulls = ["", "NULL"]            # texts that mean empty; [""] when not given
    trim = true                     # take spaces around every cell away
    neutralised = true              # undo the ' that is written before a cell that looks like a formula

    [systems.office.options.kinds.order.columns.cancelled]       # a column with a form of its own
    column = "Status"
    map = { X = true, O = false }   # a code table: a code that is not in it refuses the row
                                    # also: format (days, moments), decimal, thousands, zone

    [systems.office.options.kinds.order.lines]      # the document's lines
    file = "order_details.csv"      # a second file of the same format; or list = "items": an array in a jsonl document
    join = "OrderID"                # the column of it that names the document ...
    to = "OrderID"                  # ... as this column of the first file does (default: the number's column)
    line = "item"                   # the line id is the SKU; or { column = "LineNo" }. Never the position
    columns = { sku = "ProductID", quantity = "Quantity" }
    max_rows = 500000               # they are joined in memory, about 300 bytes a row

    [systems.office.options.kinds.shipment.write]   # a kind as a target
    folder = "out/shipments"
    format = "json"                 # one file a document, replaced at once; or "csv", "jsonl": one file a delivery,
                                    # named by its once_key
    columns = { number = "Shipment" }               # csv: canonical field = column; lines are a row each
    lines = { sku = "Item", quantity = "Pieces" }   # csv: the columns of a line
    delimiter = ","                 # csv
    mode = "0600"                   # of the files

A jsonl kind without ``columns`` reads canonical documents by their own names.
"""

from erpsync.adapters.files.adapter import FilesAdapter

__all__ = ["FilesAdapter"]
