assets_get() { :; }
assets_link() { local d=$1 ; shift; for a in "$@"; do ln -s ~/.cache/tidegate/v1.36.3/$a $d/$a; done; }
