/*
 * Passes as dashboards made for controllers expect them: names, labels, results and bounds are
 * controller-runtime's (pkg/internal/controller/metrics of 0.22).
 */
#include "internal.h"
#include "tidegate/base/metric.h"

#define CONTROLLER "modeldeployment"

static const double seconds_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3,  0.35,
                                        0.4,   0.45, 0.5,   0.6,  0.7, 0.8,  0.9, 1.0,  1.25, 1.5,
                                        1.75,  2.0,  2.5,   3.0,  3.5, 4.0,  4.5, 5,    6,    7,
                                        8,     9,    10,    15,   20,  25,   30,  40,   50,   60};

static struct metric_family results = {
	.name = "controller_runtime_reconcile_total",
	.help = "Total number of reconciliations per controller",
	.type = METRIC_COUNTER,
	.label_names = {"controller", "result"},
};
static struct metric_family errors = {
	.name = "controller_runtime_reconcile_errors_total",
	.help = "Total number of reconciliation errors per controller",
	.type = METRIC_COUNTER,
	.label_names = {"controller"},
};
static struct metric_family seconds = {
	.name = "controller_runtime_reconcile_time_seconds",
	.help = "Length of time per reconciliation per controller",
	.type = METRIC_HISTOGRAM,
	.label_names = {"controller"},
	.bounds = seconds_bounds,
	.nbounds = ARRAY_SIZE(seconds_bounds),
};
static struct metric_family workers_max = {
	.name = "controller_runtime_max_concurrent_reconciles",
	.help = "Maximum number of concurrent reconciles per controller",
	.type = METRIC_GAUGE,
	.label_names = {"controller"},
};
static struct metric_family workers_busy = {
	.name = "controller_runtime_active_workers",
	.help = "Number of currently used workers per controller",
	.type = METRIC_GAUGE,
	.label_names = {"controller"},
};

static const char *const result_names[PASS_RESULTS] = {
	[PASS_SUCCESS] = "success",
	[PASS_AGAIN] = "requeue_after",
	[PASS_ERROR] = "error",
};

/* All series are there from the start: a rate over what appears later misses its first count. */
void pass_metric_init(unsigned workers)
{
	for (int i = 0; i < PASS_RESULTS; i++)
		metric_series(&results, CONTROLLER, result_names[i]);
	metric_series(&errors, CONTROLLER);
	metric_series(&seconds, CONTROLLER);
	metric_set(metric_series(&workers_max, CONTROLLER), workers);
	pass_metric_busy(0);
}

void pass_metric_busy(unsigned active)
{
	metric_set(metric_series(&workers_busy, CONTROLLER), active);
}

void pass_metric_count(enum pass_result r, int64_t ms)
{
	metric_add(metric_series(&results, CONTROLLER, result_names[r]), 1);
	if (r == PASS_ERROR)
		metric_add(metric_series(&errors, CONTROLLER), 1);
	metric_observe(&seconds, metric_series(&seconds, CONTROLLER), (double)ms / 1000.0);
}
