"""Intake: what systems tell, read, decided and put into the books, and offered to those who need it."""
