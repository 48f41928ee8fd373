"""The parts of the cluster: which program each is, and with which configuration."""

import sys
from dataclasses import dataclass
from pathlib import Path

from controlplane.identity import etcd_tls
from deploy.local import https, identities, toml
from deploy.local.settings import ROUTER, ZONE, NodeSettings, Settings
from nearhop import engines, tls


@dataclass(frozen=True, slots=True)
class Part:
    """A program to keep running; *listens* are its host:port for people, *grace_s* is its time to stop."""

    name: str
    argv: tuple[str, ...]
    listens: str
    grace_s: float = 10.0


def etcd(settings: Settings) -> Part:
    """Return the embedded etcd, a cluster of one member that keeps everything in the state folder."""
    client, peer = f"https://{settings.etcd}", f"https://{settings.etcd_peer}"
    keys = settings.keys
    argv = (
        str(engines.find("etcd").path),
        "--name=local",
        f"--data-dir={settings.state_dir / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        f"--cert-file={keys / etcd_tls.MEMBER}.pem",
        f"--key-file={keys / etcd_tls.MEMBER}.key",
        f"--trusted-ca-file={keys / etcd_tls.AUTHORITY}",
        "--client-cert-auth",
        f"--peer-cert-file={keys / etcd_tls.MEMBER}.pem",
        f"--peer-key-file={keys / etcd_tls.MEMBER}.key",
        f"--peer-trusted-ca-file={keys / etcd_tls.AUTHORITY}",
        "--peer-client-cert-auth",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        "--logger=zap",
        "--log-level=warn",
    )
    return Part("etcd", argv, settings.etcd)


def control_plane(settings: Settings, geoip: Path | None) -> Part:
    """Return the control plane, its configuration written."""
    keys = settings.keys
    config = _write(
        settings,
        "controlplane",
        {
            "listen": settings.control_plane,
            "metrics_listen": settings.metrics,
            "etcd": [settings.etcd],
            "zone": ZONE,
            "geoip_database": str(geoip or ""),
            "etcd_tls": {
                "authority": str(keys / etcd_tls.AUTHORITY),
                "certificate": str(keys / f"{etcd_tls.CLIENT}.pem"),
                "key": str(keys / f"{etcd_tls.CLIENT}.key"),
            },
            "identity": {
                "key_file": str(keys / identities.KEY_FILE),
                "listen": settings.fleet,
                "bootstrap_dir": str(keys),
            },
        },
    )
    return Part("controlplane", _python("controlplane", config), settings.control_plane)


def router(settings: Settings, geoip: Path | None) -> Part:
    """Return the router, its configuration written."""
    config = _write(
        settings,
        "router",
        {
            "id": ROUTER,
            "control_planes": [settings.fleet],
            "join": _join(settings, ROUTER),
            "dns_listen": [settings.router_dns],
            "http_listen": settings.router_http,
            "zone": ZONE,
            "state_dir": str(_folder(settings, "router")),
            "geoip_database": str(geoip or ""),
        },
    )
    return Part(
        "router", _python("controlplane.router", config), f"dns {settings.router_dns}, http {settings.router_http}"
    )


def dashboard(settings: Settings) -> Part:
    """Return the dashboard, its configuration written."""
    values: dict[str, toml.Value] = {
        "listen": settings.dashboard,
        "control_planes": [settings.control_plane],
        "authorities": str(settings.keys / tls.AUTHORITIES_FILE),
    }
    config = _write(settings, "dashboard", values)
    return Part("dashboard", _python("controlplane.dashboard", config), f"http://{settings.dashboard}")


def node(settings: Settings, node: NodeSettings, geoip: Path | None) -> Part:
    """Return a node agent, its configuration written."""
    config = _write(
        settings,
        node.id,
        {
            "id": node.id,
            "region": node.region.name,
            "latitude": node.region.location.latitude,
            "longitude": node.region.location.longitude,
            "control_planes": [settings.fleet],
            "join": _join(settings, node.id),
            "listen": [settings.ingress(node)],
            "tls_listen": [settings.ingress_tls(node)],
            "tls_certificates": str(https.prepare(settings.keys, ZONE)),
            "advertise_ipv4": [node.address],
            "port": settings.node_port,
            "state_dir": str(_folder(settings, "nodes", node.id)),
            "geoip_database": str(geoip or ""),
            "cache_dir": str(_folder(settings, "cache")),
            # On one machine every client is on loopback: the forwarded address tells where it claims to be.
            "trusted_proxies": ["127.0.0.0/8"],
        },
    )
    return Part(node.id, _python("node", config), settings.ingress(node), grace_s=15.0)


def _join(settings: Settings, name: str) -> toml.Table:
    return {"control_planes": [settings.control_plane], "token_file": str(identities.token_file(settings, name))}


def _python(module: str, config: Path) -> tuple[str, ...]:
    # -P: a folder that happens to be called "node" where the user stands must not be taken for ours.
    return (sys.executable, "-P", "-m", module, "--config", str(config))


def _folder(settings: Settings, *names: str) -> Path:
    path = settings.state_dir.joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write(settings: Settings, name: str, values: dict[str, toml.Value]) -> Path:
    path = _folder(settings, "config") / f"{name}.toml"
    path.write_text(toml.render(values), encoding="utf-8")
    return path
