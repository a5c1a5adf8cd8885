#!/usr/bin/env python3
"""`tidegate score --judge kayenta` against kayenta_rule.py on drawn configs and series.

Usage: kayenta_differential.py PROGRAM [ROUNDS [SEED]]. Each round is one config with its pairs; a
round that differs prints its seed, and what both sides say.
"""
import json
import math
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the work tree stays as it is

import kayenta_rule as rule

GROUPS = ["latency", "errors", "Errors", "saturation", "sizes and more"]


# --- draws -----------------------------------------------------------------------------------


def draw_length(r):
    return r.choice([0, 1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 12, 20, 30, r.randint(31, 60)])


def draw_series(r, kind, n, shift):
    scale = r.choice([1, 1, 1, 1e-3, 1e-6, 1e5])
    draws = {
        "normal": lambda: r.gauss(10 + shift, 2) * scale,
        "ties": lambda: float(r.randint(0, 4) + round(shift)),
        "zeros": lambda: 0.0 if r.random() < 0.8 else float(r.randint(1, 9)),
        "allzero": lambda: 0.0,
        "constant": lambda: 5.0 + round(shift),
        "negative": lambda: r.gauss(-10 + shift, 2) * scale,
        "heavy": lambda: math.exp(r.gauss(shift / 4, 1.5)) * scale,
        "walk": lambda: round(r.gauss(100 + 10 * shift, 30), 1),
        "signs": lambda: float(r.choice([-1, 0, 1])),
    }
    values = [draws[kind]() for _ in range(n)]
    if n and r.random() < 0.2:
        values[r.randrange(n)] *= 1000
    if n and r.random() < 0.02:
        values[r.randrange(n)] = r.choice([math.inf, -math.inf])
    share = r.choice([0, 0, 0, 0.1, 0.5, 1])
    return [math.nan if r.random() < share else v for v in values]


def draw_pair(r):
    kind = r.choice(["normal", "normal", "ties", "zeros", "allzero", "constant", "negative",
                     "heavy", "walk", "signs"])
    n = draw_length(r)
    m = n if r.random() < 0.6 else draw_length(r)
    control = draw_series(r, kind, n, 0)
    if r.random() < 0.05:
        return control, r.sample(control, len(control))
    if r.random() < 0.05:
        kind = "ties"
    return control, draw_series(r, kind, m, r.choice([0, 0, 0.5, 1, 3, -1, -3]))


def draw_effect(r):
    out = {}
    if r.random() < 0.7:
        out["measure"] = r.choice(["meanRatio", "cles", "unheard of"])
    for key in ("allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease"):
        if r.random() < 0.4:
            out[key] = r.choice([0, 0.2, 0.5, 0.8, 0.9, 1, 1.0, 1.1, 1.25, 2, 5])
    return out


def draw_canary(r):
    out = {}
    if r.random() < 0.7:
        out["direction"] = r.choice(["increase", "decrease", "either", "sideways"])
    if r.random() < 0.6:
        out["nanStrategy"] = r.choice(["remove", "replace", "none"])
    for key, share in (("critical", 0.08), ("mustHaveData", 0.3), ("muted", 0.1)):
        if r.random() < 0.5:
            out[key] = r.random() < share
    if r.random() < 0.5:
        out["effectSize"] = draw_effect(r)
    if r.random() < 0.4:
        out["outliers"] = {"strategy": r.choice(["remove", "remove", "keep", "other"])}
        if r.random() < 0.5:
            out["outliers"]["outlierFactor"] = r.choice([0.5, 1.5, 3, 10.0])
    return out


def draw_metric(r, i):
    metric = {"name": "metric %d" % i, "query": {"type": "prometheus"}, "scopeName": "default"}
    if r.random() < 0.9:
        metric["groups"] = r.sample(GROUPS, r.choice([0, 1, 1, 1, 2, 3]))
    if r.random() < 0.95:
        metric["analysisConfigurations"] = {"canary": draw_canary(r)}
    return metric


def draw_config(r):
    config = {"name": "drawn", "metrics": [draw_metric(r, i) for i in range(r.randint(1, 24))],
              "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
              "classifier": {"groupWeights": {}}}
    for g in r.sample(GROUPS + ["nobody's"], r.randint(0, 5)):
        config["classifier"]["groupWeights"][g] = r.choice([0, 10, 25, 33.3, 50, 60, 100])
    if r.random() < 0.4:
        config["judge"]["judgeConfigurations"]["tolerance"] = r.choice([0, 0.1, 0.25, 0.5, 1.5])
    if r.random() < 0.4:
        config["judge"]["judgeConfigurations"]["confidence"] = r.choice([0.5, 0.9, 0.95, 0.98, 0.999])
    return config


def number(v):
    if math.isnan(v):
        return "NaN"
    return v if math.isfinite(v) else "Infinity" if v > 0 else "-Infinity"


def draw_pairs(r, config):
    """Some metrics have no pair, some have two."""
    pairs = []
    for metric in config["metrics"]:
        for _ in range(r.choice([0, 1, 1, 1, 1, 1, 1, 1, 1, 2])):
            control, experiment = draw_pair(r)
            pairs.append({"name": metric["name"], "tags": {"zone": r.choice("abc")},
                          "values": {"control": control, "experiment": experiment}})
    r.shuffle(pairs)
    return pairs


# --- comparison ------------------------------------------------------------------------------


def same(a, b, digits=1e-9):
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
        return a == b or (math.isnan(a) and math.isnan(b))
    return abs(a - b) <= digits * max(1, abs(a), abs(b))


def check_constants(got, canary, control, experiment):
    """Two constants get noise, drawn anew by Kayenta: only what noise cannot change is fixed."""
    x, y = experiment["max"], control["max"]
    if math.isinf(x) or math.isinf(y):
        return
    allowed = {"Pass", "High" if x > y else "Low"}
    # A value shifted onto zeros, which get no noise, or onto one other value: all are tied.
    lone = [other for one, other in ((experiment, control), (control, experiment))
            if one["count"] == 1]
    if any(other["max"] == 0 or other["count"] == 1 for other in lone):
        allowed.add("Error")
    direction = canary.get("direction", "either")
    if direction == "increase":
        allowed.discard("Low")
    if direction == "decrease":
        allowed.discard("High")
    if got["classification"] not in allowed:
        yield "classification of constants", got["classification"], allowed


def check_metric(got, want):
    for key in ("classification", "classificationReason", "critical"):
        if got.get(key) != want[key]:
            yield key, got.get(key), want[key]
    meta = got.get("resultMetadata")
    if want["ratio"] is None:
        if meta is not None:
            yield "resultMetadata", meta, None
        return
    if not same(meta["ratio"], want["ratio"]):
        yield "ratio", meta["ratio"], want["ratio"]
    if want["comparison"]:
        told = [meta["effectSize"], meta["estimate"]] + meta["confidenceInterval"]
        for name, g, w in zip(("effectSize", "estimate", "lower", "upper"), told,
                              want["comparison"]):
            if not same(g, w, 1e-6):
                yield name, g, w


def check_stats(got, x, y):
    for side, want in (("experimentMetadata", x), ("controlMetadata", y)):
        for key, w in want.items():
            if not same(got[side]["stats"][key], w):
                yield side + "." + key, got[side]["stats"][key], w


def check_score(out, results, weights, passing, marginal):
    groups, total, label, reason, exact = rule.score(results, weights, passing, marginal)
    got = {g["name"]: g["score"] for g in out["groupScores"]}
    if set(got) != set(groups) or any(not same(got[g], groups[g]) for g in groups):
        yield "groupScores", got, groups
    # The order in which Kayenta adds groups up is not fixed: a half may round either way.
    near_half = abs(abs(exact) * 100 % 1 - 0.5) < 1e-7
    if not same(out["score"]["score"], total) and not near_half:
        yield "score", out["score"]["score"], total
    told = out["score"]
    if not near_half and (told["classification"], told["classificationReason"]) != (label, reason):
        yield "verdict", told, (label, reason)


def run(program, config, pairs, passing, marginal, folder):
    paths = os.path.join(folder, "config.json"), os.path.join(folder, "pairs.json")
    written = [dict(p, values={k: [number(v) for v in s] for k, s in p["values"].items()})
               for p in pairs]
    for path, what in zip(paths, (config, written)):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(what, f)
    return subprocess.run([program, "score", "--judge", "kayenta", "--config", paths[0], "--pairs",
                           paths[1], "--pass", repr(passing), "--marginal", repr(marginal), "-o",
                           "json"], capture_output=True, text=True, check=False)


def draw_thresholds(r):
    """Often exactly a score that may come out."""
    passing = r.choice([95, 75, 50, 100, 33.33, 66.67, 0])
    return passing, r.choice([m for m in (0, 25, 50, 75, passing) if m <= passing])


def check_round(program, seed, folder):
    r = random.Random(seed)
    config = draw_config(r)
    pairs = draw_pairs(r, config)
    passing, marginal = draw_thresholds(r)
    done = run(program, config, pairs, passing, marginal, folder)
    if done.returncode not in (0, 3):
        yield "exit code", done.returncode, done.stderr
        return
    out = json.loads(done.stdout)
    if len(out["results"]) != len(pairs):
        yield "results", len(out["results"]), len(pairs)
        return
    judge = config["judge"]["judgeConfigurations"]
    metrics = {m["name"]: m for m in config["metrics"]}
    results = []
    for pair, got in zip(pairs, out["results"]):
        metric = metrics[pair["name"]]
        canary = metric.get("analysisConfigurations", {}).get("canary", {})
        want, x, y = rule.judge_metric(pair["name"], canary, pair["values"]["control"],
                                       pair["values"]["experiment"], judge.get("tolerance", 0.25),
                                       judge.get("confidence", 0.98))
        found = list(check_stats(got, x, y))
        found += check_metric(got, want) if want else check_constants(got, canary, y, x)
        for what, g, w in found:
            yield "%s %s of %s, %s" % (pair["name"], what, json.dumps(pair["values"]), canary), g, w
        # The score is made of what the program said of each metric.
        results.append((pair["name"], metric.get("groups", []), canary.get("muted", False),
                        got["classification"], got["critical"], got.get("classificationReason")))
    yield from check_score(out, results, config["classifier"]["groupWeights"], passing, marginal)
    if (done.returncode == 0) != (out["score"]["classification"] == "Pass"):
        yield "exit code", done.returncode, out["score"]


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + rounds):
            differences = list(check_round(program, seed, folder))
            for what, got, want in differences[:3]:
                print("FAIL  seed %d: %s: is %s, must be %s" % (seed, what, got, want))
            failed += bool(differences)
    print("kayenta, differential: %d passed, %d failed, 0 skipped" % (rounds - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
