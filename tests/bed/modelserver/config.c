#include "config.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

enum option_type { OPT_STRING, OPT_INT, OPT_RATE, OPT_HANG, OPT_BOOL, OPT_IGNORED };

struct option_row {
	const char *flag;
	const char *env; /* NULL: flag only */
	enum option_type type;
	size_t offset;
	const char *help; /* NULL: another name for a row above */
};

#define AT(field) offsetof(struct config, field)

static const struct option_row rows[] = {
	{"model-name", "MODEL_NAME", OPT_STRING, AT(model_name), "name of the model"},
	{"model-version", "MODEL_VERSION", OPT_STRING, AT(model_version), "version to load"},
	{"model-base-path", "MODEL_BASE_PATH", OPT_STRING, AT(base_path),
         "folder with <version>/weights.txt; none: weights generated from name and version"},
	{"address", "POD_IP", OPT_STRING, AT(address), "address to bind to, exactly"},
	{"port", "PORT", OPT_INT, AT(port), "HTTP port; 0 = any free one"},
	{"pod-name", "POD_NAME", OPT_STRING, AT(pod_name), "told in x-pod-name"},
	{"zone", "ZONE", OPT_STRING, AT(zone), "told in x-zone"},
	{"load-ms", "LOAD_MS", OPT_INT, AT(load_ms), "time the loading takes at least"},
	{"error-rate", "ERROR_RATE", OPT_RATE, AT(error_rate),
         "fault: share of predictions answered 500, 0 to 1"},
	{"latency-ms", "LATENCY_MS", OPT_INT, AT(latency_ms),
         "fault: added to each prediction, with an exponential tail"},
	{"crash-after-ms", "CRASH_AFTER_MS", OPT_INT, AT(crash_after_ms),
         "fault: abort so long after the port opened"},
	{"hang", "HANG", OPT_HANG, AT(hang),
         "fault: \"predict\" or \"all\" (or 1) requests are never answered"},
	{"report-version", "REPORT_VERSION", OPT_STRING, AT(report_version),
         "fault: version to claim instead of the one loaded"},
	{"seed", "SEED", OPT_INT, AT(seed), "of the faults"},
	{"ignore-sigterm", NULL, OPT_BOOL, AT(ignore_sigterm),
         "as TensorFlow Serving does when it is PID 1"},
	{"help", NULL, OPT_BOOL, AT(help), "this text"},
	{"rest_api_port", NULL, OPT_INT, AT(port), NULL},
	{"model_name", NULL, OPT_STRING, AT(model_name), NULL},
	{"model_base_path", NULL, OPT_STRING, AT(base_path), NULL},
	{"rest_api_timeout_in_ms", NULL, OPT_IGNORED, 0, NULL},
	{"monitoring_config_file", NULL, OPT_IGNORED, 0, NULL},
	{"file_system_poll_wait_seconds", NULL, OPT_IGNORED, 0, NULL},
	{"enable_batching", NULL, OPT_IGNORED, 0, NULL},
	{"batching_parameters_file", NULL, OPT_IGNORED, 0, NULL},
};

static int hang_parse(const char *s, enum hang *out)
{
	if (str_empty(s) || str_eq(s, "0") || str_eq(s, "false"))
		*out = HANG_NOTHING;
	else if (str_eq(s, "predict"))
		*out = HANG_PREDICT;
	else if (str_eq(s, "all") || str_eq(s, "1") || str_eq(s, "true"))
		*out = HANG_ALL;
	else
		return -1;
	return 0;
}

static int row_set(struct config *c, const struct option_row *row, const char *text,
                   struct err *err)
{
	char *at = (char *)c + row->offset;
	int64_t i;
	double d;

	switch (row->type) {
	case OPT_STRING:
		*(const char **)at = str_empty(text) ? NULL : text;
		return 0;
	case OPT_INT:
		if (!str_to_i64(text, &i) || i < 0 || i > INT32_MAX)
			break;
		*(int64_t *)at = i;
		return 0;
	case OPT_RATE:
		if (!str_to_double(text, &d) || !(d >= 0 && d <= 1))
			break;
		*(double *)at = d;
		return 0;
	case OPT_HANG:
		if (hang_parse(text, (enum hang *)at))
			break;
		return 0;
	case OPT_BOOL:
		*(bool *)at = true;
		return 0;
	case OPT_IGNORED:
		return 0;
	}
	return err_set(err, ERR_INVALID, "--%s: \"%s\" is not allowed", row->flag, text);
}

static int read_environment(struct config *c, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = rows[i].env ? getenv(rows[i].env) : NULL;

		if (!str_empty(text) && row_set(c, &rows[i], text, err))
			return err_wrap(err, "environment variable %s", rows[i].env);
	}
	return 0;
}

static int read_flags(struct config *c, int argc, char **argv, struct err *err)
{
	struct option longopts[ARRAY_SIZE(rows) + 1] = {0};
	int index;
	int got;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		longopts[i].name = rows[i].flag;
		longopts[i].has_arg = rows[i].type == OPT_BOOL ? no_argument : required_argument;
	}
	optind = 1;
	while ((got = getopt_long(argc, argv, "", longopts, &index)) != -1) {
		if (got != 0)
			return err_set(err, ERR_INVALID, "unknown flag; see --help");
		if (row_set(c, &rows[index], str_or(optarg, ""), err))
			return -1;
	}
	if (optind < argc)
		return err_set(err, ERR_INVALID, "\"%s\": no argument expected", argv[optind]);
	return 0;
}

int config_load(struct config *c, int argc, char **argv, struct err *err)
{
	*c = (struct config){.model_name = "model", .address = "127.0.0.1", .port = 8501};
	if (read_environment(c, err) || read_flags(c, argc, argv, err))
		return -1;
	if (c->port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "--port: %ld is not a port", (long)c->port);
	return 0;
}

void config_usage(void)
{
	puts("usage: modelserver [flags]\n\n"
	     "Serves one model by TensorFlow Serving's REST API and Open Inference V2.\n"
	     "Flags (environment variable in brackets):");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].help)
			printf("  --%-16s %s%s%s%s\n", rows[i].flag, rows[i].help,
			       rows[i].env ? " [" : "", str_or(rows[i].env, ""),
			       rows[i].env ? "]" : "");
	}
}
