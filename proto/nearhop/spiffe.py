"""The names of a fleet's parts, as URIs in their certificates (SPIFFE-ID, sections 2.1 to 2.4).

spiffe://<trust domain>/node/<region>/<id>, …/router/<id>, …/controlplane/<id>. Pure; every part of a name is a lower-case DNS label.
"""

from dataclasses import dataclass
from enum import StrEnum

from nearhop import names
from nearhop.errors import InvalidInput, Violation


class Role(StrEnum):
    """What a part of the fleet is."""

    NODE = "node"
    ROUTER = "router"
    CONTROL_PLANE = "controlplane"


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A part's name within its trust domain. Only a node has a region."""

    role: Role
    id: str
    region: str = ""

    def __str__(self) -> str:
        return f"{self.role.value} {self.id}"

    @property
    def path(self) -> str:
        """The name as the path of a URI, without the leading slash."""
        return (
            f"{self.role.value}/{self.region}/{self.id}" if self.role is Role.NODE else f"{self.role.value}/{self.id}"
        )


def reasons(part: Part) -> list[Violation]:
    """Say what is wrong with *part*'s name."""
    found = [Violation("id", reason) for reason in names.node_id_reasons(part.id)]
    if part.role is Role.NODE:
        found += [Violation("region", reason) for reason in names.region_reasons(part.region)]
    elif part.region:
        found.append(Violation("region", f"must be empty: a {part.role.value} has no region"))
    return found


def uri(part: Part, trust_domain: str) -> str:
    """Return *part*'s name as a URI."""
    return f"spiffe://{trust_domain}/{part.path}"


def parse(text: str, trust_domain: str) -> Part:
    """Return the part that the URI *text* names. Raises InvalidInput when it is of another trust domain, or no part's name."""
    prefix = f"spiffe://{trust_domain}/"
    if not text.startswith(prefix):
        raise InvalidInput([Violation("uri", f"{text!r} is not of the trust domain {trust_domain}")])
    return parse_path(text.removeprefix(prefix))


def parse_path(path: str) -> Part:
    """Return the part that *path* names: node/<region>/<id>, router/<id> or controlplane/<id>. Raises InvalidInput."""
    match path.split("/"):
        case [Role.NODE.value, region, name]:
            part = Part(Role.NODE, name, region)
        case [Role.ROUTER.value | Role.CONTROL_PLANE.value as role, name]:
            part = Part(Role(role), name)
        case _:
            raise InvalidInput(
                [Violation("name", f"{path!r} is not node/<region>/<id>, router/<id> or controlplane/<id>")]
            )
    if violations := reasons(part):
        raise InvalidInput(violations)
    return part
