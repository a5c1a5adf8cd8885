gateway_start() { die "not yet"; }
