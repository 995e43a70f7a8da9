"""The command line: one file per noun; ``output`` owns stdout, stderr and the exit codes."""
