#!/usr/bin/env bash
# The model server from outside: protocols, scores, metrics, faults, its end.
set -u
cd "$(dirname "$0")/../../.." || exit 1
. tests/e2e/programs/lib.sh
server=${BUILD:-build}/bed/modelserver
dir=$(mktemp -d)
pids=()
trap 'kill_quietly "${pids[@]}"; rm -rf "$dir"' EXIT

# start NAME [VARIABLE=VALUE...]: sets `url` and `pid`; the port is chosen by the system.
start() {
	local name=$1
	shift
	env MODEL_NAME=ranker POD_NAME="$name" ZONE=hz-a PORT=0 "$@" "$server" 2>"$dir/$name.log" &
	pid=$!
	pids+=("$pid")
	eventually 5 grep -qs '"msg":"serving"' "$dir/$name.log" || echo "$name does not serve: $(cat "$dir/$name.log")"
	url=http://$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$dir/$name.log")
}

get() {
	curl -s --max-time 3 "$url$1"
}

code() {
	curl -s --max-time "${3:-3}" -o /dev/null -w '%{http_code}' ${2:+-d "$2"} "$url$1"
}

predict() {
	curl -s --max-time 5 -d "$1" "$url/v1/models/ranker:predict"
}

# counter LABELS: of the request counter.
counter() {
	get /metrics | sed -n "s/^:tensorflow:serving:request_count{model_name=\"ranker\",status=\"$1\"} //p"
}

one='{"instances":[[1,2,3,4,5,6,7,8]]}'

# --- weights ------------------------------------------------------------------------------
mkdir -p "$dir/models/9" "$dir/models/10" "$dir/bad/1" "$dir/short/1"
printf '# bias, then weights\n0.5\n1 -2\n' >"$dir/models/9/weights.txt"
printf '0 0 0\n' >"$dir/models/10/weights.txt"
echo '0.5 one' >"$dir/bad/1/weights.txt"
echo 'no version' >"$dir/models/readme"
echo '0.5' >"$dir/short/1/weights.txt"

start weights MODEL_BASE_PATH="$dir/models" MODEL_VERSION=9
# sigmoid(0.5 + 1*3 - 2*1) = sigmoid(1.5)
equal "score from the weights file" "$(predict '{"instances":[[3,1],[0,0]]}')" \
	'{"predictions":[0.8175744761936437,0.6224593312018546]}'
equal "wrong number of features" "$(code /v1/models/ranker:predict '{"instances":[[1,2,3]]}')" 400
equal "no instances" "$(code /v1/models/ranker:predict '{}')" 400
equal "not JSON" "$(code /v1/models/ranker:predict 'x')" 400
equal "refused requests are counted" "$(counter INVALID_ARGUMENT)" 3
start newest MODEL_BASE_PATH="$dir/models"
equal "newest version is the highest number" "$(predict '{"instances":[[3,1]]}')" '{"predictions":[0.5]}'
for broken in bad short none; do
	env MODEL_BASE_PATH="$dir/$broken" PORT=0 timeout 5 "$server" 2>"$dir/$broken.log"
	equal "unusable weights ($broken) end it" "$?" 1
	check "... and the log names the folder" grep -q "$dir/$broken" "$dir/$broken.log"
done
env ERROR_RATE=2 "$server" 2>"$dir/flags.log"
equal "a bad setting is a usage error" "$?" 2
check "... that names the variable" grep -q ERROR_RATE "$dir/flags.log"

# --- protocols ----------------------------------------------------------------------------
start p1 MODEL_VERSION=20261111-1 LOAD_MS=300
equal "status" "$(get /v1/models/ranker)" \
	'{"model_version_status":[{"version":"20261111-1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}'
equal "status of a version that is loaded" "$(code /v1/models/ranker/versions/20261111-1)" 200
equal "status of one that is not" "$(code /v1/models/ranker/versions/7)" 404
equal "another model" "$(code /v1/models/other)" 404
equal "metadata" "$(code /v1/models/ranker/versions/20261111-1/metadata)" 200
equal "predict by version" "$(code /v1/models/ranker/versions/20261111-1:predict "$one")" 200
equal "predict wants POST" "$(code /v1/models/ranker:predict)" 405
for path in /v2 /v2/health/live /v2/health/ready /v2/models/ranker /v2/models/ranker/ready \
	/v2/models/ranker/versions/20261111-1/ready; do
	equal "GET $path" "$(code $path)" 200
done
equal "V2 infer" "$(code /v2/models/ranker/infer \
	'{"inputs":[{"name":"f","shape":[1,8],"datatype":"FP32","data":[1,2,3,4,5,6,7,8]}]}')" 200
equal "V2 infer with a wrong shape" "$(code /v2/models/ranker/infer \
	'{"inputs":[{"name":"f","shape":[2,8],"datatype":"FP32","data":[1]}]}')" 400
check "both protocols compute the same" [ "$(predict "$one" | tr -dc '0-9.')" = "$(curl -s -d \
	'{"inputs":[{"name":"f","shape":[1,8],"datatype":"FP64","data":[1,2,3,4,5,6,7,8]}]}' \
	"$url/v2/models/ranker/infer" | sed 's/.*"data":\[\([^]]*\)\].*/\1/')" ]
headers=$(curl -s -D - -o /dev/null -d "$one" "$url/v1/models/ranker:predict" | tr -d '\r')
for header in 'x-model-version: 20261111-1' 'x-pod-name: p1' 'x-zone: hz-a'; do
	check "header $header" grep -qx "$header" <<<"$headers"
done
equal "requests are counted" "$(counter OK)" 5
equal "latency buckets" "$(get /monitoring/prometheus/metrics | grep -c request_latency_bucket)" 34
check "start of the buckets" eval 'get /metrics | grep -q "request_latency_bucket{model_name=\"ranker\",API=\"predict\",entrypoint=\"REST\",le=\"18\"}"'

# --- faults -------------------------------------------------------------------------------
start errors ERROR_RATE=0.5 SEED=7
for _ in $(seq 200); do code /v1/models/ranker:predict "$one"; echo; done >"$dir/codes"
between "half of the predictions fail" "$(grep -c '^500$' "$dir/codes")" 70 130
equal "... and are counted" "$(counter INTERNAL)" "$(grep -c '^500$' "$dir/codes")"
equal "... while the model is there" "$(code /v2/health/ready)" 200
start slow LATENCY_MS=100
before=$(now_ms)
predict "$one" >"$dir/slow"
between "latency in ms" "$(($(now_ms) - before))" 100 900
check "... is seen in the metrics" eval '[ "$(get /metrics | sed -n "s/^:tensorflow:serving:request_latency_sum{.*} //p" | cut -d. -f1)" -ge 100000 ]'
start liar MODEL_VERSION=2 REPORT_VERSION=1
check "claims another version" eval 'get /v1/models/ranker | grep -q "\"version\":\"1\""'
start hang HANG=predict
equal "hangs on predictions" "$(code /v1/models/ranker:predict "$one" 0.5)" 000
equal "... not on health" "$(code /v2/health/ready)" 200
start deaf HANG=all
equal "hangs on everything" "$(code /v2/health/ready '' 0.5)" 000
start moody HANG=status ERROR_RATE=1 FAULTS_BY_SIGNAL=1
equal "faults by signal: not there at first" "$(code /v1/models/ranker '' 0.5)$(code /v1/models/ranker:predict "$one")" 200200
kill -USR1 "$pid"
eventually 5 grep -q '"hanging":true' "$dir/moody.log"
equal "... hanging begins" "$(code /v1/models/ranker '' 0.5)$(code /v1/models/ranker:predict "$one")" 000200
kill -USR1 "$pid"
kill -USR2 "$pid"
eventually 5 grep -q '"hanging":false,"errors":true' "$dir/moody.log"
equal "... and ends, errors begin" "$(code /v1/models/ranker)$(code /v1/models/ranker:predict "$one")" 200500
start crash CRASH_AFTER_MS=200
{ wait "$pid"; } 2>/dev/null
equal "crashes by a signal" "$?" 134

# --- its end ------------------------------------------------------------------------------
# Many at once: a server that ends in the very round in which its answer is due loses it, and not
# one in ten comes to do so.
servers=() clients=() urls=()
for i in {1..20}; do
	start "drain$i" LATENCY_MS=1000
	servers+=("$pid")
	urls[i]=$url
done
for i in {1..20}; do
	curl -sv --max-time 9 -d "$one" "${urls[i]}/v1/models/ranker:predict" >"$dir/answer$i" 2>"$dir/client$i" &
	clients+=("$!")
done
# Not a fixed time: on a busy machine the client itself may take long to start.
for i in {1..20}; do
	eventually 5 grep -qs '^> POST' "$dir/client$i"
done
kill -TERM "${servers[@]}"
ended=0
for pid in "${servers[@]}"; do
	{ wait "$pid"; } 2>/dev/null && ended=$((ended + 1))
done
equal "SIGTERM ends them with 0" "$ended" 20
wait "${clients[@]}"
equal "... after the answer under way" "$(grep -l predictions "$dir"/answer* | wc -l)" 20
env PORT=0 "$server" --ignore-sigterm 2>"$dir/stubborn.log" &
pid=$!
pids+=("$pid")
eventually 5 grep -qs serving "$dir/stubborn.log"
kill -TERM "$pid"
sleep 0.5
check "--ignore-sigterm goes on" kill -0 "$pid"
finish
