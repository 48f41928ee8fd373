import json
from pathlib import Path

from nearhop.spec import Dialect, Limits, Manifest
from node.plan.records import SandboxSpec, Version
from node.sandbox.handover import encode, header

MANIFEST = Manifest(vars={"GREETING": "hi"}, crons=("* * * * *",), version_binding="META")
SPEC = SandboxSpec(
    "shop", Version(3, "d" * 64, 9, Dialect.VERCEL, MANIFEST, 17.5), Limits(subrequests=7), {"KEY": "s3cret"}
)


def test_the_guest_is_told_of_its_program() -> None:
    told = header(SPEC, node="tokyo-1", region="tokyo", control="abcd", services={"egress": Path("/run/egress.sock")})
    line, _, source = encode(told, b"export default 1;\n// more\n").partition(b"\n")
    assert source == b"export default 1;\n// more\n"
    read = json.loads(line)
    manifest = read.pop("manifest")
    assert (manifest["vars"], manifest["crons"], manifest["version_binding"]) == (
        {"GREETING": "hi"},
        ["* * * * *"],
        "META",
    )
    assert read == {
        "dialect": "vercel",
        "function": "shop",
        "version": 3,
        "digest": "d" * 64,
        "node": "tokyo-1",
        "region": "tokyo",
        "created_at": 17.5,
        "env": {"KEY": "s3cret"},
        "control": "abcd",
        "sockets": {"egress": "/run/egress.sock", "geo": None, "assets": None},
        "limits": {"subrequests": 7, "request_body_bytes": 10 << 20},
        "source_bytes": len(source),
    }


def test_a_secret_is_in_no_representation() -> None:
    assert "s3cret" not in repr(SPEC)
