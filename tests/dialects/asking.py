"""What each program of this folder is asked, and an answer in the form that is compared."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
ENV = {"GREETING": "hello from env"}
# The headers that a program decides on; the others are the server's.
COMPARED = (
    "content-type", "location", "cache-control", "set-cookie", "allow", "vary", "etag", "www-authenticate", "x-cache", "x-form", "x-head",
    "x-kept", "x-transformed", "content-range", "access-control-allow-origin", "access-control-allow-headers", "access-control-max-age",
)  # fmt: skip


@dataclass(frozen=True)
class Ask:
    path: str = "/"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    after_s: float = 0.0


def post(path: str = "/", content: bytes = b"", kind: str = "text/plain", method: str = "POST", **headers: str) -> Ask:
    return Ask(path, method, {"content-type": kind, **headers}, content)


_FORM = b"name=Ada&tags=a&tags=b"
_FORM_TYPE = "application/x-www-form-urlencoded"
_MULTIPART = (
    b'--X\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n'
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--X--\r\n'
)
_PREFLIGHT = {
    "origin": "https://a.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "x-a",
}

ASKED: dict[str, list[Ask]] = {
    "workers/cache": [
        Ask("/a"), Ask("/a", after_s=0.3), Ask("/a", headers={"range": "bytes=0-3"}), Ask("/a", headers={"if-none-match": '"one"'}),
        Ask("/a", "DELETE"), Ask("/a", "DELETE"), Ask("/never"), Ask("/never", after_s=0.3),
    ],
    "workers/cache-errors": [Ask()],
    "workers/cookies": [Ask(), Ask(headers={"cookie": "a=b; group=control"})],
    "workers/cors": [
        Ask("/", "OPTIONS", _PREFLIGHT), Ask("/", "OPTIONS"), Ask("/?origin=https://a.example"), post("/"),
    ],
    "workers/crypto": [Ask("/m", headers={"x-token": "letmein"}), Ask("/m", headers={"x-token": "letmeix"}), Ask("/n")],
    "workers/entrypoint": [Ask(), post()],
    "workers/environment": [Ask("/en/x"), Ask("/")],
    "workers/forms": [
        post("/", _FORM, _FORM_TYPE), post("/", _MULTIPART, "multipart/form-data; boundary=X"), post("/?a=1&c=2", b"body"), Ask("/?b=1"),
    ],
    "workers/html-rewriter": [Ask()],
    "workers/router": [
        Ask(), Ask("/items/7"), Ask("/items/x"), post("/items", b'{"a":1}', "application/json"), Ask("/items", "DELETE"), Ask("/old"),
        Ask("/", "PUT"),
    ],
    "workers/service-worker": [Ask(), post("/x", b"body"), Ask("/fail")],
    "workers/streams": [Ask(), post("/identity", b"through"), Ask("/fixed"), post("/tee", b"both")],
    "vercel/cookies": [Ask(), Ask(headers={"cookie": "x=1; theme=dark"})],
    "vercel/crypto": [post("/", b"text"), Ask()],
    "vercel/errors": [Ask(), Ask(headers={"authorization": "Bearer good"})],
    "vercel/forms": [Ask(), post("/", _FORM, _FORM_TYPE)],
    "vercel/hello": [Ask(), Ask("/?name=Ada%20L"), post()],
    "vercel/methods": [Ask("/?a=1&b=2"), post("/", b'{"x":[1]}', "application/json"), Ask("/", "DELETE"), Ask("/", "PUT")],
    "vercel/redirect": [Ask("/blog"), Ask("/go"), Ask("/stay")],
    "vercel/runtime": [post("/", b"body")],
    "vercel/stream": [Ask()],
    "vercel/transform": [post("/", b"make me loud"), Ask()],
    "vercel/url": [Ask("/users/7?tag=a&tag=b", headers={"x-custom": "c"}), Ask("/other")],
    "deno/environment": [Ask()],
    "deno/events": [Ask()],
    "deno/export-default": [Ask(), post()],
    "deno/form": [Ask(), post("/", b"name=Ada+L", _FORM_TYPE)],
    "deno/handler-in-options": [Ask(), Ask("/throw")],
    "deno/hello": [Ask("/a/b?q=1%202"), post("/")],
    "deno/node-modules": [Ask()],
    "deno/options": [Ask()],
    "deno/permissions": [Ask()],
    "deno/routes": [Ask("/books/7"), post("/books/7", b"new", method="PUT"), Ask("/books/7", "HEAD"), Ask("/x")],
    "deno/websocket": [Ask()],
}  # fmt: skip


def source(name: str) -> Path:
    return HERE / f"{name}.js"


def told(reply: httpx.Response) -> dict[str, Any]:
    """Return what is compared of an answer."""
    headers = {name: reply.headers.get_list(name) for name in COMPARED if name in reply.headers}
    if "location" in headers:  # the server's own address differs
        headers["location"] = [
            text.replace(str(reply.request.url.copy_with(raw_path=b"/")), "/") for text in headers["location"]
        ]
    content_type = headers.get("content-type")
    if content_type is not None:  # spellings of the same type
        headers["content-type"] = [text.lower().replace("; ", ";") for text in content_type]
    return {"status": reply.status_code, "headers": headers, "body": reply.text}
