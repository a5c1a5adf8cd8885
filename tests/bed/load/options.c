#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/duration.h"
#include "tidegate/base/str.h"

enum {
	OPT_URL = 1,
	OPT_RATE,
	OPT_DURATION,
	OPT_UNTIL_SIGNAL,
	OPT_OUT,
	OPT_HEADER,
	OPT_BODY,
	OPT_TIMEOUT,
	OPT_MAX_CONNECTIONS,
	OPT_HOST,
	OPT_METHOD,
	OPT_JITTER,
	OPT_SEED,
	OPT_HELP
};

static const struct option longopts[] = {
	{"url", required_argument, NULL, OPT_URL},
	{"rate", required_argument, NULL, OPT_RATE},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"until-signal", no_argument, NULL, OPT_UNTIL_SIGNAL},
	{"out", required_argument, NULL, OPT_OUT},
	{"header", required_argument, NULL, OPT_HEADER},
	{"body", required_argument, NULL, OPT_BODY},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"max-connections", required_argument, NULL, OPT_MAX_CONNECTIONS},
	{"host", required_argument, NULL, OPT_HOST},
	{"method", required_argument, NULL, OPT_METHOD},
	{"jitter", required_argument, NULL, OPT_JITTER},
	{"seed", required_argument, NULL, OPT_SEED},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int parse_range(const char *flag, const char *text, double low, double high, double *out,
                       struct err *err)
{
	if (!str_to_double(text, out) || !(*out >= low && *out <= high))
		return err_set(err, ERR_INVALID, "--%s: must be a number from %g to %g", flag, low,
		               high);
	return 0;
}

static int parse_duration(const char *flag, const char *text, int64_t *ms, struct err *err)
{
	if (duration_parse(text, ms, err))
		return err_wrap(err, "--%s", flag);
	return *ms > 0 ? 0 : err_set(err, ERR_INVALID, "--%s: must be above 0", flag);
}

static int add_header(struct options *o, const char *text, struct err *err)
{
	if (!strchr(text, ':') || strpbrk(text, "\r\n"))
		return err_set(err, ERR_INVALID, "--header: must be \"Name: value\"");
	if (o->nheaders == OPTIONS_HEADERS_MAX)
		return err_set(err, ERR_INVALID, "--header: at most %d", OPTIONS_HEADERS_MAX);
	o->headers[o->nheaders++] = text;
	return 0;
}

static int set_number(struct options *o, int which, const char *text, struct err *err)
{
	double v;

	switch (which) {
	case OPT_RATE:
		return parse_range("rate", text, 0.01, 100000, &o->rate, err);
	case OPT_JITTER:
		return parse_range("jitter", text, 0, 1, &o->jitter, err);
	case OPT_MAX_CONNECTIONS:
		if (parse_range("max-connections", text, 1, 10000, &v, err))
			return -1;
		o->max_connections = (unsigned)v;
		return 0;
	default:
		if (!str_to_u64(text, &o->seed))
			return err_set(err, ERR_INVALID, "--seed: must be a whole number");
		return 0;
	}
}

static int set_option(struct options *o, int which, const char *text, struct err *err)
{
	switch (which) {
	case OPT_URL:
		o->url = text;
		return 0;
	case OPT_DURATION:
		return parse_duration("duration", text, &o->duration_ms, err);
	case OPT_UNTIL_SIGNAL:
		o->duration_ms = 0;
		return 0;
	case OPT_OUT:
		o->out = text;
		return 0;
	case OPT_HEADER:
		return add_header(o, text, err);
	case OPT_BODY:
		o->body_file = text;
		return 0;
	case OPT_TIMEOUT:
		return parse_duration("timeout", text, &o->timeout_ms, err);
	case OPT_HOST:
		o->host = text;
		return 0;
	case OPT_METHOD:
		o->method = text;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_RATE:
	case OPT_JITTER:
	case OPT_MAX_CONNECTIONS:
	case OPT_SEED:
		return set_number(o, which, text, err);
	default:
		return err_set(err, ERR_INVALID, "unknown flag; see --help");
	}
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	int which;

	*o = (struct options){.rate = 10, .seed = 1, .timeout_ms = 2000, .max_connections = 64};
	optind = 1;
	while ((which = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (set_option(o, which, optarg, err))
			return -1;
	}
	if (o->help)
		return 0;
	if (optind < argc)
		return err_set(err, ERR_INVALID, "\"%s\": no argument expected", argv[optind]);
	if (!o->url || !o->out)
		return err_set(err, ERR_INVALID, "--url and --out are required");
	return 0;
}

void options_usage(void)
{
	puts("usage: load --url http://HOST[:PORT]/PATH --out FILE [flags]\n"
	     "       load report FILE [--phases FILE] [-o table|json]\n\n"
	     "Sends requests at fixed times, whether or not earlier ones were answered, and "
	     "writes\n"
	     "one JSON line for each. SIGTERM: what is under way is finished and written.\n\n"
	     "  --rate R              requests a second (10)\n"
	     "  --duration D          e.g. 30s; without it until a signal\n"
	     "  --until-signal        the same, said aloud\n"
	     "  --jitter J            move each request by up to J of an interval (0)\n"
	     "  --seed N              of the jitter (1)\n"
	     "  --timeout D           from the scheduled time to the last byte (2s)\n"
	     "  --max-connections N   more wait for a free one (64)\n"
	     "  --header \"K: V\"       may be repeated\n"
	     "  --host NAME           Host header\n"
	     "  --method M            POST when there is a body, else GET\n"
	     "  --body FILE           request body; paths that end in :predict or /infer have one\n"
	     "                        built in\n\n"
	     "example: load --url http://10.0.0.1/v1/models/ranker:predict --rate 200 \\\n"
	     "              --duration 30s --out requests.jsonl && load report requests.jsonl");
}
