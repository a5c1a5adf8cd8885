nodes_start() { die "not yet"; }
