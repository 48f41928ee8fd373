"""The API's reference: complete, fresh, the same each time, and refused when something is not said."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"

CONTRACT = """
// What this file is about.
syntax = "proto3";
package nearhop.v1;

// Says <things> | with_care * and [more].
message Thing {
  string request_id = 1;
  oneof which {
    string one = 2;  // the first
    Thing two = 3;   // the second
  }
  repeated Thing parts = 4;
  optional uint64 maybe = 5;  // or not
}
"""


def compile_contract(source: Path, into: Path) -> Path:
    out = into / "contract"
    files = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_source_info", f"--descriptor_set_out={out}"]
    subprocess.run([*command, *files], cwd=source, check=True)
    return out


def reference(descriptors: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROTO / "reference.py", descriptors], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_contract(PROTO, tmp_path_factory.mktemp("contract"))


def test_the_page_is_what_the_contract_says(contract: Path) -> None:
    ran = reference(contract)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_everything_is_on_the_page_and_every_link_leads_somewhere(contract: Path) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for file in descriptor_pb2.FileDescriptorSet.FromString(contract.read_bytes()).file:
        for service in file.service:
            assert all(f"`/nearhop.v1.{service.name}/{method.name}`" in page for method in service.method)
        for message in file.message_type:
            assert f'<a id="{message.name.lower()}">' in page
            assert all(f"| `{field.name}` = {field.number} |" in page for field in message.field)
    targets = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert targets
    assert {target for target in targets if f'<a id="{target}">' not in page} == set()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source" / "common.proto"


def made(written: Path, text: str) -> subprocess.CompletedProcess[str]:
    for name in (
        "functions",
        "versions",
        "deployments",
        "nodes",
        "routing",
        "events",
        "identity",
        "node_control",
        "router_control",
    ):
        written.with_name(f"{name}.proto").write_text('// Empty.\nsyntax = "proto3";\n')
    written.write_text(text)
    return reference(compile_contract(written.parent, written.parents[1]))


def test_comments_stay_text(written: Path) -> None:
    page = made(written, CONTRACT.replace("parts = 4;", "parts = 4;  // of it")).stdout
    assert "Says &lt;things&gt; \\| with\\_care \\* and \\[more]." in page
    assert "| `two` = 3 | [Thing](#thing) | *one of* `which`: the second |" in page
    assert "| `maybe` = 5 | optional uint64 | or not |" in page
    assert "| `parts` = 4 | repeated [Thing](#thing) | of it |" in page


def test_what_has_no_comment_is_named(written: Path) -> None:
    ran = made(written, CONTRACT.replace("  // the first", ""))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "without a comment in the contract: Thing.one, Thing.parts\n"
