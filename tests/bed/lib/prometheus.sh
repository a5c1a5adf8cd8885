# prometheus: Debian's, in the backbone; it scrapes every pod that Tidegate made, once a second, and
# asks for a user and a password. Series carry namespace, pod, zone and revision. Debian builds it
# without Kubernetes: a loop beside it writes down which pods there are.

BED_PROMETHEUS_PORT=9090
# Of the bed alone, which nobody reaches from outside.
export BED_PROMETHEUS_USER=judge BED_PROMETHEUS_PASSWORD='correct horse'
# bcrypt of the password, at the lowest cost: every query pays for it.
bed_prometheus_hash='$2b$04$GjzE9fawYjvghqNSLqVPx.42z1y/Fbt//T9XTNT8gVIZNDj3p2mTC'

prometheus_start() {
	export BED_PROMETHEUS_URL=http://$BED_BACKBONE:$BED_PROMETHEUS_PORT
	say "starting Prometheus"
	prometheus_config >"$BED_DIR/prometheus.yml"
	printf 'basic_auth_users: {%s: %s}\n' "$BED_PROMETHEUS_USER" "'$bed_prometheus_hash'" >"$BED_DIR/prometheus-web.yml"
	program_start prometheus-targets bash -c '. "$0"; prometheus_targets' "$bed_tree/tests/bed/lib/prometheus.sh"
	program_start prometheus prometheus --config.file="$BED_DIR/prometheus.yml" --web.config.file="$BED_DIR/prometheus-web.yml" \
		--storage.tsdb.path="$BED_DIR/prometheus" --web.listen-address="$BED_BACKBONE:$BED_PROMETHEUS_PORT"
	program_wait prometheus 30 "it was ready" prometheus_get /-/ready
}

# prometheus_targets: until it is killed.
prometheus_targets() {
	local label='.metadata.labels.serving\.tidegate\.io' file=$BED_DIR/prometheus-targets.json
	while sleep 0.5; do
		kubectl get pods -A -l app.kubernetes.io/managed-by=tidegate --field-selector status.phase=Running \
			-o "jsonpath={range .items[*]}{.status.podIP} {.metadata.namespace} {.metadata.name} {$label/revision} {$label/zone}{'\n'}{end}" |
			awk 'BEGIN { print "[" }
			NF == 5 {
				printf "%s{\"targets\":[\"%s:8501\"],\"labels\":{\"namespace\":\"%s\",\"pod\":\"%s\",\"revision\":\"%s\",\"zone\":\"%s\"}}\n", (n++ ? "," : ""), $1, $2, $3, $4, $5
			}
			END { print "]" }' >"$file.new"
		cmp -s "$file.new" "$file" || mv "$file.new" "$file"
	done
}

# prometheus_get PATH [CURL_OPTION...]
prometheus_get() {
	local path=$1
	shift
	curl -sf --max-time 5 -u "$BED_PROMETHEUS_USER:$BED_PROMETHEUS_PASSWORD" "$@" "$BED_PROMETHEUS_URL$path"
}

prometheus_config() {
	cat <<-EOT
		global: {scrape_interval: 1s, scrape_timeout: 1s}
		scrape_configs:
		- job_name: models
		  metrics_path: /monitoring/prometheus/metrics
		  file_sd_configs: [{files: [$BED_DIR/prometheus-targets.json], refresh_interval: 5s}]
	EOT
}
