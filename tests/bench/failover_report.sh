# failover_report: the table of tests/bench/failover.sh. Sourced, after report.sh.

# Columns of a line of results (outage.sh).
FIGURE_DECIDED=4 FIGURE_TRAFFIC=5 FIGURE_CAPACITY=6 FIGURE_LOAD=7 FIGURE_LOST=8 FIGURE_BACK=9

# figure FILE WHO COLUMN PERCENTILE [LEADER]: nearest rank; "-" without a run.
figure() {
	awk -v who="$2" -v column="$3" -v leads="${5:-}" \
		'$1 == who && $column != "-" && (!leads || $3 == leads) { print $column }' "$1" | sort -n |
		awk -v percentile="$4" '{ v[NR] = $1 }
			END {
				if (!NR) { print "-"; exit }
				rank = int(NR * percentile / 100)
				if (rank < NR * percentile / 100) rank++
				print v[rank < 1 ? 1 : rank]
			}'
}

figure_seconds() {
	local ms
	ms=$(figure "$@")
	[ "$ms" = - ] && echo - || awk -v ms="$ms" 'BEGIN { printf "%.1f\n", ms / 1000 }'
}

figure_runs() {
	awk -v who="$2" '$1 == who { n++ } END { print n + 0 }' "$1"
}

# figure_sum FILE WHO COLUMN: "-" without a run.
figure_sum() {
	awk -v who="$2" -v column="$3" '$1 == who { sum += $column; n++ } END { print n ? sum : "-" }' "$1"
}

# figure_row FILE WHAT COLUMN PERCENTILE GOAL [LEADER]: both sides in seconds.
figure_row() {
	local ours goal=$5
	ours=$(figure_seconds "$1" tidegate "$3" "$4" "${6:-}")
	[ "$ours" != - ] || goal=-
	report_row "$2" s "$ours" "$(figure_seconds "$1" stock "$3" "$4" "${6:-}")" "$goal"
}

failover_report() {
	local file=$1
	if [ "$(figure_runs "$file" tidegate)" -eq 0 ]; then
		echo "bench: FAIL no outage against Tidegate was measured"
		return 1
	fi
	figure_row "$file" "zone found dark after, median" $FIGURE_DECIDED 50 -
	figure_row "$file" "traffic RTO, median" $FIGURE_TRAFFIC 50 4
	figure_row "$file" "... 99 % within" $FIGURE_TRAFFIC 99 6
	figure_row "$file" "... zone of the leader, worst" $FIGURE_TRAFFIC 100 10 leader
	figure_row "$file" "capacity RTO, median" $FIGURE_CAPACITY 50 -
	figure_row "$file" "... 99 % within" $FIGURE_CAPACITY 99 15
	figure_row "$file" "... of it start and load of the model" $FIGURE_LOAD 50 -
	report_row "requests lost in an outage, median" "" "$(figure "$file" tidegate $FIGURE_LOST 50)" \
		"$(figure "$file" stock $FIGURE_LOST 50)" -
	report_row "requests lost on the way back, all runs" "" "$(figure_sum "$file" tidegate $FIGURE_BACK)" \
		"$(figure_sum "$file" stock $FIGURE_BACK)" 0
	report_print "stock Kubernetes: Deployment, Service, kube-scheduler, default timings; $(figure_runs "$file" stock) outages, ours $(figure_runs "$file" tidegate)"
	report_verdict
}
