# deps: packages of Debian and Ubuntu. What is there is seen by its header or
# program, without asking apt, so that a complete machine loses no time.

# A line: what to look for (a header, a static library of clang, a file, else a
# program), package.
deps_list_build='cc build-essential
make make
curl/curl.h libcurl4-openssl-dev
yaml.h libyaml-dev
ev.h libev-dev
openssl/ssl.h libssl-dev
zlib.h zlib1g-dev
cmocka.h libcmocka-dev'

deps_list_bed='nft nftables
ip iproute2
unshare util-linux
setpriv util-linux
flock util-linux
pgrep procps
openssl openssl
curl curl
/etc/ssl/certs/ca-certificates.crt ca-certificates'

deps_list_develop='clang clang
clang-format clang-format
clang-tidy clang-tidy
python3 python3
/usr/lib/python3/dist-packages/grpc/__init__.py python3-grpcio
libclang_rt.asan-'$(uname -m)'.a clang-runtime
valgrind valgrind'

deps_list_wheel='python3 python3
pip3 python3-pip'

deps_list_go='go golang-go'

deps_present() {
	local found
	case $1 in
	/*)
		[ -e "$1" ]
		return
		;;
	*.h)
		for found in "/usr/include/$1" /usr/include/*/"$1" "/usr/local/include/$1"; do
			[ ! -e "$found" ] || return 0
		done
		return 1
		;;
	*.a)
		for found in /usr/lib/*/lib/clang/*/lib/linux/"$1" /usr/lib/llvm-*/lib/clang/*/lib/linux/"$1"; do
			[ ! -e "$found" ] || return 0
		done
		return 1
		;;
	esac
	command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

# deps_missing LIST...: prints the packages that are not there, each once.
deps_missing() {
	local list what package
	for list in "$@"; do
		list=deps_list_$list
		while read -r what package; do
			deps_present "$what" || deps_package "$package"
		done <<<"${!list:?no such list of packages}"
	done | sort -u
}

# deps_package NAME: the sanitizers' package has the number of clang's version in
# its name.
deps_package() {
	local version
	if [ "$1" = clang-runtime ]; then
		version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -n 1)
		echo "libclang-rt-${version:-14}-dev"
	else
		echo "$1"
	fi
}

# deps_require LIST...: installs what is missing as root or with a sudo that
# asks nothing; otherwise says the one line to run and stops.
deps_require() {
	local missing sudo=()
	# nft and ip are in sbin, which an ordinary user of Debian does not search.
	PATH=$PATH:/usr/sbin:/sbin
	mapfile -t missing < <(deps_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "install these packages first: ${missing[*]}"
	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null ||
			die "packages are missing, run:  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
		sudo=(sudo -n)
	fi
	deps_install
}

deps_install() {
	local log
	log=$(mktemp)
	local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300)
	if ! say_while "apt-get update" "$log" "${apt[@]}" update ||
		! say_while "installing ${missing[*]}" "$log" "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; then
		say_log_tail "$log"
		rm -f "$log"
		die "apt could not install: ${missing[*]}"
	fi
	rm -f "$log"
}
