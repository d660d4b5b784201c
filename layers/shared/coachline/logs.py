"""Structured logs: one JSON line per event with ids and figures, never a body, a token or an address.

Powertools' Logger, because importing anything of Powertools has imported it already.
"""

from aws_lambda_powertools.logging import Logger

logger = Logger(use_rfc3339=True, serialize_stacktrace=False)
