/*
 * Runtime presets: what is known of each model server, as one const table.
 * Source: research on TensorFlow Serving, TorchServe, Triton, vLLM, SGLang and the Open
 * Inference Protocol; metric names are the servers' own.
 */
#ifndef TIDEGATE_API_PRESET_H
#define TIDEGATE_API_PRESET_H

#include <stdbool.h>

#include "tidegate/api/mdep.h"

struct preset {
	const char *name;
	enum mdep_runtime runtime;
	const char *image;        /* NULL: spec.runtime.image is required */
	int port;                 /* 0: spec.runtime.port is required */
	int metrics_port;         /* 0 = port */
	const char *metrics_path; /* NULL = no metrics known */
	/* command and args; "$N" model name, "$V" version, "$P" port are replaced; NULL-terminated
	 */
	const char *const *command;
	const char *const *args;
	/*
	 * A configuration file that the server needs for its metrics: its text, and the flag that
	 * takes its path (appended with the path to args). NULL = none.
	 */
	const char *config_text, *config_flag;
	/* Kubelet probes, "$N"/"$V" replaced. NULL = TCP on the port. */
	const char *startup_path, *ready_path, *live_path;
	/* The operator's own question: does it serve exactly this version? NULL = not known. */
	const char *model_path;
	int grace_seconds, pre_stop_seconds;

	/* Counters. requests_total counts all; errors are those whose label matches. */
	const char *requests_metric;
	const char *error_label;      /* label whose value tells failure */
	const char *const *ok_values; /* other values are errors; NULL-terminated */
	const char *errors_metric;    /* or: a counter of its own for errors */
	bool errors_apart; /* requests_metric does not count those errors: the total is both */
	const char *busy_metric;    /* gauge of requests under way; NULL = none is known */
	const char *latency_metric; /* histogram base name (without _bucket); NULL = none */
	double latency_unit;        /* seconds per unit of `le`: 1e-6 for microseconds */
};

const struct preset *preset_get(enum mdep_runtime r);
/* NULL when the name is unknown. */
const struct preset *preset_find(const char *name);

#endif
