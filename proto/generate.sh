#!/bin/sh
# Generates the stubs beside the .proto files (--write), or fails when they are stale (--check).
# usage: generate.sh --write|--check PYTHON
set -eu
mode=$1
python=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
PATH=$(dirname "$python"):$PATH
"$python" -m grpc_tools.protoc -I. --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" --mypy_grpc_out=quiet:"$out" nearhop/v1/*.proto
rm -f "$out"/nearhop/v1/common_pb2_grpc.py*
case $mode in
--write)
	rm -f nearhop/v1/*_pb2*
	cp "$out"/nearhop/v1/* nearhop/v1/
	;;
--check)
	for file in "$out"/nearhop/v1/*; do
		cmp -s "$file" "nearhop/v1/$(basename "$file")" || stale="${stale:-} $(basename "$file")"
	done
	if [ -n "${stale:-}" ]; then
		echo "generated stubs are stale:$stale; run 'make proto' and commit" >&2
		exit 1
	fi
	;;
*)
	echo "usage: generate.sh --write|--check PYTHON" >&2
	exit 2
	;;
esac
