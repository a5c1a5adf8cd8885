/* `tidegate score`: judges recorded series or streams of counts, without a cluster. */
#include "score.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

enum { OPT_JUDGE = 256, OPT_CONFIG, OPT_PAIRS, OPT_PASS, OPT_MARGINAL, OPT_POLICY, OPT_SAMPLES };

static const struct option long_options[] = {
	{"judge", required_argument, NULL, OPT_JUDGE},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"pairs", required_argument, NULL, OPT_PAIRS},
	{"pass", required_argument, NULL, OPT_PASS},
	{"marginal", required_argument, NULL, OPT_MARGINAL},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"samples", required_argument, NULL, OPT_SAMPLES},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int parse_judge(const char *text, enum score_judge *out)
{
	static const char *const names[] = {
		[SCORE_SEQUENTIAL] = "sequential",
		[SCORE_THRESHOLDS] = "thresholds",
		[SCORE_KAYENTA] = "kayenta",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(text, names[i])) {
			*out = (enum score_judge)i;
			return EXIT_OK;
		}
	return cli_usage_error(&cli_score,
	                       "--judge: \"%s\" is none of sequential, thresholds, kayenta", text);
}

static int parse_threshold(const char *flag, const char *text, double *out)
{
	if (!str_to_double(text, out) || !(*out >= 0 && *out <= 100))
		return cli_usage_error(&cli_score, "%s: \"%s\" is not a number from 0 to 100", flag,
		                       text);
	return EXIT_OK;
}

static int parse_option(struct score_options *o, int c)
{
	switch (c) {
	case OPT_JUDGE:
		return parse_judge(optarg, &o->judge);
	case OPT_CONFIG:
		o->config = optarg;
		return EXIT_OK;
	case OPT_PAIRS:
		o->pairs = optarg;
		return EXIT_OK;
	case OPT_PASS:
		return parse_threshold("--pass", optarg, &o->pass);
	case OPT_MARGINAL:
		return parse_threshold("--marginal", optarg, &o->marginal);
	case OPT_POLICY:
		o->policy = optarg;
		return EXIT_OK;
	case OPT_SAMPLES:
		o->samples = optarg;
		return EXIT_OK;
	case 'o':
		o->json = str_eq(optarg, "json");
		if (!o->json && !str_eq(optarg, "table"))
			return cli_usage_error(&cli_score, "-o: \"%s\" is none of json, table",
			                       optarg);
		return EXIT_OK;
	default:
		return cli_usage_error(&cli_score, "no such option, or its value is missing");
	}
}

/* What a judge needs, and what belongs to another one. */
static int check(const struct score_options *o)
{
	if (o->judge == SCORE_KAYENTA) {
		if (!o->config || !o->pairs)
			return cli_usage_error(&cli_score, "needs --config FILE and --pairs FILE");
		if (o->policy || o->samples)
			return cli_usage_error(&cli_score,
			                       "--policy and --samples are not for kayenta");
		if (str_eq(o->config, "-") && str_eq(o->pairs, "-"))
			return cli_usage_error(&cli_score, "--config and --pairs cannot both be -");
		return EXIT_OK;
	}
	if (!o->samples)
		return cli_usage_error(&cli_score, "needs --samples FILE");
	if (o->config || o->pairs || !isnan(o->pass) || !isnan(o->marginal))
		return cli_usage_error(
			&cli_score,
			"--config, --pairs, --pass and --marginal need --judge kayenta");
	if (str_eq(o->policy, "-") && str_eq(o->samples, "-"))
		return cli_usage_error(&cli_score, "--policy and --samples cannot both be -");
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct score_options o = {.pass = NAN, .marginal = NAN};
	int c, code;

	/* 0: getopt starts afresh, whatever an earlier scan left. */
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "ho:", long_options, NULL)) != -1) {
		if (c == 'h')
			return cli_help(&cli_score);
		code = parse_option(&o, c);
		if (code != EXIT_OK)
			return code;
	}
	if (optind < argc)
		return cli_usage_error(&cli_score, "takes no argument \"%s\"", argv[optind]);
	code = check(&o);
	if (code != EXIT_OK)
		return code;
	return o.judge == SCORE_KAYENTA ? score_kayenta(&o) : score_samples(&o);
}

const struct cli_verb cli_score = {
	.name = "score",
	.summary = "judge recorded metrics of a canary, without a cluster",
	.usage = "Usage: tidegate score [--judge sequential] [--policy FILE] --samples FILE [-o "
		 "json]\n"
		 "       tidegate score --judge kayenta --config FILE --pairs FILE\n"
		 "                      [--pass N] [--marginal N] [-o json]\n"
		 "\n"
		 "Judges what was recorded of a canary and of the stable version beside it.\n"
		 "\n"
		 "  --judge NAME      sequential (default): request counts, anytime-valid\n"
		 "                    kayenta: time series, as NetflixACAJudge-v1.0\n"
		 "  --policy FILE     ScorePolicy, YAML or JSON; without it, its defaults\n"
		 "  --samples FILE    JSON lines, one observation of a pod each, - = standard "
		 "input:\n"
		 "                    "
		 "{\"stream\":\"a\",\"t\":12,\"track\":\"canary\",\"pod\":\"p1\",\"zone\":\"z\",\n"
		 "                     "
		 "\"requests\":37,\"errors\":1,\"buckets\":{\"0.1\":35,\"+Inf\":37}}\n"
		 "                    counts are increments; streams are judged by themselves\n"
		 "  --config FILE     Kayenta canary config\n"
		 "  --pairs FILE      list of "
		 "{\"name\",\"tags\",\"values\":{\"control\":[],\"experiment\":[]}}\n"
		 "  --pass N          score from which it is Pass (the config's, else 95)\n"
		 "  --marginal N      score from which it is Marginal (the config's, else 75)\n"
		 "  -o FORMAT         json, or table (default)\n"
		 "\n"
		 "Exit: 0 PASS, 3 FAIL, MARGINAL or NONE, 1 bad input, 2 usage.\n"
		 "\n"
		 "Example:\n"
		 "  tidegate score --samples observations.jsonl -o json\n",
	.run = run,
};
