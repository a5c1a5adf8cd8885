#!/bin/sh
# Makes what is committed from what is written: manifests/install.yaml out of crds/ and
# manifests/parts/, and the chart's copy of the CRDs and its version.
#
#     sh manifests/generate.sh           writes them
#     sh manifests/generate.sh --check   compares; exit 1 and a diff when they differ
set -eu
cd -- "$(dirname -- "$0")/.."
version=$(cat VERSION)
chart=helm/tidegate

install_yaml() {
	printf '# Tidegate %s: CRDs, controller and its permissions. Made by manifests/generate.sh.\n' "$version"
	for f in manifests/parts/00-namespace.yaml crds/*.yaml manifests/parts/[1-9]*.yaml; do
		echo ---
		sed "s/@VERSION@/$version/g" "$f"
	done
}

chart_yaml() {
	sed -e "s/^version: .*/version: $version/" -e "s/^appVersion: .*/appVersion: \"$version\"/" "$chart/Chart.yaml"
}

differ=0
# put FILE: standard input becomes FILE, or is compared with it.
put() {
	if [ "$mode" = check ]; then
		diff -u "$1" - || differ=1
	else
		mkdir -p "$(dirname -- "$1")"
		cat >"$1.new"
		mv "$1.new" "$1"
	fi
}

case ${1-} in
'') mode=write ;;
--check) mode=check ;;
*)
	echo "usage: generate.sh [--check]" >&2
	exit 2
	;;
esac

install_yaml | put manifests/install.yaml
for f in crds/*.yaml; do
	put "$chart/files/$f" <"$f"
done
chart_yaml | put "$chart/Chart.yaml"
if [ "$differ" = 1 ]; then
	echo "generate.sh: run 'sh manifests/generate.sh' and commit the result" >&2
	exit 1
fi
