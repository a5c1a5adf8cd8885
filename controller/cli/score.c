/* `tidegate score`: judges recorded series or streams of counts, without a cluster. */
#include "score.h"

#include <math.h>

#include "cli.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static const char *const judges[] = {
	[SCORE_SEQUENTIAL] = "sequential",
	[SCORE_THRESHOLDS] = "thresholds",
	[SCORE_KAYENTA] = "kayenta",
	NULL,
};

static const char *const formats[] = {[SCORE_TABLE] = "table", [SCORE_JSON] = "json", NULL};

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct score_options, field, name, type, __VA_ARGS__)
	ROW(judge, "judge", OPTION_WORD, .words = judges, .value = "NAME",
            .help = "sequential: request counts, anytime-valid; the default unless\n"
                    "the policy names another\n"
                    "thresholds: constant limits of a policy\n"
                    "kayenta: time series, as NetflixACAJudge-v1.0"),
	ROW(policy, "policy", OPTION_TEXT, .value = "FILE",
            .help = "ScorePolicy, YAML or JSON; without it, its defaults"),
	ROW(samples, "samples", OPTION_TEXT, .value = "FILE",
            .help = "JSON lines, one observation of a pod each, - = standard input:\n"
                    "{\"stream\":\"a\",\"t\":12,\"track\":\"canary\",\"pod\":\"p1\",\"zone\":\"z\","
                    "\n"
                    " \"requests\":37,\"errors\":1,\"buckets\":{\"0.1\":35,\"+Inf\":37}}\n"
                    "counts are increments; streams are judged by themselves"),
	ROW(config, "config", OPTION_TEXT, .value = "FILE", .help = "Kayenta canary config"),
	ROW(pairs, "pairs", OPTION_TEXT, .value = "FILE",
            .help = "list of "
                    "{\"name\",\"tags\",\"values\":{\"control\":[],\"experiment\":[]}}"),
	ROW(pass, "pass", OPTION_NUMBER, .low = 0, .high = 100, .value = "N",
            .help = "score from which it is Pass (the config's, else 95)"),
	ROW(marginal, "marginal", OPTION_NUMBER, .low = 0, .high = 100, .value = "N",
            .help = "score from which it is Marginal (the config's, else 75)"),
	ROW(output, "output", OPTION_WORD, .letter = 'o', .words = formats, .value = "FORMAT",
            .help = "json, or table (default)"),
	ROW(help, "help", OPTION_FLAG, .letter = 'h', .help = "this text"),
#undef ROW
	{.name = NULL},
};

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
	struct score_options o = {.judge = SCORE_BY_POLICY, .pass = NAN, .marginal = NAN};
	int words = cli_options(&cli_score, &o, argc, argv);
	int code;

	if (words < 0)
		return EXIT_USAGE;
	if (o.help)
		return cli_help(&cli_score);
	if (words)
		return cli_usage_error(&cli_score, "takes no argument \"%s\"", argv[1]);
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
		 "\n",
	.options = rows,
	.notes = "\n"
		 "Exit: 0 PASS, 3 FAIL, MARGINAL or NONE, 1 bad input, 2 usage.\n"
		 "\n"
		 "Example:\n"
		 "  tidegate score --samples observations.jsonl -o json\n",
	.run = run,
};
