# image: OCI images made from programs of this machine, without a registry and
# without privileges (OCI image format 1.1: layout, index, manifest, config, one layer).

# image_make ARCHIVE NAMES PATH=PROGRAM...: an image that goes by all of NAMES (words), with
# the programs of this machine at those paths and the libraries they need where their
# loader looks for them. A container's command decides what runs.
image_make() {
	local archive=$1 names=$2 new pair
	shift 2
	new=$(mktemp -d "$BED_DIR/image.XXXXXX")
	mkdir -p "$new/root" "$new/oci/blobs/sha256"
	for pair in "$@"; do
		image_add "$new/root" "${pair%%=*}" "${pair#*=}"
	done
	tar -C "$new/root" --owner=0 --group=0 --mtime=@0 --sort=name -cf "$new/layer.tar" .
	image_layout "$new" "$names"
	tar -C "$new/oci" -cf "$archive" .
	rm -rf "$new"
}

# image_add ROOT PATH PROGRAM
image_add() {
	local library
	install -D -m 755 "$3" "$1$2"
	# "name => /path (address)", and the loader alone as "/path (address)"; a static program has none.
	{ ldd "$3" 2>/dev/null || true; } | sed -n 's/^.* => \(\/[^ ]*\) .*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p' |
		while read -r library; do
			[ -e "$1$library" ] || install -D -m 755 "$library" "$1$library"
		done
}

# image_layout FOLDER NAMES: FOLDER/layer.tar becomes FOLDER/oci.
image_layout() {
	local oci=$1/oci name entries='' layer config manifest arch
	arch=$(assets_architecture)
	layer=$(image_blob "$oci" <"$1/layer.tar")
	config=$(printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/bin/sleep","infinity"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$arch" "${layer% *}" | image_blob "$oci")
	manifest=$(printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
		"$(image_descriptor image.config.v1+json "$config")" "$(image_descriptor image.layer.v1.tar "$layer")" |
		image_blob "$oci")
	for name in $2; do
		entries="$entries${entries:+,}$(image_descriptor image.manifest.v1+json "$manifest" \
			",\"annotations\":{\"io.containerd.image.name\":\"$name\"}")"
	done
	printf '{"schemaVersion":2,"manifests":[%s]}' "$entries" >"$oci/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
}

# image_blob LAYOUT: keeps stdin by its digest; prints "digest size".
image_blob() {
	local digest
	cat >"$1/blob"
	digest=$(sha256sum <"$1/blob")
	digest=${digest%% *}
	echo "$digest $(stat -c %s "$1/blob")"
	mv "$1/blob" "$1/blobs/sha256/$digest"
}

# image_descriptor TYPE "DIGEST SIZE" [MORE]
image_descriptor() {
	printf '{"mediaType":"application/vnd.oci.%s","digest":"sha256:%s","size":%d%s}' \
		"$1" "${2% *}" "${2#* }" "${3:-}"
}
