"""etcd by TLS: control planes get in, nobody else does."""

from pathlib import Path

import grpc
import pytest

from controlplane import access
from controlplane.config import Config, EtcdTlsConfig
from controlplane.identity import etcd_tls
from controlplane.store.client import Store
from controlplane.store.errors import StoreUnavailable
from tests.harness.etcd import Etcd


def config(etcd: Etcd, keys: Path) -> Config:
    files = EtcdTlsConfig(keys / etcd_tls.AUTHORITY, keys / f"{etcd_tls.CLIENT}.pem", keys / f"{etcd_tls.CLIENT}.key")
    return Config([etcd.endpoint], "example.org", insecure=True, etcd_tls=files)


async def refused(store: Store) -> None:
    try:
        with pytest.raises(StoreUnavailable):
            await store.get("x")
    finally:
        await store.close()


async def test_only_a_client_of_the_right_authority_is_served(tmp_path: Path) -> None:
    keys, others = tmp_path / "keys", tmp_path / "others"
    etcd_tls.write(keys, ["127.0.0.1"])
    etcd_tls.write(others, ["127.0.0.1"])
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    (tmp_path / "etcd").mkdir()
    async with Etcd(tmp_path / "etcd", keys) as etcd:
        store = access.store(config(etcd, keys))
        assert await store.get("x") is None
        await store.close()
        await refused(Store([etcd.endpoint]))
        authority = (keys / etcd_tls.AUTHORITY).read_bytes()
        name = etcd_tls.SERVER_NAME
        await refused(Store([etcd.endpoint], grpc.ssl_channel_credentials(authority), server_name=name))
        chain, key = ((others / f"{etcd_tls.CLIENT}.{kind}").read_bytes() for kind in ("pem", "key"))
        await refused(Store([etcd.endpoint], grpc.ssl_channel_credentials(authority, key, chain), server_name=name))
