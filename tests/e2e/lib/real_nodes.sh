# real_nodes: for tests that need the bed's --kubelets.

# real_nodes_or_skip TREE WHAT: ends the test, as skipped and with the reason, where they cannot be had.
real_nodes_or_skip() {
	local why
	if why=$(bash "$1/tests/bed/bed.sh" kubelets-refuse) ||
		! why=$(bash "$1/tests/bed/bed.sh" get kubelet node-runtime 2>&1 | tail -n 1); then
		echo "skip  $2: $why"
		echo "0 passed, 0 failed, 1 skipped"
		exit 0
	fi
}
