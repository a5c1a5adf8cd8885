"""Kayenta's NetflixACAJudge-v1.0 as its documents and sources state the rule, written for checking.

Plain and slow on purpose: whole lists are ranked anew at each step, and nothing is shared with the
program under test. A pair of series goes in, what the judge must answer comes out.
"""
import math
from decimal import ROUND_HALF_UP, Decimal
from statistics import NormalDist

EPSILON = 2.220446049250313e-16
MEASURES = {"meanRatio": 1.0, "cles": 0.5}


class AllTied(Exception):
    """The normal approximation has no spread: Kayenta throws, the metric becomes an Error."""


# --- numbers ---------------------------------------------------------------------------------


def divide(a, b):
    """As a JVM divides: no exception."""
    if b != 0:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


def mean(values):
    first = sum_of(values) / len(values)
    return first + sum_of(v - first for v in values) / len(values)


def sum_of(values):
    total = 0.0
    for v in values:
        total += v
    return total


def deviation(values):
    if len(values) < 2:
        return 0.0
    m, n = mean(values), len(values)
    rest = sum_of(v - m for v in values)
    variance = (sum_of((v - m) ** 2 for v in values) - rest * rest / n) / (n - 1)
    return math.sqrt(variance) if variance >= 0 else math.nan


def percentile(values, p):
    """R-7, ranks counted from 1."""
    v = sorted(values)
    at = 1 + (len(v) - 1) * p
    whole = math.floor(at)
    if whole >= len(v):
        return v[-1]
    return v[whole - 1] + (at - whole) * (v[whole] - v[whole - 1])


def stats(values):
    if not values:
        return {"min": 0, "max": 0, "mean": 0, "std": 0, "count": 0}
    return {"min": min(values), "max": max(values), "mean": mean(values), "std": deviation(values),
            "count": len(values)}


# --- Mann-Whitney ----------------------------------------------------------------------------


def rank_sum(x, y):
    """Sum of the ranks of x among both, and the sizes of the groups of ties."""
    both = sorted([math.inf if math.isnan(v) else v for v in x] + y)
    first, size = {}, {}
    for i, v in enumerate(both):
        first.setdefault(v, i + 1)
        size[v] = size.get(v, 0) + 1
    total = 0.0
    for v in x:
        v = math.inf if math.isnan(v) else v
        total += first[v] + (size[v] - 1) / 2
    return total, size.values()


def shift_z(x, y, shift, quantile):
    m, n = float(len(x)), float(len(y))
    ranks, ties = rank_sum([v - shift for v in x], y)
    excess = ranks - m * (m + 1) / 2 - m * n / 2
    correction = 0.5 if excess > 0 else -0.5 if excess < 0 else 0.0
    lost = sum(t ** 3 - t for t in ties)
    sigma = math.sqrt(m * n / 12 * (m + n + 1 - lost / ((m + n) * (m + n - 1))))
    if sigma == 0:
        raise AllTied
    return (excess - correction) / sigma - quantile


def zero_of(f, a, b, fa, fb):
    """Brent's method as in R's zeroin, absolute tolerance 1e-4."""
    if fa == 0:
        return a
    if fb == 0:
        return b
    c, fc = a, fa
    for _ in range(1001):
        previous = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        tolerance = 2 * EPSILON * abs(b) + 1e-4 / 2
        step = (c - b) / 2
        if abs(step) <= tolerance or fb == 0:
            break
        if abs(previous) >= tolerance and abs(fa) > abs(fb):
            if a == c:
                p = (c - b) * divide(fb, fa)
                q = 1 - divide(fb, fa)
            else:
                r, s, t = divide(fa, fc), divide(fb, fc), divide(fb, fa)
                p = t * ((c - b) * r * (r - s) - (b - a) * (s - 1))
                q = (r - 1) * (s - 1) * (t - 1)
            p, q = (p, -q) if p > 0 else (-p, q)
            if p < 0.75 * (c - b) * q - abs(tolerance * q) / 2 and p < abs(previous * q / 2):
                step = divide(p, q)
        if abs(step) < tolerance:
            step = tolerance if step > 0 else -tolerance
        a, fa = b, fb
        b += step
        fb = f(b)
        if (fb > 0 and fc > 0) or (fb < 0 and fc < 0):
            c, fc = a, fa
    return b


def interval(x, y, confidence):
    """Lower and upper end, and the Hodges-Lehmann estimate, of the shift of x against y."""
    z = NormalDist().inv_cdf((1 - confidence) / 2)
    low, high = min(x) - max(y), max(x) - min(y)

    def end(quantile):
        at_low, at_high = shift_z(x, y, low, quantile), shift_z(x, y, high, quantile)
        if at_low <= 0:
            return low
        if at_high >= 0:
            return high
        return zero_of(lambda s: shift_z(x, y, s, quantile), low, high, at_low, at_high)

    lower, upper = end(-z), end(z)
    estimate = zero_of(lambda s: shift_z(x, y, s, 0), low, high, shift_z(x, y, low, 0),
                       shift_z(x, y, high, 0))
    return lower, upper, estimate


def mean_ratio(x, y):
    mx, my = mean(x), mean(y)
    return math.nan if mx == 0 or my == 0 else divide(mx, my)


def cles(x, y):
    m, n = len(x), len(y)
    return (2 * rank_sum(x, y)[0] - m * (m + 1)) / (2 * m * n)


# --- one metric ------------------------------------------------------------------------------


def clean(values, canary):
    replace = canary.get("nanStrategy") == "replace"
    values = [0.0 if math.isnan(v) else v for v in values if replace or not math.isnan(v)]
    outliers = canary.get("outliers", {})
    if outliers.get("strategy") != "remove" or not values:
        return values
    q1, q3 = percentile(values, 0.25), percentile(values, 0.75)
    reach = outliers.get("outlierFactor", 3.0) * (q3 - q1)
    lows, highs = (percentile(values, 0.01), q1 - reach), (percentile(values, 0.99), q3 + reach)
    low = math.nan if any(map(math.isnan, lows)) else min(lows)
    high = math.nan if any(map(math.isnan, highs)) else max(highs)
    return [v for v in values if not v > high and not v < low]


def answer(classification, reason=None, ratio=1.0, critical=False, comparison=None):
    return {"classification": classification, "classificationReason": reason, "ratio": ratio,
            "critical": critical, "comparison": comparison}


def without_data(name, canary):
    if canary.get("nanStrategy") == "replace":
        return answer("Pass")
    critical = canary.get("critical", False)
    label = "NodataFailMetric" if canary.get("mustHaveData") and not critical else "Nodata"
    return answer(label, "Missing data for " + name, critical=critical)


def compare(name, canary, x, y, tolerance, confidence):
    effect_size = canary.get("effectSize", {})
    measure = effect_size.get("measure", "meanRatio")
    default = MEASURES.get(measure, 1.0)
    limit = {k: effect_size.get(k, default) for k in
             ("allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease")}
    lower, upper, estimate = interval(x, y, confidence)
    ratio = mean_ratio(x, y)
    effect = cles(x, y) if measure == "cles" else ratio
    band = tolerance * abs(estimate)
    direction = canary.get("direction", "either")
    label = "Pass"
    if direction != "decrease" and lower > band and not effect < limit["allowedIncrease"]:
        label = "High"
    elif direction != "increase" and upper < -band and not effect > limit["allowedDecrease"]:
        label = "Low"
    critical = canary.get("critical", False) and (
        (label == "High" and not effect < limit["criticalIncrease"]) or
        (label == "Low" and not effect > limit["criticalDecrease"]))
    reason = None
    if label != "Pass":
        reason = ("The metric %s was classified as %s (Critical)" if critical else
                  "%s was classified as %s") % (name, label)
    return answer(label, reason, ratio, critical, (effect, estimate, lower, upper))


def judge_metric(name, canary, control, experiment, tolerance, confidence):
    """The answer, and the statistics of both sides."""
    x, y = clean(experiment, canary), clean(control, canary)
    if not x or not y:
        result = without_data(name, canary)
    elif sorted(x) == sorted(y):
        result = answer("Pass", "The Canary and Baseline data are identical")
    elif len(set(x + y)) == 1:
        result = answer("Pass")
    elif len(set(x)) == 1 and len(set(y)) == 1:
        result = None  # Kayenta draws noise: see the caller
    else:
        try:
            result = compare(name, canary, x, y, tolerance, confidence)
        except AllTied:
            result = answer("Error", "Metric Classification Failed", None)
    return result, stats(x), stats(y)


# --- score -----------------------------------------------------------------------------------


def score(results, weights, passing, marginal):
    """results: (name, groups, muted, classification, critical, reason). Group scores and score."""
    scored = [r for r in results if not r[2]]
    labels = {}
    for _, groups, _, label, _, _ in scored:
        for g in groups:
            labels.setdefault(g, []).append(label)
    group_scores, effective = {}, {}
    for g, found in labels.items():
        counted = [c for c in found if c in ("Pass", "High", "Low", "NodataFailMetric")]
        group_scores[g] = counted.count("Pass") / len(counted) * 100 if counted else 0.0
        effective[g] = group_scores[g] if counted else 100.0
    total, reason, exact = 0.0, "", 0.0
    critical = [r for r in scored if r[4] and r[3] != "Pass"]
    if critical:
        reason = "Canary Failed: " + critical[0][5]
    elif scored and sum(r[3] == "Nodata" for r in scored) / len(scored) * 100 >= 50:
        reason = "Canary Failed: 50% or more metrics returned NODATA"
    else:
        bare = [g for g in labels if g not in weights]
        rest = (100 - math.fsum(weights.values())) / len(bare) if bare else 0
        exact = math.fsum(effective[g] * (weights.get(g, rest) / 100) for g in labels)
        total = float(Decimal(repr(exact)).quantize(Decimal("0.01"), ROUND_HALF_UP))
    label = "Pass" if total >= passing else "Marginal" if total >= marginal else "Fail"
    return group_scores, total, label, reason, exact
