#!/usr/bin/env bash
# The node agent's faults, and what becomes of pods when the agent or its zone goes away. Run inside a bed
# with one zone.
set -u
. "$BED_TREE/tests/e2e/programs/lib.sh"
. "$BED_TREE/tests/e2e/programs/nodelet_lib.sh"
bed() {
	bash "$BED_TREE/tests/bed/bed.sh" "$@"
}
restarts() {
	get pod "$1" '{.status.containerStatuses[0].restartCount}'
}
ready() {
	[ "$(condition "$1" Ready status)" = True ]
}
answers() {
	curl -sf --max-time 0.5 -o /dev/null "http://$(get pod "$1" '{.status.podIP}'):8501/v2/health/ready"
}
server() { # NAME NODE
	pods <<-Y
		- metadata: {name: $1}
		  spec:
		    nodeName: $2
		    terminationGracePeriodSeconds: 1
		    tolerations: [{operator: Exists}]
		    containers: [{name: c, image: "modelserver:$1", readinessProbe: {httpGet: {path: /v2/health/ready, port: 8501}, periodSeconds: 1}}]
	Y
}

agent_start
server a hz-a-1
server b hz-a-2
check "two pods ready" eventually 5 eval 'ready a && ready b'
equal "an unknown command is refused" "$(ctl dance 2>&1)" "nodelet: unknown command; see nodelet --help"
equal "an unknown node too" "$(ctl node-down x 2>&1)" 'nodelet: no node "x" here'

# --- one pod, one card, one image -----------------------------------------------------------
ctl crash default/a
check "crash: restarted" eventually 5 eval '[ "$(restarts a)" = 1 ]'
equal "... killed by signal 9" "$(get pod a '{.status.containerStatuses[0].lastState.terminated.exitCode}')" 137
check "... ready again" eventually 5 ready a
ctl card-lost hz-a-1 3
check "cards lost" eventually 5 eval '[ "$(get node hz-a-1 "{.status.allocatable.nvidia\.com/gpu}")" = 1 ]'
equal "... the capacity stays" "$(get node hz-a-1 '{.status.capacity.nvidia\.com/gpu}')" 4
ctl card-lost hz-a-1 0
check "... and found" eventually 5 eval '[ "$(get node hz-a-1 "{.status.allocatable.nvidia\.com/gpu}")" = 4 ]'
ctl slow-image 1500
before=$(now_ms)
server slow hz-a-1
equal "slow image: waits" "$(waiting slow)" ContainerCreating
check "... then runs" eventually 5 is_phase slow Running
between "... after ms" $(($(now_ms) - before)) 1500 2600
ctl slow-image 0

# --- a node --------------------------------------------------------------------------------
ctl node-down hz-a-1
check "node down: its pods answer no more" eval '! answers a'
check "... the other node's do" answers b
equal "... and nobody has said so" "$(condition a Ready status)" True
lease=$(get "lease -n kube-node-lease" hz-a-1 '{.spec.renewTime}')
ctl node-up hz-a-1
check "node up: the pod runs again" eventually 6 eval '[ "$(restarts a)" = 2 ] && ready a && answers a'

# --- the whole zone -------------------------------------------------------------------------
ctl freeze
sleep 0.2
check "frozen: connects, answers nothing" eval '! answers b'
equal "... nobody has said so" "$(condition b Ready status)" True
check "thaw" ctl thaw
check "... answers again" eventually 3 answers b
equal "... without a restart" "$(restarts b)" 0

bed zone-dark 1
kubectl delete pod slow --wait=false >/dev/null
kubectl patch pod b --subresource=status --type=strategic -p \
	'{"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"ContainersReady","status":"False"}]}}' >/dev/null
sleep 3
check "dark zone: the deleted pod stays" eval '[ -n "$(kubectl get pod slow -o name)" ]'
bed zone-light 1
check "light again: it goes" eventually 15 eval '[ -z "$(kubectl get pod slow -o name 2>/dev/null)" ]'
check "... and what others wrote meanwhile is put right" eventually 15 ready b
equal "... without a restart" "$(restarts b)" 0

# --- the agent ------------------------------------------------------------------------------
first=$(environment b | wc -l)
check "the pod has a process" [ "$first" -gt 3 ]
pid=$(cat "$state/nodelet.pid")
kill -9 "$pid"
{ wait "$agent_pid"; } 2>/dev/null
check "killed agent: its pods die with it" eventually 2 eval '! pgrep -f "$programs/modelserver"'
agent_start
check "a new agent runs them again" eventually 8 eval '[ "$(restarts b)" = 1 ] && ready b && answers b'
equal "... and says what became of the old process" \
	"$(get pod b '{.status.containerStatuses[0].lastState.terminated.reason}')" ContainerStatusUnknown
agent_stop
equal "SIGTERM ends it with" "$agent_exit" 0
check "... and every pod" eval '! pgrep -f "$programs/modelserver"'
finish
