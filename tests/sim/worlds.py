#!/usr/bin/env python3
"""`tidegate simulate` on drawn manifests and worlds: what its summary must say whatever was drawn.

Usage: worlds.py PROGRAM [FROM [COUNT]]. One number is one world. What breaks a rule is printed with
the folder that holds the world, which is kept, and the command that shows it. Ends with one line
"N passed, N failed, 0 skipped".

Worlds have cards enough: each zone for its part of the replicas and, where pods may not be missing,
for the surge; without the latter a release waits for room, which is no fault.
"""
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile

# Of a zone that goes dark, with an observer in each zone; where the leader stood in it, or was
# killed, its lease runs out first (15 s, the program's default).
TRAFFIC_MOVED_S, LEADER_MOVED_S = 8, 20
ZONES = ["a", "b", "c"]


# --- draws -----------------------------------------------------------------------------------


def draw_steps(r):
    steps = []
    for weight in sorted(r.sample([0, 5, 10, 25, 50, 75], r.randint(1, 3))):
        until = r.choice(["hold: 1m", "hold: 3m", "approval: Required"])
        if weight:
            steps.append("{weight: %d, %s}" % (weight, until))
        else:
            steps.append('{audience: {headers: [{name: x-gray, exact: "1"}]}, hold: 1m}')
    if steps[-1].startswith("{audience"):
        steps.append("{weight: 20, hold: 2m}")
    return ", ".join(steps)


def draw_spec(r):
    nzones = r.choice([1, 2, 3, 3])
    surge = r.choice([0, 1, 1, 2, "25%"])
    weights = [r.choice([1, 1, 2]) for _ in range(nzones)]
    if nzones == 3 and r.random() < 0.3:
        weights[2] = 0  # stands by
    return {
        "replicas": r.choice([2, 3, 4, 6, 9, 12]),
        "surge": surge,
        "unavailable": r.choice([1, "50%"]) if surge == 0 else r.choice([0, 1, "25%"]),
        "zones": dict(zip(ZONES, weights)),
        "gpus": r.choice([1, 1, 2]),
        "preset": r.choice(["tensorflow-serving", "triton", "vllm"]),
        "steps": draw_steps(r),
    }


def manifest(spec, version):
    zones = ", ".join(
        "{name: %s, %s}" % (z, "weight: %d" % w if w else "role: Standby")
        for z, w in spec["zones"].items()
    )
    return f"""apiVersion: serving.tidegate.io/v1alpha1
kind: ModelDeployment
metadata: {{name: ranker, namespace: shop}}
spec:
  replicas: {spec["replicas"]}
  model: {{name: ranker, version: "{version}"}}
  runtime: {{preset: {spec["preset"]}, image: x}}
  gpu: {{count: {spec["gpus"]}}}
  zones: [{zones}]
  strategy: {{maxSurge: {spec["surge"]}, maxUnavailable: {spec["unavailable"]}, steps: [{spec["steps"]}]}}
  traffic: {{httpRoute: {{name: ranker, parentRefs: [{{name: gw}}]}}}}
"""


def resolve(value, replicas, up):
    if not isinstance(value, str):
        return value
    n = replicas * int(value.rstrip("%")) / 100
    return math.ceil(n) if up else math.floor(n)


def cards_per_node(r, spec):
    """Two nodes a zone; what a zone that is out leaves to the others fits, too."""
    replicas = spec["replicas"]
    active = [w for w in spec["zones"].values() if w]
    part = math.ceil(replicas * max(active) / sum(active))
    if len(spec["zones"]) > 1:
        part = max(part, math.ceil(replicas / max(1, len(spec["zones"]) - 1)))
    if resolve(spec["unavailable"], replicas, False) == 0:
        part += max(1, resolve(spec["surge"], replicas, True))
    part += r.choice([0, 1, 4])
    return math.ceil(part / 2) * spec["gpus"]


def draw_events(r, spec):
    events = [(5, "apply: new.yaml")]
    if r.random() < 0.4 and len(spec["zones"]) > 1:
        zone, at = r.choice(list(spec["zones"])), 5 + r.choice([1, 2, 4, 8])
        events.append((at, f"zoneDark: {zone}"))
        events.append((at + r.choice([3, 10, 20]), f"zoneLight: {zone}"))
    if r.random() < 0.3:
        events.append((5 + r.choice([1, 2, 3, 6]), "operatorKilled: leader"))
    for minute in range(16, 60, 6):
        events.append((minute, "annotate: {model: shop/ranker, set: {promote: next#%d}}" % minute))
    return sorted(events, key=lambda e: e[0])


def world(r, spec, events):
    cards = cards_per_node(r, spec)
    zones = ", ".join("{name: %s, nodes: 2, gpus: %d}" % (z, cards) for z in spec["zones"])
    return f"""duration: 80m
operators: {{replicas: {len(spec["zones"])}}}
zones: [{zones}]
models:
- requestsPerSecond: {r.choice([20, 200])}
  load: {{min: 5s, max: 30s}}
  versions: [{{version: bad, errors: 20%}}]
events:
""" + "".join("- {at: %dm, %s}\n" % e for e in events)


# --- rules -----------------------------------------------------------------------------------


def faults(spec, bad, summary, told, log):
    leader_lost = "lease lost" in log or "OperatorKilled" in told
    limit = LEADER_MOVED_S if leader_lost else TRAFFIC_MOVED_S
    if summary["lostByRelease"]:
        yield "%d requests lost by the release" % summary["lostByRelease"]
    excused = any(w in told for w in ("CapacityShortfall", "AnotherZoneIsOut", "NoHealthyZone"))
    for o in summary["outages"]:
        late = o["trafficRTO"] is None or o["trafficRTO"] > limit
        if late and len(spec["zones"]) > 2 and not excused:
            yield "traffic left zone %s after %s s" % (o["zone"], o["trafficRTO"])
    if bad and summary["promotedAt"] is not None:
        yield "a bad version was promoted at %s s" % summary["promotedAt"]
    if bad and summary["rolledBackAt"] is None:
        yield "a bad version is still there"
    if not bad and summary["promotedAt"] is None:
        yield "a good version was not promoted"


def put(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(text)


def run(program, number):
    r = random.Random(number)
    spec, bad = draw_spec(r), r.random() < 0.35
    folder = tempfile.mkdtemp(prefix=f"tidegate-world-{number}-")
    put(folder, "old.yaml", manifest(spec, "1"))
    put(folder, "new.yaml", manifest(spec, "bad" if bad else "2"))
    put(folder, "world.yaml", world(r, spec, draw_events(r, spec)))
    command = [program, "simulate", "-f", f"{folder}/old.yaml", "--world", f"{folder}/world.yaml"]
    p = subprocess.run(command + ["-o", "json"], capture_output=True, text=True, check=False)
    if p.returncode:
        found = ["exit code %d: %s" % (p.returncode, p.stderr[-300:])]
    else:
        summary = json.loads(p.stdout.strip().split("\n")[-1])["summary"]
        found = list(faults(spec, bad, summary, p.stdout, p.stderr))
    if found:
        print(f"world {number}: {'; '.join(found)}\n  {' '.join(command)}", flush=True)
    else:
        shutil.rmtree(folder)
    return not found


def main():
    program = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    passed = sum(run(program, n) for n in range(first, first + count))
    print(f"{passed} passed, {count - passed} failed, 0 skipped")
    return passed != count


if __name__ == "__main__":
    sys.exit(main())
