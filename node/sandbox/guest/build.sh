#!/bin/sh
# Makes built/main.mjs, the one script that a sandbox runs, from these sources (--write), or fails when it is stale (--check).
# usage: build.sh --write|--check DENO
set -eu
mode=$1
deno=$2
case $deno in */*) deno=$(cd "$(dirname "$deno")" && pwd)/$(basename "$deno") ;; esac
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# What the script was made of, for who has no bundler to compare it with.
sources=$(find . -name '*.ts' ! -name '*.d.ts' -o -name 'htmlrewriter.js' | LC_ALL=C sort | xargs cat | sha256sum | cut -d ' ' -f 1)
if [ "$mode" = --check ]; then
	[ "$(cat built/sources.sha256)" = "$sources" ] || {
		echo "the guest is stale: run 'make guest' and commit" >&2
		exit 1
	}
fi
if ! "$deno" bundle --quiet --no-config --platform=deno -o "$out/bundle.mjs" main.ts >"$out/log" 2>&1; then
	cat "$out/log" >&2
	[ "$mode" = --check ] || exit 1
	echo "the guest cannot be bundled here: its script is compared by its sources' checksum alone" >&2
	exit 0
fi
{ echo "// Made by build.sh of the sources of the guest; not to be edited."; cat "$out/bundle.mjs"; } >"$out/main.mjs"
have=$("$deno" --version | head -n 1 | cut -d ' ' -f 2)
case $mode in
--write)
	cp "$out/main.mjs" built/main.mjs
	echo "$sources" >built/sources.sha256
	echo "$have" >built/deno.version
	;;
--check)
	# Another Deno brings another bundler, whose output may differ without being stale.
	[ "$have" != "$(cat built/deno.version)" ] || cmp "$out/main.mjs" built/main.mjs
	;;
*)
	echo "usage: build.sh --write|--check DENO" >&2
	exit 2
	;;
esac
