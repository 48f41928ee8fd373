"""jwt-gate on a real cluster, before a real origin: what passes, what the origin learns, and every forgery that must not pass."""

import base64
import hashlib
import hmac
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="session")]

HERE = Path(__file__).parent
ORIGIN_ADDRESS = "127.0.99.1"  # the harness' nodes let functions reach it
ISSUER = "https://issuer.example.org/"
AUDIENCE = "https://api.example.org/"
SECRET = b"a secret of the test, forty bytes long.."
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
PUBLIC_DER = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)


@dataclass
class Origin:
    """A server behind the gate, and the requests that reached it."""

    url: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    origin = Origin()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("transfer-encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = self.requestline.split()[1]  # self.path has its leading slashes collapsed
            origin.seen.append((self.command, path, headers, body))
            moved = self.path == "/moved"
            self.send_response(302 if moved else 201)
            if moved:
                self.send_header("location", "/elsewhere")
            self.send_header("x-origin", "yes")
            self.send_header("content-length", "11")
            self.end_headers()
            self.wfile.write(b"from origin")

        do_GET = do_POST = answer  # noqa: N815 the names that http.server calls

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 the overridden method's name
            pass

    server = ThreadingHTTPServer((ORIGIN_ADDRESS, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="origin")
    thread.start()
    origin.url = f"http://{ORIGIN_ADDRESS}:{server.server_port}"
    yield origin
    server.shutdown()
    server.server_close()
    thread.join()


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def configuration(origin_url: str | None, secret: bytes = SECRET) -> str:
    numbers = RSA_KEY.public_key().public_numbers()
    modulus = encode(numbers.n.to_bytes(256))
    config = {
        "origin": origin_url,
        "realm": "test",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "leewaySeconds": 5,
        "keys": [
            {"alg": "HS256", "kid": "hs", "secret": encode(secret)},
            {"alg": "RS256", "kid": "rs", "jwk": {"kty": "RSA", "e": "AQAB", "n": modulus}},
        ],
    }
    return f'import type {{ Config }} from "./config_types.ts";\nexport const config: Config = {json.dumps(config)};\n'


def project(folder: Path, config: str | None) -> Path:
    """Copy the example, as its user would, with a configuration of its own."""
    copy = folder / "jwt-gate"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    if config is not None:
        (copy / "config.ts").write_text(config, encoding="utf-8")
    return copy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(shared_cluster: Cluster, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    await shared_cluster.deploy(project(tmp_path_factory.mktemp("gate"), configuration(origin.url)))
    return shared_cluster


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with *changes*; None takes a claim out."""
    now = int(time.time())
    merged = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": now + 300, "nbf": now - 300, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def hs256(
    header: dict[str, Any] | None = None, secret: bytes = SECRET, payload: bytes | None = None, **changes: Any
) -> str:
    """Sign by hand: pyjwt refuses to make most of what is tried here."""
    head = encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "hs", **(header or {})}).encode())
    signed = f"{head}.{encode(payload or json.dumps(claims(**changes)).encode())}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def rs256(key: rsa.RSAPrivateKey = RSA_KEY, algorithm: str = "RS256", kid: str | None = "rs", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid} if kid else None)


def unsigned(algorithm: str) -> str:
    return ".".join([encode(json.dumps({"alg": algorithm}).encode()), encode(json.dumps(claims()).encode()), ""])


def confused(public_key: bytes, kid: str | None) -> str:
    """Sign with HS256, the RS256 public key as the secret: what everybody may know."""
    head = encode(json.dumps({"alg": "HS256", **({"kid": kid} if kid else {})}).encode())
    signed = f"{head}.{encode(json.dumps(claims()).encode())}"
    return f"{signed}.{encode(hmac.digest(public_key, signed.encode(), hashlib.sha256))}"


def flipped(token: str) -> str:
    """Change one bit in the middle of the signature."""
    head, body, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[len(raw) // 2] ^= 1
    return f"{head}.{body}.{encode(bytes(raw))}"


def resubjected(token: str) -> str:
    """Put other claims under a genuine signature."""
    head, _, signature = token.split(".")
    return f"{head}.{encode(json.dumps(claims(sub='root')).encode())}.{signature}"


async def ask(cluster: Cluster, token: str | None, path: str = "/", **more: Any) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await cluster.get("tokyo-1", "jwt-gate", path, headers={**headers, **more.pop("headers", {})}, **more)


GOOD: dict[str, Callable[[], str]] = {
    "hs256": hs256,
    "hs256 by pyjwt, no kid": lambda: jwt.encode(claims(), SECRET, "HS256"),
    "rs256": rs256,
    "rs256 without kid": lambda: rs256(kid=None),
    "audience in a list": lambda: hs256(aud=["https://other.example.org/", AUDIENCE]),
    "expired within the leeway": lambda: hs256(exp=int(time.time()) - 1),
    "no nbf": lambda: hs256(nbf=None),
    "fractional exp": lambda: hs256(exp=time.time() + 60.5),
}

BAD: dict[str, tuple[str, Callable[[], str]]] = {
    "alg none": ("algorithm_not_allowed", lambda: unsigned("none")),
    "alg None": ("algorithm_not_allowed", lambda: unsigned("None")),
    "alg NONE": ("algorithm_not_allowed", lambda: unsigned("NONE")),
    "alg HS256 without signature": ("bad_signature", lambda: unsigned("HS256")),
    "alg HS512": ("algorithm_not_allowed", lambda: jwt.encode(claims(), SECRET * 2, "HS512")),
    "alg RS512": ("algorithm_not_allowed", lambda: rs256(algorithm="RS512")),
    "alg PS256": ("algorithm_not_allowed", lambda: rs256(algorithm="PS256")),
    "alg absent": ("algorithm_not_allowed", lambda: hs256(header={"alg": None})),
    "alg an object's own name": ("algorithm_not_allowed", lambda: hs256(header={"alg": "constructor"})),
    "alg a list": ("algorithm_not_allowed", lambda: hs256(header={"alg": ["HS256"]})),
    "confusion, PEM, RS key's kid": ("algorithm_not_allowed", lambda: confused(PUBLIC_PEM, "rs")),
    "confusion, PEM, HS key's kid": ("bad_signature", lambda: confused(PUBLIC_PEM, "hs")),
    "confusion, PEM, no kid": ("bad_signature", lambda: confused(PUBLIC_PEM, None)),
    "confusion, stripped PEM": ("algorithm_not_allowed", lambda: confused(PUBLIC_PEM.strip(), "rs")),
    "confusion, DER": ("algorithm_not_allowed", lambda: confused(PUBLIC_DER, "rs")),
    "confusion, the other way": ("algorithm_not_allowed", lambda: rs256(kid="hs")),
    "unknown kid": ("unknown_key", lambda: hs256(header={"kid": "other"})),
    "kid a path": ("unknown_key", lambda: hs256(header={"kid": "../../dev/null"}, secret=b"")),
    "kid null": ("unknown_key", lambda: hs256(header={"kid": None})),
    "key in the header": (
        "bad_signature",
        lambda: hs256(header={"jwk": {"kty": "oct", "k": encode(b"mine")}}, secret=b"mine"),
    ),
    "empty secret": ("bad_signature", lambda: hs256(secret=b"")),
    "other RSA key": ("bad_signature", lambda: rs256(key=STRANGER_KEY)),
    "hs256 signature changed": ("bad_signature", lambda: flipped(hs256())),
    "rs256 signature changed": ("bad_signature", lambda: flipped(rs256())),
    "hs256 claims changed": ("bad_signature", lambda: resubjected(hs256())),
    "rs256 claims changed": ("bad_signature", lambda: resubjected(rs256())),
    "expired": ("expired", lambda: hs256(exp=int(time.time()) - 60)),
    "rs256 expired": ("expired", lambda: rs256(exp=int(time.time()) - 60)),
    "no exp": ("no_expiry", lambda: hs256(exp=None)),
    "exp a string": ("no_expiry", lambda: hs256(exp="9999999999")),
    "exp infinite": (
        "no_expiry",
        lambda: hs256(payload=json.dumps(claims(exp=0)).replace('"exp": 0', '"exp": 1e999').encode()),
    ),
    "nbf in the future": ("not_yet_valid", lambda: hs256(nbf=int(time.time()) + 60)),
    "nbf a string": ("not_yet_valid", lambda: hs256(nbf="0")),
    "other issuer": ("wrong_issuer", lambda: hs256(iss="https://evil.example.org/")),
    "no issuer": ("wrong_issuer", lambda: hs256(iss=None)),
    "issuer in a list": ("wrong_issuer", lambda: hs256(iss=[ISSUER])),
    "other audience": ("wrong_audience", lambda: hs256(aud="https://other.example.org/")),
    "audience is only a prefix": ("wrong_audience", lambda: hs256(aud=AUDIENCE + "x")),
    "no audience": ("wrong_audience", lambda: hs256(aud=None)),
    "empty audiences": ("wrong_audience", lambda: hs256(aud=[])),
    "no subject": ("bad_subject", lambda: hs256(sub=None)),
    "subject a number": ("bad_subject", lambda: hs256(sub=1)),
    "subject ends in a space": ("bad_subject", lambda: hs256(sub="root ")),
    "subject with a line break": ("bad_subject", lambda: hs256(sub="ada\r\nx-verified-subject: root")),
    "critical extension": ("malformed", lambda: hs256(header={"crit": ["b64"], "b64": False})),
    "two parts": ("malformed", lambda: hs256().rpartition(".")[0]),
    "four parts": ("malformed", lambda: hs256() + ".x"),
    "empty parts": ("malformed", lambda: ".."),
    "padded base64": ("malformed", lambda: hs256() + "="),
    "header not JSON": ("malformed", lambda: f"{encode(b'{')}.{encode(b'{}')}.{encode(b'x')}"),
    "header a list": ("malformed", lambda: f"{encode(b'[]')}.{encode(b'{}')}.{encode(b'x')}"),
    "header not UTF-8": ("malformed", lambda: f"{encode(bytes([255, 254]))}.{encode(b'{}')}.{encode(b'x')}"),
    "claims a string": ("malformed", lambda: hs256(payload=b'"ada"')),
    "claims null": ("malformed", lambda: hs256(payload=b"null")),
    "too long": ("malformed", lambda: hs256(padding="x" * 8192)),
    "two tokens": ("malformed", lambda: f"{hs256()} {hs256()}"),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_token_passes(deployed: Cluster, origin: Origin, name: str) -> None:
    origin.seen.clear()
    reply = await ask(deployed, GOOD[name]())
    assert (reply.status_code, reply.text, reply.headers["x-origin"]) == (201, "from origin", "yes")
    [(_, _, headers, _)] = origin.seen
    assert headers["x-verified-subject"] == "ada"


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_answered_at_the_edge(deployed: Cluster, origin: Origin, name: str) -> None:
    reason, make = BAD[name]
    origin.seen.clear()
    reply = await ask(deployed, make())
    assert reply.status_code == 401
    assert reply.json() == {"error": "invalid_token", "reason": reason}
    assert reply.headers["www-authenticate"].startswith(
        'Bearer realm="test", error="invalid_token", error_description="'
    )
    assert reply.headers["cache-control"] == "no-store"
    assert origin.seen == []


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic YWRhOmFkYQ==", "Token x"])
async def test_no_token_is_challenged_without_an_error(
    deployed: Cluster, origin: Origin, authorization: str | None
) -> None:
    origin.seen.clear()
    reply = await ask(deployed, None, headers={} if authorization is None else {"authorization": authorization})
    assert (reply.status_code, reply.json()["reason"]) == (401, "no_token")
    assert reply.headers["www-authenticate"] == 'Bearer realm="test"'
    assert origin.seen == []


async def test_the_scheme_may_be_in_any_case(deployed: Cluster) -> None:
    reply = await ask(deployed, None, headers={"authorization": f"bEARER {hs256()}"})
    assert reply.status_code == 201


async def test_the_origin_gets_the_request_with_the_subject_in_place_of_the_token(
    deployed: Cluster, origin: Origin
) -> None:
    origin.seen.clear()
    forged = {"x-verified-subject": "root", "connection": "x-verified-subject", "x-custom": "kept"}
    await ask(deployed, rs256(), "/a%20b/?q=1&r=%26", method="POST", content=b"a body", headers=forged)
    [(method, path, headers, body)] = origin.seen
    assert (method, path, body) == ("POST", "/a%20b/?q=1&r=%26", b"a body")
    assert headers["x-verified-subject"] == "ada"
    assert headers["x-custom"] == "kept"
    assert "authorization" not in headers
    assert "x-verified-subject" not in headers.get("connection", "").lower()


async def test_a_path_cannot_name_another_origin(deployed: Cluster, origin: Origin) -> None:
    origin.seen.clear()
    reply = await ask(deployed, hs256(), "//192.0.2.1/x")
    assert reply.status_code == 201
    assert [path for _, path, _, _ in origin.seen] == ["//192.0.2.1/x"]


async def test_the_origins_redirect_reaches_the_client(deployed: Cluster, origin: Origin) -> None:
    origin.seen.clear()
    reply = await ask(deployed, hs256(), "/moved")
    assert (reply.status_code, reply.headers["location"]) == (302, "/elsewhere")
    assert len(origin.seen) == 1


async def test_a_weak_key_is_refused_and_the_old_version_serves_on(
    deployed: Cluster, origin: Origin, tmp_path: Path
) -> None:
    ran = await deployed.run("deploy", project(tmp_path, configuration(origin.url, secret=b"short")))
    assert ran.status != 0
    assert "at least 32 bytes" in " ".join((ran.stdout + ran.stderr).split())
    assert (await ask(deployed, hs256())).status_code == 201


async def test_an_origin_that_is_down_is_a_bad_gateway(deployed: Cluster, origin: Origin, tmp_path: Path) -> None:
    nobody = f"http://{ORIGIN_ADDRESS}:9"
    await deployed.run("deploy", project(tmp_path, configuration(nobody)), "--name", "jwt-gate-down")
    reply = await deployed.get("tokyo-1", "jwt-gate-down", headers={"authorization": f"Bearer {hs256()}"})
    assert (reply.status_code, reply.json()["reason"]) == (502, "origin_unreachable")


async def test_as_published_it_greets_the_subject(deployed: Cluster, tmp_path: Path) -> None:
    await deployed.deploy(project(tmp_path, None), "jwt-gate-demo")
    published = (HERE / "config.ts").read_text(encoding="utf-8")
    secret = published.partition('secret: "')[2].partition('"')[0]
    token = hs256(header={"kid": "demo-hs"}, secret=base64.urlsafe_b64decode(secret + "=="))
    reply = await deployed.get("london-1", "jwt-gate-demo", headers={"authorization": f"Bearer {token}"})
    assert (reply.status_code, reply.text) == (200, "Hello, ada\n")
