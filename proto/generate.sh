#!/bin/sh
# Generates the stubs beside the .proto files, and the API's reference from their comments (--write), or fails when one is stale (--check).
# usage: generate.sh --write|--check PYTHON
set -eu
mode=$1
python=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
PATH=$(dirname "$python"):$PATH
mkdir "$out/stubs"
"$python" -m grpc_tools.protoc -I. --python_out="$out/stubs" --pyi_out="$out/stubs" --grpc_python_out="$out/stubs" \
	--mypy_grpc_out=quiet:"$out/stubs" --include_source_info --descriptor_set_out="$out/contract" nearhop/v1/*.proto
rm -f "$out"/stubs/nearhop/v1/common_pb2_grpc.py*
"$python" reference.py "$out/contract" >"$out/api.md"
case $mode in
--write)
	rm -f nearhop/v1/*_pb2*
	cp "$out"/stubs/nearhop/v1/* nearhop/v1/
	mkdir -p ../docs
	cp "$out/api.md" ../docs/api.md
	;;
--check)
	for file in "$out"/stubs/nearhop/v1/*; do
		cmp -s "$file" "nearhop/v1/$(basename "$file")" || stale="${stale:-} $(basename "$file")"
	done
	cmp -s "$out/api.md" ../docs/api.md || stale="${stale:-} docs/api.md"
	if [ -n "${stale:-}" ]; then
		echo "generated files are stale:$stale; run 'make proto' and commit" >&2
		exit 1
	fi
	;;
*)
	echo "usage: generate.sh --write|--check PYTHON" >&2
	exit 2
	;;
esac
