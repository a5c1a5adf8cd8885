# processes: what the kernel, the controller and the API server say about work done. Sourced.

# process_cpu_ms PID: CPU time since its start. The ticks of /proc/PID/stat are 10 ms, which is
# more than an idle minute takes; schedstat has nanoseconds.
process_cpu_ms() {
	cat /proc/"$1"/task/*/schedstat | awk '{ns += $1} END {printf "%.1f\n", ns / 1e6}'
}

# process_memory PID FIELD: VmRSS or VmHWM in MiB.
process_memory() {
	awk -v field="$2:" '$1 == field {printf "%.1f\n", $2 / 1024}' "/proc/$1/status"
}

# process_needed FILE: the libraries it names itself, on one line.
process_needed() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | paste -sd ' '
}

# The programs that a phase's CPU time is told of, one "NAME PID" a line; without a controller where
# $controller_pid names none.
processes() {
	local name
	[ -z "${controller_pid-}" ] || echo "controller $controller_pid"
	for name in kube-apiserver etcd kube-controller-manager kwok; do
		echo "$name $(cat "$BED_DIR/run/$name.pid")"
	done
}

# processes_snapshot FILE: "NAME MS" a line; "machine" is everything that ran on it.
processes_snapshot() {
	local name pid
	{
		awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" {
			print "machine", ($2 + $3 + $4 + $7 + $8) * 1000 / hz
		}' /proc/stat
		while read -r name pid; do
			echo "$name $(process_cpu_ms "$pid")"
		done < <(processes)
	} >"$1"
}

# processes_between BEFORE AFTER: "NAME SECONDS, ..." on one line. What is left of the machine's
# time tells how much the figures were disturbed.
processes_between() {
	awk 'NR == FNR { before[$1] = $2; next }
		{ spent = ($2 - before[$1]) / 1000 }
		$1 == "machine" { rest = spent; next }
		{ rest -= spent; printf "%s %.1f, ", $1, spent }
		END { printf "all others %.1f", rest }' "$1" "$2"
}

# api_snapshot FILE: requests that the API server has answered, "VERB RESOURCE COUNT" a line.
api_snapshot() {
	"$KUBECTL" get --raw /metrics | awk -F'"' '
		/^apiserver_request_total\{/ {
			delete label
			for (i = 1; i < NF; i += 2) {
				name = $i
				gsub(/^.*[{,]|=$/, "", name)
				label[name] = $(i + 1)
			}
			resource = label["resource"] (label["subresource"] == "" ? "" : "/" label["subresource"])
			split($NF, tail, " ")
			count[label["verb"] " " resource] += tail[2]
		}
		END { for (k in count) print k, count[k] }' | sort >"$1"
}

# api_between BEFORE AFTER COUNT: writes between the two, divided by COUNT, the most frequent first.
api_between() {
	awk -v count="$3" '
		NR == FNR { before[$1 " " $2] = $3; next }
		$1 !~ /^(GET|LIST|WATCH|WATCHLIST|CONNECT)$/ {
			n = ($3 - before[$1 " " $2]) / count
			if (n >= 0.05) printf "%.2f %s %s\n", n, $1, $2
		}' "$1" "$2" | sort -rn | awk '{printf "%s%s %s %s", sep, $1, $2, $3; sep = ", "}'
}
