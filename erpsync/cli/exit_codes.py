"""How a command ends, for scripts: one code a meaning. ``output`` alone hands them to the process."""

GOOD = 0
NO = 1  # the answer is no, or a part of many failed
USAGE = 2
UNREACHABLE = 3
STORE = 4
PENDING = 8
DEFECT = 70
INTERRUPTED = 130
TERMINATED = 143
