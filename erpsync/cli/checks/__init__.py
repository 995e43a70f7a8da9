"""What ``doctor`` looks at, a room a subject. Rule: a check changes nothing and says what is true in one line.

A check may raise what it likes: ``examine`` makes of it that the check could not be made.
"""
