"""Writes the API's reference from the comments of the contract: python reference.py DESCRIPTOR_SET > api.md

The descriptor set is protoc's, with source info. The same contract gives the same page to the octet. What has no comment is an error that names it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb

ORDER = [
    "functions",
    "versions",
    "deployments",
    "nodes",
    "routing",
    "events",
    "identity",
    "node_control",
    "router_control",
    "common",
]
INTRODUCTION = """# API reference

Made from `proto/nearhop/v1/*.proto` by `make proto`; do not edit. The control plane speaks gRPC, with server reflection and the standard health
service; the package is `nearhop.v1`.
"""
# Fields whose name says it, wherever they stand.
WELL_KNOWN = {
    "created_at": "when it was made",
    "dialect": "how the program exports its handler",
    "digest": "the bundle's lower-case hexadecimal SHA-256",
    "draining": "taken out of the answers by an operator",
    "function": "the function's name",
    "functions": "ordered by name",
    "hostnames": "lower case, without the final dot",
    "id": "its id, a DNS label",
    "ingress": "where clients reach it",
    "limits": "what its sandboxes may use",
    "location": "where it is",
    "name": "the function's name",
    "node": "the node's id",
    "number": "the version's number, from 1",
    "region": "the node's region",
    "request_id": "makes the call repeatable; see the conventions",
    "size_bytes": "the bundle's size",
    "version": "the version's number, from 1",
    "zone": "the DNS zone that is served",
}
_KINDS = {number: name.removeprefix("TYPE_").lower() for name, number in pb.FieldDescriptorProto.Type.items()}
_FILE, _MESSAGE, _ENUM, _SERVICE = (12,), 4, 5, 6
_FIELD, _NESTED, _NESTED_ENUM, _VALUE, _METHOD = 2, 3, 4, 2, 2

Path_ = tuple[int, ...]


class Comments:
    """The comments of one file by the path of what they stand at."""

    def __init__(self, file: pb.FileDescriptorProto) -> None:
        self._texts = {
            tuple(location.path): location.leading_comments or location.trailing_comments
            for location in file.source_code_info.location
        }

    def at(self, path: Path_) -> str:
        """Return the comment, without the space that follows each "//"."""
        lines = self._texts.get(path, "").rstrip().split("\n")
        return _escaped("\n".join(line.removeprefix(" ") for line in lines))


class Reference:
    """The page in the making; *missing* names what has no comment."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def file(self, file: pb.FileDescriptorProto) -> Iterator[str]:
        """Yield the lines about one file."""
        comments = Comments(file)
        yield f"\n## {Path(file.name).stem.replace('_', ' ').capitalize()}\n"
        yield self._required(comments.at(_FILE), file.name)
        for index, service in enumerate(file.service):
            yield from self._service(service, (_SERVICE, index), comments)
        for index, message in enumerate(file.message_type):
            yield from self._message(message, message.name, (_MESSAGE, index), comments)
        for index, enum in enumerate(file.enum_type):
            yield from self._enum(enum, enum.name, (_ENUM, index), comments)

    def _service(self, service: pb.ServiceDescriptorProto, path: Path_, comments: Comments) -> Iterator[str]:
        for index, method in enumerate(service.method):
            name = f"{service.name}.{method.name}"
            asked = _stream(method.client_streaming) + _link(method.input_type)
            answered = _stream(method.server_streaming) + _link(method.output_type)
            yield f'\n### <a id="{name.lower()}"></a>{name}\n'
            yield f"`/nearhop.v1.{service.name}/{method.name}` · {asked} → {answered}\n"
            yield self._required(comments.at((*path, _METHOD, index)), name)

    def _message(self, message: pb.DescriptorProto, name: str, path: Path_, comments: Comments) -> Iterator[str]:
        yield _heading(name)
        comment = comments.at(path)
        if comment or not name.endswith(("Request", "Response")):  # those two are described by their RPC
            yield self._required(comment, name) + "\n"
        if message.field:
            yield "| field | type | |\n|---|---|---|"
        else:
            yield "No fields."
        for index, field in enumerate(message.field):
            said = comments.at((*path, _FIELD, index)) or WELL_KNOWN.get(field.name, "")
            text = self._required(said, f"{name}.{field.name}").replace("\n", " ")
            yield f"| `{field.name}` = {field.number} | {_type(field, message)} | {_choice(message, field)}{text} |"
        for index, inner in enumerate(message.nested_type):
            if inner.options.map_entry:
                continue  # the field that is the map tells it
            yield from self._message(inner, f"{name}.{inner.name}", (*path, _NESTED, index), comments)
        for index, enum in enumerate(message.enum_type):
            yield from self._enum(enum, f"{name}.{enum.name}", (*path, _NESTED_ENUM, index), comments)

    def _enum(self, enum: pb.EnumDescriptorProto, name: str, path: Path_, comments: Comments) -> Iterator[str]:
        yield _heading(name)
        yield self._required(comments.at(path), name) + "\n"
        yield "| value | |\n|---|---|"
        for index, value in enumerate(enum.value):
            said = comments.at((*path, _VALUE, index)) or ("" if value.number else "never sent")
            text = self._required(said, f"{name}.{value.name}").replace("\n", " ")
            yield f"| `{value.name}` = {value.number} | {text} |"

    def _required(self, text: str, name: str) -> str:
        if not text.strip():
            self.missing.append(name)
        return text


def _heading(name: str) -> str:
    return f'\n#### <a id="{name.lower()}"></a>{name}\n'


def _link(type_name: str) -> str:
    name = type_name.removeprefix(".nearhop.v1.")
    return f"`{name.removeprefix('.')}`" if name.startswith(".") else f"[{name}](#{name.lower()})"


def _type(field: pb.FieldDescriptorProto, message: pb.DescriptorProto) -> str:
    for entry in message.nested_type:
        if entry.options.map_entry and field.type_name.endswith(f".{message.name}.{entry.name}"):
            key, value = (_type(side, entry) for side in entry.field)
            return f"map of {key} to {value}"
    named = _link(field.type_name) if field.type_name else _KINDS[field.type]
    if field.label == field.LABEL_REPEATED:
        return f"repeated {named}"
    return f"optional {named}" if field.proto3_optional else named


def _choice(message: pb.DescriptorProto, field: pb.FieldDescriptorProto) -> str:
    if not field.HasField("oneof_index") or field.proto3_optional:
        return ""
    return f"*one of* `{message.oneof_decl[field.oneof_index].name}`: "


def _stream(streaming: bool) -> str:
    return "stream of " if streaming else ""


def _escaped(text: str) -> str:
    for character, written in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "\\|"),
        ("*", "\\*"),
        ("[", "\\["),
        ("_", "\\_"),
    ):
        text = text.replace(character, written)
    return text


def main() -> int:
    """Print the page, or say what has no comment."""
    files = {
        Path(file.name).stem: file for file in pb.FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes()).file
    }
    reference = Reference()
    lines = [INTRODUCTION]
    for name in (*ORDER, *sorted(files.keys() - set(ORDER))):
        lines += reference.file(files[name])
    if reference.missing:
        print("without a comment in the contract: " + ", ".join(reference.missing), file=sys.stderr)
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
