#include "options.h"

#include <stdio.h>
#include <string.h>

#include "tidegate/base/option.h"

static int add_header(void *into, const char *text, struct err *err)
{
	struct options *o = into;

	if (!strchr(text, ':') || strpbrk(text, "\r\n"))
		return err_set(err, ERR_INVALID, "must be \"Name: value\"");
	if (o->nheaders == OPTIONS_HEADERS_MAX)
		return err_set(err, ERR_INVALID, "at most %d", OPTIONS_HEADERS_MAX);
	o->headers[o->nheaders++] = text;
	return 0;
}

#define CONNECTIONS_MAX 10000

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct options, field, name, type, __VA_ARGS__)
	ROW(url, "url", OPTION_TEXT, .value = "URL", .help = "http://HOST[:PORT]/PATH (required)"),
	ROW(out, "out", OPTION_TEXT, .value = "FILE", .help = "where records go (required)"),
	ROW(rate, "rate", OPTION_NUMBER, .low = 0.01, .high = 100000, .value = "R",
            .help = "requests a second (10)"),
	ROW(duration_ms, "duration", OPTION_DURATION, .min = 1, .value = "D",
            .help = "e.g. 30s; without it until a signal"),
	ROW(until_signal, "until-signal", OPTION_FLAG, .help = "the same, said aloud"),
	ROW(jitter, "jitter", OPTION_NUMBER, .low = 0, .high = 1, .value = "J",
            .help = "move each request by up to J of an interval (0)"),
	ROW(seed, "seed", OPTION_INT, .value = "N", .help = "of the jitter (1)"),
	ROW(timeout_ms, "timeout", OPTION_DURATION, .min = 1, .value = "D",
            .help = "from the scheduled time to the last byte (2s)"),
	ROW(max_connections, "max-connections", OPTION_INT, .min = 1, .max = CONNECTIONS_MAX,
            .value = "N", .help = "more wait for a free one (64)"),
	{.name = "header",
         .type = OPTION_CALL,
         .set = add_header,
         .value = "\"K: V\"",
         .help = "may be repeated"},
	ROW(host, "host", OPTION_TEXT, .value = "NAME", .help = "Host header"),
	ROW(method, "method", OPTION_TEXT, .value = "M",
            .help = "POST when there is a body, else GET"),
	ROW(body_file, "body", OPTION_TEXT, .value = "FILE",
            .help = "request body; paths that end in :predict or /infer have one built in"),
	ROW(help, "help", OPTION_FLAG, .help = "this text"),
#undef ROW
	{.name = NULL},
};

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
	int words;

	*o = (struct options){.rate = 10, .seed = 1, .timeout_ms = 2000, .max_connections = 64};
	words = option_read(rows, o, argc, argv, err);
	if (words < 0)
		return -1;
	if (o->help)
		return 0;
	if (words)
		return err_set(err, ERR_INVALID, "\"%s\": no argument expected", argv[1]);
	if (o->until_signal)
		o->duration_ms = 0;
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
	     "one JSON line for each. SIGTERM: what is under way is finished and written.\n");
	option_help(rows, stdout);
	puts("\n"
	     "example: load --url http://10.0.0.1/v1/models/ranker:predict --rate 200 \\\n"
	     "              --duration 30s --out requests.jsonl && load report requests.jsonl");
}
