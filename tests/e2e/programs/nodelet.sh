#!/usr/bin/env bash
# The node agent on a real control plane: what it does with pods. Run inside a bed with one zone.
set -u
. "$BED_TREE/tests/e2e/programs/lib.sh"
. "$BED_TREE/tests/e2e/programs/nodelet_lib.sh"
agent_start
between "two nodes Ready, ms" "$agent_ready_ms" 0 2000
equal "zone label" "$(get node hz-a-1 '{.metadata.labels.topology\.kubernetes\.io/zone}')" hz-a
equal "product label" "$(get node hz-a-2 '{.metadata.labels.nvidia\.com/gpu\.product}')" NVIDIA-A10
equal "cards" "$(get node hz-a-1 '{.status.allocatable.nvidia\.com/gpu}')" 4
check "lease" eventually 5 kubectl get lease -n kube-node-lease hz-a-1
kubectl create configmap settings --from-literal=color=blue >/dev/null
kubectl create secret generic hidden --from-literal=word=sesame >/dev/null

# --- all at once: what must fail, wait or end by itself --------------------------------------
pods <<'Y'
- metadata: {name: full, labels: {app: full, tier: "1"}, annotations: {note: hello}}
  spec:
    nodeName: hz-a-1
    readinessGates: [{conditionType: serving.tidegate.io/model-ready}]
    initContainers:
    - name: fetch
      image: sh
      args: ["-c", "mkdir -p /models/7 && echo 0.5 1 -2 >/models/7/weights.txt && cat /etc/settings/color >/models/color && sleep 0.2"]
      volumeMounts: [{name: models, mountPath: /models}, {name: settings, mountPath: /etc/settings}]
    containers:
    - name: server
      image: modelserver:1
      command: [/usr/bin/tensorflow_model_server]
      args: [--rest_api_port=8601, --model_name=$(MODEL), --model_base_path=/models, --monitoring_config_file=/models/none]
      env:
      - {name: MODEL, value: ranker}
      - {name: LOAD_MS, value: "300"}
      - {name: GREETING, value: "$(MODEL)-$$(MODEL)-$(NOTHING)"}
      - {name: TIER, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
      - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
      - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
      - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
      - {name: CPU_MILLI, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
      - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
      - {name: WORD, valueFrom: {secretKeyRef: {name: hidden, key: word}}}
      - {name: OPTIONAL, valueFrom: {configMapKeyRef: {name: none, key: none, optional: true}}}
      ports: [{name: http, containerPort: 8601}]
      resources: {requests: {cpu: 1500m, nvidia.com/gpu: "2"}, limits: {nvidia.com/gpu: "2"}}
      startupProbe: {httpGet: {path: /v1/models/ranker, port: http}, periodSeconds: 1, failureThreshold: 30}
      readinessProbe: {httpGet: {path: /v1/models/ranker/versions/7, port: 8601}, periodSeconds: 1}
      volumeMounts: [{name: models, mountPath: /models}]
    volumes: [{name: models, emptyDir: {}}, {name: settings, configMap: {name: settings}}]
- metadata: {name: selector}
  spec: {nodeName: hz-a-1, nodeSelector: {kind: other}, containers: [{name: c, image: sleep}]}
- metadata: {name: affinity}
  spec:
    nodeName: hz-a-1
    affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: NotIn, values: [hz-a]}]}, {matchExpressions: [{key: nvidia.com/gpu.count, operator: Gt, values: ["4"]}]}]}}}
    containers: [{name: c, image: sleep}]
- metadata: {name: cpu}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: sleep, resources: {requests: {cpu: "33"}}}]}
- metadata: {name: initcpu}
  spec:
    nodeName: hz-a-2
    initContainers:
    - {name: side, image: sleep, restartPolicy: Always, resources: {requests: {cpu: "2"}}}
    - {name: big, image: sleep, resources: {requests: {cpu: "31"}}}
    containers: [{name: c, image: sleep}]
- metadata: {name: unknown-resource}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: sleep, resources: {limits: {example.com/none: "1"}}}]}
- metadata: {name: crash}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: sh, args: ["-c", "echo broken >&2; exit 3"], terminationMessagePolicy: FallbackToLogsOnError}]}
- metadata: {name: noimage}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: "registry.example/none:1"}]}
- metadata: {name: noconfig}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: sleep, env: [{name: X, valueFrom: {configMapKeyRef: {name: later, key: k}}}]}]}
- metadata: {name: noprogram}
  spec: {nodeName: hz-a-2, restartPolicy: Never, containers: [{name: c, image: sh, command: [/nowhere/program]}]}
- metadata: {name: volume}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: sleep}], volumes: [{name: v, nfs: {server: x, path: /}}]}
- metadata: {name: done}
  spec: {nodeName: hz-a-2, restartPolicy: Never, containers: [{name: c, image: sh, args: ["-c", "exit 0"]}]}
- metadata: {name: failed}
  spec: {nodeName: hz-a-2, restartPolicy: Never, containers: [{name: c, image: sh, args: ["-c", "exit 7"]}]}
- metadata: {name: second-try}
  spec: {nodeName: hz-a-2, restartPolicy: OnFailure, containers: [{name: c, image: sh, args: ["-c", "[ -e mark ] || { touch mark; exit 1; }"]}]}
- metadata: {name: badinit}
  spec: {nodeName: hz-a-2, restartPolicy: Never, initContainers: [{name: i, image: sh, args: ["-c", "exit 4"]}], containers: [{name: c, image: sleep}]}
- metadata: {name: sidecar}
  spec:
    nodeName: hz-a-2
    restartPolicy: Never
    initContainers: [{name: side, image: sh, restartPolicy: Always, args: ["-c", "touch side.up; exec sleep 100"], startupProbe: {exec: {command: [test, -e, side.up]}, periodSeconds: 1}}]
    containers: [{name: c, image: sh, args: ["-c", "test -e side.up && sleep 0.5"]}]
- metadata: {name: deadline}
  spec: {nodeName: hz-a-2, activeDeadlineSeconds: 1, containers: [{name: c, image: sleep}], terminationGracePeriodSeconds: 1}
- metadata: {name: unlive}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: modelserver, env: [{name: HANG, value: all}], livenessProbe: {httpGet: {path: /v2/health/live, port: 8501}, periodSeconds: 1, failureThreshold: 1}}]}
- metadata: {name: tcp}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: modelserver, readinessProbe: {tcpSocket: {port: 8501}, periodSeconds: 1}}, {name: never, image: sleep, readinessProbe: {exec: {command: ["false"]}, periodSeconds: 1}}]}
Y

check "containers ready" wait_condition full ContainersReady 10
equal "a gate keeps it from Ready" "$(condition full Ready reason)" ReadinessGatesNotReady
equal "... and says so" "$(condition full Ready message)" \
	'corresponding condition of pod readiness gate "serving.tidegate.io/model-ready" does not exist.'
kubectl patch pod full --subresource=status --type=strategic -p \
	'{"status":{"conditions":[{"type":"serving.tidegate.io/model-ready","status":"True"}]}}' >/dev/null
check "Ready when the gate opens" wait_condition full Ready 5
equal "the other's condition is kept" "$(condition full serving.tidegate.io/model-ready status)" True
ip=$(get pod full '{.status.podIP}')
equal "address of the pod network" "${ip%.*}" 10.244.1
equal "answers at the pod's own address" "$(curl -s -o /dev/null -w '%{http_code}' "http://$ip:8601/v1/models/ranker/versions/7")" 200
equal "the weights came through the volume" \
	"$(curl -s -d '{"instances":[[3,1]]}' "http://$ip:8601/v1/models/ranker:predict")" '{"predictions":[0.8175744761936437]}'
equal "the config map came through the other" "$(cat "$(pod_dir full)/volumes/models/color")" blue
environment full >"$BED_DIR/env"
for line in 'GREETING=ranker-$(MODEL)-$(NOTHING)' TIER=1 NOTE=hello NODE=hz-a-1 "IP=$ip" CPU_MILLI=1500 COLOR=blue \
	WORD=sesame POD_NAME=full ZONE=hz-a; do
	check "variable $line" grep -qxF "$line" "$BED_DIR/env"
done
check "optional reference left out" eval '! grep -q ^OPTIONAL= "$BED_DIR/env"'
equal "init container ended" "$(get pod full '{.status.initContainerStatuses[0].state.terminated.reason}')" Completed
equal "generation observed" "$(get pod full '{.status.observedGeneration}')" 1

# --- admission ------------------------------------------------------------------------------
pods <<'Y'
- metadata: {name: cards}
  spec: {nodeName: hz-a-1, containers: [{name: c, image: sleep, resources: {limits: {nvidia.com/gpu: "3"}}}]}
Y
refused() {
	check "$1 is refused" eventually 5 is_phase "$1" Failed
	equal "... reason" "$(get pod "$1" '{.status.reason}')" "$2"
	equal "... message" "$(get pod "$1" '{.status.message}')" "Pod was rejected: $3"
}
refused cards OutOfnvidia.com/gpu "Node didn't have enough resource: nvidia.com/gpu, requested: 3, used: 2, capacity: 4"
refused cpu OutOfcpu "Node didn't have enough resource: cpu, requested: 33000, used: 0, capacity: 32000"
refused initcpu OutOfcpu "Node didn't have enough resource: cpu, requested: 33000, used: 0, capacity: 32000"
refused selector NodeAffinity "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
refused affinity NodeAffinity "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
check "a resource that the node does not know is let through" eventually 5 is_phase unknown-resource Running

# --- ends and restarts ----------------------------------------------------------------------
check "done: Succeeded" eventually 5 is_phase done Succeeded
equal "... Ready is false because it completed" "$(condition done Ready reason)" PodCompleted
check "failed: Failed" eventually 5 is_phase failed Failed
equal "... exit code" "$(get pod failed '{.status.containerStatuses[0].state.terminated.exitCode}')" 7
check "OnFailure tries again" eventually 5 is_phase second-try Succeeded
equal "... once" "$(get pod second-try '{.status.containerStatuses[0].restartCount}')" 1
check "a failed init container fails the pod" eventually 5 is_phase badinit Failed
equal "... whose container never ran" "$(get pod badinit '{.status.containerStatuses[0].state.waiting.reason}')" PodInitializing
check "a sidecar ends with its pod" eventually 8 is_phase sidecar Succeeded
equal "... after the container" "$(get pod sidecar '{.status.initContainerStatuses[0].state.terminated.exitCode}')" 143
check "a deadline ends a pod" eventually 8 is_phase deadline Failed
equal "... with its reason" "$(get pod deadline '{.status.reason}')" DeadlineExceeded
check "crash loop" eventually 8 eval '[ "$(waiting crash)" = CrashLoopBackOff ]'
check "... goes on" eventually 8 eval '[ "$(get pod crash "{.status.containerStatuses[0].restartCount}")" -ge 2 ]'
equal "... last exit code" "$(get pod crash '{.status.containerStatuses[0].lastState.terminated.exitCode}')" 3
equal "... last words" "$(get pod crash '{.status.containerStatuses[0].lastState.terminated.message}')" broken
equal "... phase" "$(get pod crash '{.status.phase}')" Running
check "no image" eventually 8 eval '[ "$(waiting noimage)" = ImagePullBackOff ]'
equal "no config map" "$(waiting noconfig)" CreateContainerConfigError
kubectl create configmap later --from-literal=k=v >/dev/null
check "... runs when it comes" eventually 6 is_phase noconfig Running
check "no program: Failed" eventually 5 is_phase noprogram Failed
equal "... StartError" "$(get pod noprogram '{.status.containerStatuses[0].state.terminated.reason}')" StartError
equal "a volume of another kind is not pretended" "$(waiting volume)" CreateContainerConfigError
check "liveness restarts" eventually 8 eval '[ "$(get pod unlive "{.status.containerStatuses[0].restartCount}")" -ge 1 ]'
equal "TCP probe passes, exec probe does not" "$(get pod tcp '{.status.containerStatuses[*].ready}')" "true false"
equal "... so the pod is not ready" "$(condition tcp Ready message)" "containers with unready status: [never]"

# --- deletion -------------------------------------------------------------------------------
pods <<'Y'
- metadata: {name: polite}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: modelserver, lifecycle: {preStop: {sleep: {seconds: 1}}}}]}
- metadata: {name: stubborn}
  spec: {nodeName: hz-a-2, terminationGracePeriodSeconds: 2, containers: [{name: c, image: modelserver, args: [--ignore-sigterm]}]}
- metadata: {name: hook}
  spec: {nodeName: hz-a-2, containers: [{name: c, image: modelserver, lifecycle: {preStop: {exec: {command: [sh, -c, "touch ../hook.ran"]}}}}]}
Y
for p in polite stubborn hook; do eventually 5 is_phase $p Running; done
timed_delete() {
	local before
	before=$(now_ms)
	kubectl delete pod "$@" >/dev/null 2>&1
	echo $(($(now_ms) - before))
}
between "preStop sleep, then SIGTERM, ms" "$(timed_delete polite)" 1000 1900
between "grace period, then SIGKILL, ms" "$(timed_delete stubborn)" 1900 3000
timed_delete hook >/dev/null
check "preStop command ran" test -e "$state/pods/hook.ran"
between "forced, ms" "$(timed_delete tcp --grace-period=0 --force)" 0 2500
check "... and no process is left" eventually 4 eval '! pgrep -f "$state/pods/.*tcp"'

# --- a ReplicaSet, by the real controller -------------------------------------------------------
before=$(now_ms)
kubectl apply -f - >/dev/null <<'Y'
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: rs}
spec:
  replicas: 8
  selector: {matchLabels: {app: rs}}
  template:
    metadata: {labels: {app: rs}}
    spec:
      nodeName: hz-a-2
      containers: [{name: c, image: modelserver, readinessProbe: {httpGet: {path: /v2/health/ready, port: 8501}, periodSeconds: 1}}]
Y
check "eight replicas ready" eventually 8 eval '[ "$(get rs rs "{.status.readyReplicas}")" = 8 ]'
between "... after ms" $(($(now_ms) - before)) 0 4000
equal "each has an address of its own" "$(kubectl get pods -l app=rs -o jsonpath='{.items[*].status.podIP}' | tr ' ' '\n' | sort -u | wc -l)" 8
kubectl delete rs rs >/dev/null
check "... and all go" eventually 6 eval '[ -z "$(kubectl get pods -l app=rs -o name)" ]'

kubectl delete pods --all --wait=false >/dev/null
check "every pod goes away in the end" eventually 12 eval '[ -z "$(kubectl get pods -o name)" ]'
check "no process is left" eventually 2 eval '! pgrep -P "$(cat "$state/nodelet.pid")"'
agent_stop
equal "SIGTERM ends the agent with" "$agent_exit" 0
check "its log has no error" eval '! grep "\"level\":\"error\"" "$agent_log"'
finish
