# replay: checks of a record (record.sh). Each prints what it found against the rule, one line a
# finding, and nothing when all is well.

# replay AWK [VARIABLE=VALUE...]: the record in order, with what every rule needs kept up to date
# before its own code sees the line (in t, kind and the fields from $4 on):
#   cell_revision[NAME]  of a ReplicaSet and of the Service of the same name
#   alive[POD] ready[POD] cell[POD]   not about to go; Ready and in service; "revision zone"
#   weight[NAME]         of the route as it stands
#   release expect       of the last "mark release NUMBER EXPECT"
replay() {
	local code=$1
	shift
	record_sorted | TZ=UTC0 awk "${@/#/-v}" '
		function find(text) { printf "%s at %s: %s\n", release, $1, text }
		function share(revision,   n, sum) {
			for (n in weight)
				if (cell_revision[n] == revision)
					sum += weight[n]
			return sum + 0
		}
		{ t = $2; kind = $3 }
		kind == "mark" && $4 == "release" { release = $5; expect = $6 }
		kind == "rs" { cell_revision[$4] = $6; cell_zone[$4] = $7 }
		kind == "pod" {
			gone = $7 == "DELETED" || $8 != "-" || $11 == "Failed" || $11 == "Succeeded"
			cell[$4] = $5 " " $6
			if (gone) delete alive[$4]; else alive[$4] = 1
			if (!gone && $9 == "True" && $10 == "true") ready[$4] = 1; else delete ready[$4]
		}
		kind == "route" {
			delete weight
			half = (NF - 3) / 2
			for (i = 4; i < 4 + half; i++)
				weight[$i] = $(i + half)
		}
		'"$code"
}

# The share of the released revision only rises; in a rollback it rises, then only falls to 0.
replay_no_jump_back() {
	replay '
		kind == "mark" && $4 == "release" { target = "" }
		kind == "status" && $9 != $10 && $10 != "-" && $10 != target { target = $10; falling = last = 0 }
		kind == "route" && target {
			now = share(target)
			if (now < last && expect == "promoted") find("share falls from " last " to " now)
			if (now > last && falling) find("share rises from " last " to " now " in a rollback")
			if (now < last) falling = 1
			last = now
		}
		kind == "mark" && $4 == "ended" && target {
			if (last != (expect == "promoted" ? 10000 : 0)) find("ends with share " last)
		}'
}

replay_sum_of_weights() {
	replay 'kind == "route" && NF > 3 {
		sum = 0
		for (n in weight) sum += weight[n]
		if (sum != 10000) find("sum of weights is " sum)
	}'
}

# No weight on a cell without a ready pod, whichever of the two changed.
replay_weight_without_pod() {
	replay '(kind == "route" || kind == "pod") {
		delete carried
		for (p in ready) carried[cell[p]] = 1
		for (n in weight)
			if (weight[n] > 0 && !((cell_revision[n] " " cell_zone[n]) in carried) && !said[release n]++)
				find(n " has weight " weight[n] " and no ready pod")
	}'
}

# One ReplicaSet for a revision in a zone.
replay_one_replicaset() {
	replay 'kind == "rs" {
		key = $6 " " $7
		if ($8 == "DELETED") { if (uid[key] == $5) delete uid[key] }
		else if (key in uid && uid[key] != $5) find("two ReplicaSets for " key)
		else uid[key] = $5
	}'
}

# replay_pods_at_most N
replay_pods_at_most() {
	replay 'kind == "pod" { n = 0; for (p in alive) n++; if (n > max) find(n " pods") }' "max=$1"
}

# replay_ready_at_least N: from the end of the first release on.
replay_ready_at_least() {
	replay 'kind == "mark" && $4 == "ended" { serves = 1 }
		kind == "pod" && serves { n = 0; for (p in ready) n++; if (n < min) find(n " pods ready and in service") }' "min=$1"
}

# replay_steps N WEIGHTS: a promoted release holds at each of the N steps that have a hold, in order, at
# its weight (WEIGHTS, comma-separated), and not shorter than it says itself.
replay_steps() {
	replay '
		BEGIN { split(weights, want, ",") }
		kind == "mark" && $4 == "release" { step = -1; held = 0; until = ""; delete seen }
		kind == "status" && expect == "promoted" && release > 1 && $9 != $10 && $10 != "-" && $4 != "RolledBack" {
			if ($5 < step || $5 > step + 1) find("step " step " is followed by " $5)
			if ($5 > step && until && t < until - 50) find("step " step " held " until - t " ms too short")
			if ($5 != step) until = ""
			if ($4 == "Holding" && $5 < steps) {
				if (!($5 in seen)) held++
				seen[$5] = 1
				if ($7 != want[$5 + 1]) find("step " $5 " holds at " $7 " %, not " want[$5 + 1])
				if (gsub(/[-T:Z]/, " ", $8) > 1) until = mktime($8) * 1000
			}
			step = $5
		}
		kind == "mark" && $4 == "ended" {
			if (expect == "promoted" && release > 1 && held < steps) find("held at " held " steps of " steps)
		}' "steps=$1" "weights=$2"
}
