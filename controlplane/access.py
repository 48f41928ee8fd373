"""What makes a control plane a guarded one: the authority, its own certificate, who is known, and the interceptor that asks them."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import grpc

from controlplane.api import connections
from controlplane.api.authentication import Authentication
from controlplane.api.identity import Identity, Tokens
from controlplane.config import Config, EtcdTlsConfig, IdentityConfig
from controlplane.identity import authority, bootstrap, ca, etcd_tls, seal
from controlplane.identity.api_tokens import ApiTokens
from controlplane.identity.directory import Directory
from controlplane.identity.joining import Joining
from controlplane.identity.own import OwnCertificate
from controlplane.identity.streams import Streams
from controlplane.store.client import Store
from controlplane.store.errors import StoreUnavailable
from nearhop import log, tls
from nearhop.spiffe import Part, Role
from nearhop.v1 import identity_pb2_grpc

_log = log.get(__name__)

_RETRY_S = 0.5


class Access:
    """Everything about identities in one control plane."""

    def __init__(self, store: Store, config: IdentityConfig, opened: ca.Authority, key: seal.Seal) -> None:
        life = timedelta(seconds=config.certificate_life_s)
        part = Part(Role.CONTROL_PLANE, config.id)
        self._trust_domain = opened.trust_domain
        self.authority = opened
        self.seal = key
        self.joining = Joining(store, opened, life=life, clock=time.time)
        self.api_tokens = ApiTokens(store, clock=time.time)
        self.directory = Directory(store, clock=time.time)
        self.streams = Streams(self.directory)
        self.interceptor = Authentication(self.directory, self.streams, self._trust_domain)
        self._own = OwnCertificate(opened, part, config.names, life=life, clock=time.time)

    def add_services(self, server: grpc.aio.Server) -> None:
        identity_pb2_grpc.add_IdentityServicer_to_server(Identity(self.joining, self._trust_domain), server)
        identity_pb2_grpc.add_TokensServicer_to_server(Tokens(self.api_tokens, self.joining), server)

    def credentials(self, *, clients: bool) -> grpc.ServerCredentials:
        """Return what to listen with: for people and joiners, or, with *clients*, for parts that show a certificate."""
        listener = connections.FLEET if clients else connections.API
        begun = functools.partial(self.interceptor.connections.begin, listener)
        return tls.server_credentials(self._own.current, clients=clients, begun=begun)

    def work(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """Return what must run, by name."""
        return [
            ("directory", self.directory.run()),
            ("streams", self.streams.run()),
            ("own certificate", self._own.run()),
        ]


async def opened(store: Store, config: Config, stop: asyncio.Event | None) -> Access | None:
    """Open the fleet's authority, waiting for the store; None when *stop* was set first. Raises SealBroken, InvalidInput, OSError."""
    identity = config.identity
    if identity is None:
        raise ValueError("the configuration has no identity")
    key = seal.read_key(identity.key_file)
    waiting = False
    while stop is None or not stop.is_set():
        try:
            fleet = await authority.open_authority(store, key, config.trust_domain, ca.utc(time.time()))
            access = Access(store, identity, fleet, key)
            await access.directory.load()
            if identity.bootstrap_dir is not None:
                await bootstrap.write(
                    identity.bootstrap_dir, fleet, access.api_tokens, access.joining, access.directory
                )
        except StoreUnavailable as error:
            tell = _log.debug if waiting else _log.warning
            tell("waiting for the store, which holds the authority", error=str(error))
            waiting = True
        else:
            return access
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_S):
                await (stop or asyncio.Event()).wait()
    return None


def store(config: Config) -> Store:
    """Return the store that *config* names. Raises OSError when a certificate cannot be read."""
    if config.etcd_tls is None:
        return Store(config.etcd)
    return Store(config.etcd, _etcd_credentials(config.etcd_tls), server_name=etcd_tls.SERVER_NAME)


def _etcd_credentials(config: EtcdTlsConfig) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        config.authority.read_bytes(), config.key.read_bytes(), config.certificate.read_bytes()
    )
