#!/bin/sh
# Makes ../static from these sources (--write), or fails when it is stale (--check). Packages come through Deno, pinned by deno.lock.
# usage: build.sh --write|--check DENO
set -eu
mode=$1
deno=$2
case $deno in */*) deno=$(cd "$(dirname "$deno")" && pwd)/$(basename "$deno") ;; esac
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
log=$out.log
quietly() {
	"$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
	rm -f "$log"
}
if ! "$deno" install --quiet --frozen --entrypoint src/main.ts data.ts >"$log" 2>&1; then
	cat "$log" >&2
	rm -f "$log"
	echo "the dashboard's packages cannot be had: its files are not checked" >&2
	[ "$mode" = --check ] && exit 0
	exit 1
fi
rm -f "$log"
quietly "$deno" check --frozen src/main.ts data.ts tests
quietly "$deno" fmt --check src tests data.ts
quietly "$deno" lint --quiet
quietly "$deno" test --frozen --quiet tests
quietly "$deno" bundle --frozen --platform=browser --minify -o "$out/app.js" src/main.ts
quietly "$deno" run --frozen --allow-read --allow-write --allow-env data.ts "$out"
cp files/* "$out"
have=$("$deno" --version | head -n 1 | cut -d ' ' -f 2)
case $mode in
--write)
	rm -rf ../static
	mkdir ../static
	cp "$out"/* ../static/
	echo "$have" >deno.version
	;;
--check)
	# Another Deno brings another bundler, whose output may differ without being stale.
	if [ "$have" != "$(cat deno.version)" ]; then
		echo "the dashboard's files were made with Deno $(cat deno.version), here is $have: they are not compared" >&2
		exit 0
	fi
	if ! diff -rq "$out" ../static >&2; then
		echo "the dashboard's files are stale: run 'make web' and commit" >&2
		exit 1
	fi
	;;
*)
	echo "usage: build.sh --write|--check DENO" >&2
	exit 2
	;;
esac
