outside_prefix=()
outside_start() { die "not yet"; }
