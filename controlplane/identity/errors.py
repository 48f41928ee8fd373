"""Why a request about identities or tokens is refused."""

from nearhop.errors import NearhopError


class IdentityError(NearhopError):
    """Root of this package's refusals; the message is for the caller."""


class JoinRefused(IdentityError):
    """The join token does not let this part in."""


class AlreadyExists(IdentityError):
    """Somebody holds that name, or the call was made before."""


class NotFound(IdentityError):
    """There is no such part or token."""


class Revoked(IdentityError):
    """The certificate was revoked, or a newer join has taken its name over."""


class Cut(IdentityError):
    """The caller's certificate or token has ended while its call was in flight."""
