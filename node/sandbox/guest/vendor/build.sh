#!/bin/sh
# Makes htmlrewriter.js and ../built/htmlrewriter.wasm from their package (--write), or fails when they are stale (--check). deno.lock pins the package.
# usage: build.sh --write|--check DENO
set -eu
mode=$1
deno=$2
case $deno in */*) deno=$(cd "$(dirname "$deno")" && pwd)/$(basename "$deno") ;; esac
cd "$(dirname "$0")"
here=$(pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cp deno.json entry.js factory.js "$out"
[ ! -e deno.lock ] || cp deno.lock "$out"
cd "$out"
frozen=--frozen
[ "$mode" = --write ] && [ ! -e deno.lock ] && frozen=
if ! "$deno" install --quiet $frozen >log 2>&1; then
	cat log >&2
	echo "the guest's package cannot be had: its files are not checked" >&2
	[ "$mode" = --check ] && exit 0
	exit 1
fi
"$deno" bundle --quiet --platform=browser --minify -o bundled.js entry.js >log 2>&1 || { cat log >&2; exit 1; }
"$deno" run --quiet --no-config --allow-read=bundled.js --allow-write=htmlrewriter.js factory.js
cp node_modules/htmlrewriter/dist/html_rewriter_bg.wasm htmlrewriter.wasm
have=$("$deno" --version | head -n 1 | cut -d ' ' -f 2)
case $mode in
--write)
	cp htmlrewriter.js deno.lock "$here"
	cp htmlrewriter.wasm "$here/../built"
	echo "$have" >"$here/deno.version"
	;;
--check)
	cmp htmlrewriter.wasm "$here/../built/htmlrewriter.wasm"
	# Another Deno brings another bundler, whose output may differ without being stale.
	[ "$have" != "$(cat "$here/deno.version")" ] || cmp htmlrewriter.js "$here/htmlrewriter.js"
	;;
*)
	echo "usage: build.sh --write|--check DENO" >&2
	exit 2
	;;
esac
