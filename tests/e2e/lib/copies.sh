# copies: of clients' requests, counted at the pods that get them.

# served_by REVISION: requests that its pods have counted, by now.
served_by() {
	local ip
	for ip in $(kubectl get pods -n shop -l "serving.tidegate.io/revision=$1" -o 'jsonpath={.items[*].status.podIP}'); do
		curl -s --max-time 2 "http://$ip:8501/monitoring/prometheus/metrics"
	done | awk '/^:tensorflow:serving:request_count/ {n += $NF} END {print n + 0}'
}

# counts_copies REVISION: half of what clients send meanwhile is copied to it. Both counts are read while requests
# flow, and however long that takes: the one is at least what was sent between the readings of the other, at
# most what was sent from before them until after them.
counts_copies() {
	local before after inner outer
	outer=$(world_sent) before=$(served_by "$1") inner=$(world_sent)
	sleep 2
	inner=$(($(world_sent) - inner)) after=$(served_by "$1") outer=$(($(world_sent) - outer))
	between "copies of $inner to $outer requests, at the canary" $((after - before)) $((inner * 40 / 100)) $((outer * 60 / 100))
}
