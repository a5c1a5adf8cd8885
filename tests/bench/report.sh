# report: rows of figures, ours beside the rival's, and which goals were met. Sourced.

report_rows=() report_missed=()

# report_row WHAT UNIT OURS RIVAL GOAL: RIVAL and GOAL may be "-"; a goal is an upper
# bound in the same unit.
report_row() {
	local ratio=- goal=- verdict=
	if [ "$4" != - ]; then
		ratio=$(awk -v a="$3" -v b="$4" 'BEGIN {
			if (a + 0 <= 0) print "-"
			else printf((b / a < 10 ? "%.1fx" : "%.0fx"), b / a)
		}')
	fi
	if [ "$5" != - ]; then
		goal="<= $5"
		verdict=met
		awk -v a="$3" -v b="$5" 'BEGIN {exit !(a + 0 <= b + 0)}' || {
			verdict=MISSED
			report_missed+=("$1: $3 $2, goal $5 $2")
		}
	fi
	report_rows+=("$(printf '%-42s %10s %10s %7s %10s  %-6s %s' "$1" "$3" "$4" "$ratio" "$goal" "$2" "$verdict")")
}

# report_print RIVAL
report_print() {
	printf '\n%-42s %10s %10s %7s %10s  %-6s\n' "" Tidegate rival ratio goal unit
	printf '%s\n' "${report_rows[@]}"
	printf '\nrival: %s\n' "$1"
}

# The closing line; fails when a goal was missed.
report_verdict() {
	if [ ${#report_missed[@]} -eq 0 ]; then
		echo "bench: PASS"
		return
	fi
	printf 'missed: %s\n' "${report_missed[@]}"
	echo "bench: FAIL ${#report_missed[@]} of the goals missed"
	return 1
}
