"""What the words of a notification consist of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A subject, a first paragraph that says all in one, further ones, facts, and where to go on."""

    subject: str
    lead: str
    more: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    action: tuple[str, str] | None = None
