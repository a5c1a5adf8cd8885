#!/usr/bin/env bash
# The load generator: every request is written down once, whatever happens to it.
set -u
cd "$(dirname "$0")/../../.." || exit 1
. tests/e2e/programs/lib.sh
bed=${BUILD:-build}/bed
dir=$(mktemp -d)
pids=()
trap 'kill_quietly "${pids[@]}"; rm -rf "$dir"' EXIT

start() {
	env MODEL_NAME=ranker PORT=0 POD_NAME=p1 ZONE=hz-a MODEL_VERSION="$1" "${@:2}" "$bed/modelserver" 2>"$dir/$1.log" &
	pid=$!
	pids+=("$pid")
	eventually 5 grep -qs '"msg":"serving"' "$dir/$1.log"
	url=http://$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$dir/$1.log")
}

served() {
	curl -s "$url/metrics" | sed -n 's/^:tensorflow:serving:request_count{model_name="ranker",status="OK"} //p'
}

# total FILE KEY: from the JSON report.
total() {
	"$bed/load" report "$1" -o json | sed -n "s/.*\"total\":{.*\"$2\":\([0-9]*\).*/\1/p"
}

cpu_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{print int(($14 + $15) * 1000 / hz)}' "/proc/$1/stat"
}

start v1
"$bed/load" --url "$url/v1/models/ranker:predict" --rate 1000 --duration 4s --out "$dir/fast" >"$dir/summary" &
load=$!
sleep 3.5
between "CPU ms in 3.5 s at 1,000 requests/s" "$(cpu_ms $load)" 0 875
wait $load
equal "summary" "$(cat "$dir/summary")" "sent 4000, answered 4000, failed 0"
equal "one line a request" "$(wc -l <"$dir/fast")" 4000
equal "each number once" "$(sed 's/.*"seq":\([0-9]*\).*/\1/' "$dir/fast" | sort -nu | wc -l)" 4000
equal "the server saw as many" "$(served)" 4000
check "who answered is written down" eval 'head -n 1 "$dir/fast" | grep -q "\"status\":200,\"version\":\"v1\",\"pod\":\"p1\",\"zone\":\"hz-a\""'
between "median in us" "$(total "$dir/fast" p50Us)" 1 5000
first=$(sed -n '1s/.*"t":\([0-9]*\).*/\1/p' "$dir/fast")
last=$(sed 's/.*"t":\([0-9]*\).*/\1/' "$dir/fast" | sort -n | tail -n 1)
between "open loop: the last was sent ms after the first" $((last - first)) 3990 4001

printf '%s first second\n%s rest\n' "$first" $((first + 1000)) >"$dir/phases"
check "phases" eval '"$bed/load" report "$dir/fast" --phases "$dir/phases" | grep -Eq "^first second +1000 +1000 +0 .* v1 100.0%"'
check "total" eval '"$bed/load" report "$dir/fast" --phases "$dir/phases" | grep -Eq "^total +4000 +4000 +0 "'
echo 'x y' >"$dir/badphases"
"$bed/load" report "$dir/fast" --phases "$dir/badphases" 2>"$dir/err"
equal "a bad phase file is an error" "$?" 1
check "... with its line" grep -q "badphases:1" "$dir/err"

# --- SIGTERM ------------------------------------------------------------------------------
before=$(served)
"$bed/load" --url "$url/v1/models/ranker:predict" --rate 500 --until-signal --out "$dir/term" >"$dir/summary" &
load=$!
sleep 1
between "lines readable while it runs" "$(wc -l <"$dir/term")" 300 510
kill -TERM $load
wait $load
equal "SIGTERM ends it with" "$?" 0
equal "nothing is lost by SIGTERM" "$(wc -l <"$dir/term")" $(($(served) - before))
equal "the summary agrees" "$(cat "$dir/summary")" "sent $(wc -l <"$dir/term"), answered $(wc -l <"$dir/term"), failed 0"

# --- failures -----------------------------------------------------------------------------
start v2 LATENCY_MS=50 ERROR_RATE=1
"$bed/load" --url "$url/v1/models/ranker:predict" --rate 200 --duration 1s --out "$dir/errors" >"$dir/summary"
equal "errors are answers" "$(cat "$dir/summary")" "sent 200, answered 200, failed 200"
check "... and reported" eval '"$bed/load" report "$dir/errors" -o json | grep -q "\"errors\":{\"HTTP 500\":200}"'
start v3 HANG=all
"$bed/load" --url "$url/v1/models/ranker:predict" --rate 100 --duration 1s --timeout 300ms --max-connections 10 --out "$dir/hang" >"$dir/summary"
equal "timeouts are written down" "$(cat "$dir/summary")" "sent 100, answered 0, failed 100"
equal "... with status 0" "$(grep -c '"status":0,.*"error":"timeout' "$dir/hang")" 100
start v4
"$bed/load" --url "$url/v1/models/ranker:predict" --rate 200 --duration 2s --out "$dir/killed" >"$dir/summary" &
load=$!
sleep 1
kill_quietly "$pid"
wait $load
equal "a server that dies costs no record" "$(wc -l <"$dir/killed")" 400
between "... and what it did not answer has failed" "$(total "$dir/killed" failed)" 150 250
start v5
timeout 3 "$bed/load" --url "$url/x" --header "x-gray: 1" --host shop.example --rate 10 --duration 500ms --out "$dir/get" >"$dir/summary"
equal "an answer of 404 has failed" "$(cat "$dir/summary")" "sent 5, answered 5, failed 5"
"$bed/load" --url ftp://x --out "$dir/x" 2>"$dir/err"
check "a bad URL is explained" grep -q 'must start with http://' "$dir/err"
finish
