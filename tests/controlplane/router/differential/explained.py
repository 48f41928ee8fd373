"""Every difference between our replies and those of gdnsd 3.8 and Knot 3.2, with its reason. A row that does not occur any more must go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.controlplane.router.differential.queries import BAD_SUBNETS, Case

GDNSD, KNOT = "gdnsd", "knotd"
META = ("TYPE128", "TYPE249", "TYPE253", "TYPE254")
TRANSFERS = ("AXFR", "IXFR")
COOKIES = {"cookie", "old cookie", "bad cookie"}

Fields = Mapping[str, Any]
When = Callable[[Case, Fields, Fields], bool]


@dataclass(frozen=True)
class Row:
    """One explained difference: of *server* in *field*, for cases in which *when* holds for the query, our fields and theirs."""

    server: str
    field: str
    why: str
    when: When


def rcodes(ours: str, *theirs: str) -> When:
    return lambda _, us, them: us["rcode"] == ours and them["rcode"] in theirs


def both(*conditions: When) -> When:
    return lambda case, us, them: all(condition(case, us, them) for condition in conditions)


def query(condition: Callable[[Case], bool]) -> When:
    return lambda case, _us, _them: condition(case)


BAD = query(
    lambda case: case.subnet in BAD_SUBNETS or "bad cookie" in case.options or case.edns in ("two", "overrun", "owner")
)
OPCODE = query(lambda case: case.opcode != 0)
TRAILING = query(lambda case: case.extra == "trailing")
ANY_CLASS = query(lambda case: case.klass == 255)
CHAOS = query(lambda case: case.klass == 3)

ROWS = (
    # --- both ---
    *(row for server in (GDNSD, KNOT) for row in (
        Row(server, "errors", "they tell no extended error (RFC 8914)",
            lambda _c, us, them: bool(us["errors"]) and not them["errors"]),
        Row(server, "question", "row D5: NOTIMP for an opcode is a header only; they echo the question", OPCODE),
        Row(server, "edns", "row D5, D18: no OPT beside a header only, or when the query's OPT could not be read; they add one",
            lambda _c, us, them: us["rcode"] in ("NOTIMP", "FORMERR") and us["edns"] == -1 and them["edns"] == 0),
        Row(server, "rcode", "they read the rest of a message before its opcode, we do not",
            both(OPCODE, rcodes("NOTIMP", "FORMERR", "BADVERS"))),
        Row(server, "rcode", "row D18: an OPT whose owner is not the root is FORMERR; they take it for an OPT, or for none",
            both(query(lambda case: case.edns == "owner"),
                 rcodes("FORMERR", "NOERROR", "NXDOMAIN", "REFUSED", "NOTIMP", "NOTAUTH"))),
        Row(server, "rcode", "names of preview hosts (v1--hello) exist for us only",
            both(query(lambda case: case.name.startswith("v1--")), rcodes("NOERROR", "NXDOMAIN"))),
        Row(server, "rcode", "row D7: class ANY is refused; they answer it as IN",
            both(ANY_CLASS, rcodes("REFUSED", "NOERROR", "NXDOMAIN", "NOTIMP"))),
        Row(server, "rcode", "row D6: a transfer is REFUSED; over UDP they say NOTIMP",
            both(query(lambda case: case.type in TRANSFERS), rcodes("REFUSED", "NOTIMP"))),
        Row(server, "scope", "row E8: a private address has its block's prefix as scope; they have no such rule",
            query(lambda case: case.subnet == "private /24")),
        Row(server, "rcode", "row E13: two client subnets are FORMERR; they take the first, or the last",
            both(query(lambda case: case.subnet == "two"), rcodes("FORMERR", "NOERROR", "NXDOMAIN", "REFUSED", "NOTIMP", "NOTAUTH"))),
    )),
    # --- gdnsd ---
    Row(GDNSD, "udp size", "it tells 1024 octets over UDP; row D14 has 1232",
        lambda _c, us, them: (us["udp size"], them["udp size"]) == (1232, 1024)),
    Row(GDNSD, "answer", "minimal ANY (RFC 8482) has a TTL of 3600 s there and 300 s here", query(lambda case: case.type == "ANY")),
    Row(GDNSD, "answer", "it gives a SOA the TTL of negative answers (RFC 2308 section 5) even when it is asked for",
        query(lambda case: case.type == "SOA")),
    Row(GDNSD, "additional", "it leaves the apex' name server's own addresses out of an NS answer; RFC 1034 section 4.3.2 adds them",
        query(lambda case: case.type == "NS")),
    *(Row(GDNSD, field, "RFC 4035 section 3.1.4.1: DS at a cut is answered by the parent; it refers",
          query(lambda case: case.type == "DS" and case.name.startswith("sub."))) for field in ("aa", "authority", "additional")),
    Row(GDNSD, "options", "it gives cookies in FORMERR replies too", lambda _c, us, _t: us["rcode"] == "FORMERR"),
    Row(GDNSD, "flags", "it leaves RD clear when it says FORMERR; RFC 1035 section 4.1.1 copies it", OPCODE),
    Row(GDNSD, "rcode", "it answers any name of class CH with its version", both(CHAOS, rcodes("REFUSED", "NOERROR"))),
    Row(GDNSD, "rcode", "a meta type in another class is refused for its class here, not implemented for its type there",
        both(query(lambda case: case.klass != 1 and case.type in META), rcodes("REFUSED", "NOTIMP"))),
    # --- Knot ---
    Row(KNOT, "rcode", "row C2: a cookie of an impossible length is FORMERR; without mod-cookies it reads none",
        both(query(lambda case: "bad cookie" in case.options), rcodes("FORMERR", "NOERROR", "NXDOMAIN", "REFUSED", "NOTIMP", "NOTAUTH"))),
    Row(KNOT, "options", "without mod-cookies it gives none", query(lambda case: bool(COOKIES & set(case.options)))),
    Row(KNOT, "options", "it answers EXPIRE (RFC 7314), which is for secondaries", query(lambda case: "expire" in case.options)),
    Row(KNOT, "rcode", "rows E5 to E7: it ignores a client subnet's faulty length, family, scope or bits",
        both(query(lambda case: case.subnet in BAD_SUBNETS), rcodes("FORMERR", "NOERROR", "NXDOMAIN", "REFUSED", "NOTIMP", "NOTAUTH"))),
    Row(KNOT, "rcode", "it reads options of another EDNS version", both(query(lambda case: case.edns == "version"), rcodes("BADVERS", "FORMERR"))),
    Row(KNOT, "subnet", "it echoes a client subnet of another EDNS version", query(lambda case: case.edns == "version")),
    Row(KNOT, "rcode", "row D20: octets after the message are ignored; it says FORMERR",
        both(TRAILING, lambda _c, _us, them: them["rcode"] == "FORMERR")),
    Row(KNOT, "edns", "where octets follow the message it leaves OPT out", TRAILING),
    Row(KNOT, "rcode", "row D6: meta types are NOTIMP; it looks them up like any type",
        both(query(lambda case: case.type in META), rcodes("NOTIMP", "NOERROR", "NXDOMAIN", "REFUSED"))),
    Row(KNOT, "rcode", "row D6: IXFR is REFUSED; it says NOTAUTH", both(query(lambda case: case.type == "IXFR"), rcodes("REFUSED", "NOTAUTH"))),
    Row(KNOT, "rcode", "an opcode is not implemented in any class; it looks at the class first", both(OPCODE, rcodes("NOTIMP", "REFUSED"))),
    *(Row(KNOT, field, "row D13: ANY gets one HINFO; it gives all there is", query(lambda case: case.type == "ANY"))
      for field in ("answer", "authority", "additional", "tc")),
    *(Row(KNOT, field, "row E12: a CNAME alone; it follows the chain inside the zone", query(lambda case: case.name.startswith("www.")))
      for field in ("answer", "authority")),
    Row(KNOT, "scope", "its module tells scope 0 for a network that none of its own covers, and for one wider than its own",
        query(lambda case: case.subnet.startswith(("elsewhere", "tokyo /20")))),
)  # fmt: skip


def explain(server: str, field: str, case: Case, ours: Fields, theirs: Fields) -> Row | None:
    """Return the first row that says why."""
    for row in ROWS:
        if (row.server, row.field) == (server, field) and row.when(case, ours, theirs):
            return row
    return None
