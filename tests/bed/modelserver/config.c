#include "config.h"

#include <stdio.h>

#include "tidegate/base/option.h"
#include "tidegate/base/str.h"

static int set_hang(void *into, const char *text, struct err *err)
{
	struct config *c = into;

	if (str_empty(text) || str_eq(text, "0") || str_eq(text, "false"))
		c->hang = HANG_NOTHING;
	else if (str_eq(text, "predict"))
		c->hang = HANG_PREDICT;
	else if (str_eq(text, "status"))
		c->hang = HANG_STATUS;
	else if (str_eq(text, "all") || str_eq(text, "1") || str_eq(text, "true"))
		c->hang = HANG_ALL;
	else
		return err_set(err, ERR_INVALID, "\"%.60s\" is none of predict, status, all, 0, 1",
		               text);
	return 0;
}

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct config, field, name, type, __VA_ARGS__)
#define INT(field, name, env_, text)                                                               \
	ROW(field, name, OPTION_INT, .max = INT32_MAX, .env = (env_), .help = (text))
	ROW(model_name, "model-name", OPTION_TEXT, .env = "MODEL_NAME",
            .help = "name of the model"),
	ROW(model_version, "model-version", OPTION_TEXT, .env = "MODEL_VERSION",
            .help = "version to load"),
	ROW(base_path, "model-base-path", OPTION_TEXT, .env = "MODEL_BASE_PATH",
            .help = "folder with <version>/weights.txt; none: weights generated from name and "
                    "version"),
	ROW(address, "address", OPTION_TEXT, .env = "POD_IP",
            .help = "address to bind to, exactly"),
	ROW(port, "port", OPTION_INT, .env = "PORT", .max = UINT16_MAX,
            .help = "HTTP port; 0 = any free one"),
	ROW(pod_name, "pod-name", OPTION_TEXT, .env = "POD_NAME", .help = "told in x-pod-name"),
	ROW(zone, "zone", OPTION_TEXT, .env = "ZONE", .help = "told in x-zone"),
	INT(load_ms, "load-ms", "LOAD_MS", "time the loading takes at least"),
	ROW(error_rate, "error-rate", OPTION_NUMBER, .env = "ERROR_RATE", .low = 0, .high = 1,
            .help = "fault: share of predictions answered 500, 0 to 1"),
	ROW(ctr, "ctr", OPTION_NUMBER, .env = "CTR", .low = 0, .high = 1,
            .help = "share of the answers that are clicked, in ranker_clicks_total"),
	ROW(score_noise, "score-noise", OPTION_NUMBER, .env = "SCORE_NOISE", .low = 0, .high = 100,
            .help = "scores told in ranker_score are as if requests differed by so much"),
	INT(latency_ms, "latency-ms", "LATENCY_MS",
            "fault: added to each prediction, with an exponential tail"),
	INT(crash_after_ms, "crash-after-ms", "CRASH_AFTER_MS",
            "fault: abort so long after the port opened"),
	{.name = "hang",
         .type = OPTION_CALL,
         .set = set_hang,
         .env = "HANG",
         .help = "fault: \"predict\", \"status\" (which version is loaded) or \"all\" (or 1) "
                 "requests are never answered"},
	ROW(report_version, "report-version", OPTION_TEXT, .env = "REPORT_VERSION",
            .help = "fault: version to claim instead of the one loaded"),
	INT(seed, "seed", "SEED", "of the faults"),
	ROW(faults_by_signal, "faults-by-signal", OPTION_FLAG, .env = "FAULTS_BY_SIGNAL",
            .help = "SIGUSR1 begins and ends hanging, SIGUSR2 errors and latency; neither is "
                    "there at first"),
	ROW(ignore_sigterm, "ignore-sigterm", OPTION_FLAG,
            .help = "as TensorFlow Serving does when it is PID 1"),
	ROW(help, "help", OPTION_FLAG, .help = "this text"),
	ROW(port, "rest_api_port", OPTION_INT, .max = UINT16_MAX),
	ROW(model_name, "model_name", OPTION_TEXT, .help = NULL),
	ROW(base_path, "model_base_path", OPTION_TEXT, .help = NULL),
	{.name = "rest_api_timeout_in_ms", .type = OPTION_IGNORED},
	{.name = "monitoring_config_file", .type = OPTION_IGNORED},
	{.name = "file_system_poll_wait_seconds", .type = OPTION_IGNORED},
	{.name = "enable_batching", .type = OPTION_IGNORED},
	{.name = "batching_parameters_file", .type = OPTION_IGNORED},
#undef INT
#undef ROW
	{.name = NULL},
};

int config_load(struct config *c, int argc, char **argv, struct err *err)
{
	int words;

	*c = (struct config){.model_name = "model", .address = "127.0.0.1", .port = 8501};
	if (option_read_env(rows, c, err))
		return -1;
	words = option_read(rows, c, argc, argv, err);
	if (words > 0)
		return err_set(err, ERR_INVALID, "\"%s\": no argument expected", argv[1]);
	c->model_version = str_nonempty(c->model_version);
	c->base_path = str_nonempty(c->base_path);
	c->report_version = str_nonempty(c->report_version);
	return words;
}

void config_usage(void)
{
	puts("usage: modelserver [flags]\n\n"
	     "Serves one model by TensorFlow Serving's REST API and Open Inference V2.\n"
	     "Flags (environment variable in brackets):");
	option_help(rows, stdout);
}
