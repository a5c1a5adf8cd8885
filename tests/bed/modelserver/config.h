/*
 * What one model server is told: environment first, flags win.
 *
 * TensorFlow Serving's own flag names are understood too, so that a preset's command line for it
 * starts this server unchanged. Strings belong to argv or the environment.
 */
#ifndef BED_MODELSERVER_CONFIG_H
#define BED_MODELSERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"

/* Which requests are accepted and never answered. */
enum hang { HANG_NOTHING, HANG_PREDICT, HANG_STATUS, HANG_ALL };

struct config {
	const char *model_name;
	const char *model_version;  /* NULL: the newest folder of base_path, or "1" */
	const char *base_path;      /* NULL: weights are generated */
	const char *report_version; /* what is claimed instead of the version loaded */
	const char *address;        /* POD_IP */
	const char *pod_name, *zone;
	int64_t port;
	int64_t load_ms;
	int64_t latency_ms;
	int64_t crash_after_ms; /* from the opening of the port on; 0 = never */
	int64_t seed;           /* of the faults; 0 = from the pod's name */
	double error_rate;
	double ctr;         /* share of the answers that are clicked */
	double score_noise; /* requests differ by so much, before the logistic function */
	enum hang hang;
	bool faults_by_signal; /* hanging begins and ends with SIGUSR1, errors and latency with
	                          SIGUSR2 */
	bool ignore_sigterm;
	bool help;
};

int config_load(struct config *c, int argc, char **argv, struct err *err);
void config_usage(void);

#endif
