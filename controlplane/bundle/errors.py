"""What the ways from a project to a bundle have in common when they fail."""

from nearhop.errors import NearhopError


class UnusableSource(NearhopError):
    """What was given cannot become a bundle; the message says why and what to do."""
