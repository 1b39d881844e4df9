"""The exception for mistakes that users can put right."""


class UserError(Exception):
    """Its text has three parts: what happened, what was expected, and what helps. Scripts print it and exit with 2."""
