"""The business: no input or output, no clock, no randomness."""
