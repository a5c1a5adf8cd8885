/* Kayenta's rules, branch by branch, from config and pairs as text to the result as text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/judge/kayenta.h"

struct outcome {
	struct arena arena;
	struct kayenta_result r;
	char path[KAYENTA_PATH_MAX];
	struct err err;
	int code;
};

static const struct json *parse(struct arena *a, const char *text)
{
	const struct json *v = json_parse(a, text, strlen(text), NULL);

	assert_non_null(v);
	return v;
}

static void judge(struct outcome *o, const char *config, const char *pairs)
{
	struct kayenta_config c;
	struct kayenta_pair *p;
	size_t n;

	*o = (struct outcome){.err = ERR_INIT};
	arena_init(&o->arena, 0);
	o->code =
		kayenta_config_read(parse(&o->arena, config), &o->arena, &c, o->path, &o->err) ||
		kayenta_pairs_read(parse(&o->arena, pairs), &o->arena, &p, &n, o->path, &o->err) ||
		kayenta_judge(&c, p, n, &o->arena, &o->r, &o->err);
}

/* One metric "m" with `canary` as its configuration. */
static void judge_one(struct outcome *o, const char *canary, const char *control,
                      const char *experiment)
{
	char config[1024], pairs[1024];

	snprintf(config, sizeof(config),
	         "{\"metrics\":[{\"name\":\"m\",\"groups\":[\"g\"],\"analysisConfigurations\":"
	         "{\"canary\":{%s}}}]}",
	         canary);
	snprintf(pairs, sizeof(pairs),
	         "[{\"name\":\"m\",\"tags\":{},\"values\":{\"control\":[%s],\"experiment\":[%s]}}]",
	         control, experiment);
	judge(o, config, pairs);
	assert_int_equal(o->code, 0);
}

#define ONE_TO_FIVE     "1,2,3,4,5"
#define ELEVEN_AND_ON   "11,12,13,14,15"
#define CRITICAL_AT(up) "\"critical\":true,\"effectSize\":{\"criticalIncrease\":" up "}"

static void test_every_branch_of_the_classification(void **state)
{
	static const struct {
		const char *canary, *control, *experiment;
		enum kayenta_class class;
		bool critical;
		double score;
	} rows[] = {
		{"", ONE_TO_FIVE, ELEVEN_AND_ON, KAYENTA_HIGH, false, 0},
		{"", ELEVEN_AND_ON, ONE_TO_FIVE, KAYENTA_LOW, false, 0},
		{"\"direction\":\"decrease\"", ONE_TO_FIVE, ELEVEN_AND_ON, KAYENTA_PASS, false,
	         100},
		{"\"direction\":\"increase\"", ELEVEN_AND_ON, ONE_TO_FIVE, KAYENTA_PASS, false,
	         100},
		{"\"direction\":\"sideways\"", ELEVEN_AND_ON, ONE_TO_FIVE, KAYENTA_LOW, false, 0},
		/* Ratio of means is 13/3. */
		{"\"effectSize\":{\"allowedIncrease\":4.33}", ONE_TO_FIVE, ELEVEN_AND_ON,
	         KAYENTA_HIGH, false, 0},
		{"\"effectSize\":{\"allowedIncrease\":4.34}", ONE_TO_FIVE, ELEVEN_AND_ON,
	         KAYENTA_PASS, false, 100},
		{"\"effectSize\":{\"allowedDecrease\":0.22}", ELEVEN_AND_ON, ONE_TO_FIVE,
	         KAYENTA_PASS, false, 100},
		{"\"effectSize\":{\"measure\":\"cles\"}", ONE_TO_FIVE, ELEVEN_AND_ON, KAYENTA_HIGH,
	         false, 0},
		{"\"effectSize\":{\"measure\":\"cles\",\"allowedIncrease\":1.1}", ONE_TO_FIVE,
	         ELEVEN_AND_ON, KAYENTA_PASS, false, 100},
		{CRITICAL_AT("4.3"), ONE_TO_FIVE, ELEVEN_AND_ON, KAYENTA_HIGH, true, 0},
		{CRITICAL_AT("5"), ONE_TO_FIVE, ELEVEN_AND_ON, KAYENTA_HIGH, false, 0},
		/* A mean of 0 leaves no ratio, and what cannot be computed does not excuse. */
		{CRITICAL_AT("1000"), "0,0,0,0,0", ELEVEN_AND_ON, KAYENTA_HIGH, true, 0},
		{"", ONE_TO_FIVE, "5,4,3,2,1", KAYENTA_PASS, false, 100},
		{"", "7,7", "7", KAYENTA_PASS, false, 100},
		{"", "1,1,1,1,1", "10,10,10,10,10", KAYENTA_HIGH, false, 0},
		{"", "0", "2", KAYENTA_ERROR, false, 100},
		/* Zeros get no noise: shifted onto them, a single value is tied with all. */
		{"", "0,0,0", "2", KAYENTA_ERROR, false, 100},
		{"", "5,5,5,5,5", "\"Infinity\",\"Infinity\"", KAYENTA_PASS, false, 100},
		{"", "\"-Infinity\",\"-Infinity\"", "\"Infinity\",\"Infinity\"", KAYENTA_PASS,
	         false, 100},
		{"", "1,2", "", KAYENTA_NODATA, false, 0},
		{"", "", "", KAYENTA_NODATA, false, 0},
		{"", ONE_TO_FIVE, "\"NaN\",\"NaN\"", KAYENTA_NODATA, false, 0},
		{"\"mustHaveData\":true", "1,2", "", KAYENTA_NODATA_FAIL, false, 0},
		{"\"mustHaveData\":true,\"critical\":true", "1,2", "", KAYENTA_NODATA, true, 0},
		{"\"nanStrategy\":\"replace\"", "1,2", "", KAYENTA_PASS, false, 100},
		{"\"nanStrategy\":\"replace\"", ELEVEN_AND_ON,
	         "\"NaN\",\"NaN\",\"NaN\",\"NaN\",\"NaN\"", KAYENTA_LOW, false, 0},
		{"\"nanStrategy\":\"replace\"", "0,0", "null,\"NaN\"", KAYENTA_PASS, false, 100},
		/* 13 of 25 pairs: no difference. */
		{"", "1,3,5,7,9", "2,4,5,6,8", KAYENTA_PASS, false, 100},
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		judge_one(&o, rows[i].canary, rows[i].control, rows[i].experiment);
		if (o.r.metrics[0].class != rows[i].class ||
		    o.r.metrics[0].critical != rows[i].critical || o.r.score != rows[i].score)
			fail_msg("row %zu: %s, critical %d, score %g", i,
			         kayenta_class_name(o.r.metrics[0].class), o.r.metrics[0].critical,
			         o.r.score);
		arena_release(&o.arena);
	}
}

/* Digits of an independent implementation of the same rules. */
static void test_digits(void **state)
{
	static const struct {
		const char *control, *experiment;
		double lower, upper, estimate, ratio;
	} rows[] = {
		{"0,1", "2,3", 1, 3, 2, 5},
		{ONE_TO_FIVE, ELEVEN_AND_ON, 6.00005024961294, 13.99994975038706, 10,
	         4.333333333333333},
		{"1,2,3", "11,12,13", 8, 12, 10, 6},
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		judge_one(&o, "", rows[i].control, rows[i].experiment);
		assert_true(fabs(o.r.metrics[0].lower - rows[i].lower) < 1e-9);
		assert_true(fabs(o.r.metrics[0].upper - rows[i].upper) < 1e-9);
		assert_true(fabs(o.r.metrics[0].estimate - rows[i].estimate) < 1e-9);
		assert_true(fabs(o.r.metrics[0].ratio - rows[i].ratio) < 1e-12);
		arena_release(&o.arena);
	}
}

static void test_outliers_are_removed_beyond_the_wider_fence(void **state)
{
	const char *spike = "10,11,12,13,14,15,16,17,18,19,20,1000";
	struct outcome o;

	(void)state;
	judge_one(&o, "\"outliers\":{\"strategy\":\"remove\",\"outlierFactor\":1.5}", ONE_TO_FIVE,
	          spike);
	assert_int_equal(o.r.metrics[0].experiment.count, 11);
	assert_true(o.r.metrics[0].experiment.max == 20);
	arena_release(&o.arena);
	judge_one(&o, "\"outliers\":{\"strategy\":\"keep\"}", ONE_TO_FIVE, spike);
	assert_int_equal(o.r.metrics[0].experiment.count, 12);
	arena_release(&o.arena);
}

#define METRIC(name, group, more)                                                                  \
	"{\"name\":\"" name "\",\"groups\":[" group                                                \
	"],\"analysisConfigurations\":{\"canary\":{" more "}}}"
#define SAME(name) "{\"name\":\"" name "\",\"values\":{\"control\":[1],\"experiment\":[1]}}"
#define WORSE(name)                                                                                \
	"{\"name\":\"" name                                                                        \
	"\",\"values\":{\"control\":[1,2,3,4,5],\"experiment\":[11,12,13,14,15]}}"
#define EMPTY(name) "{\"name\":\"" name "\",\"values\":{\"control\":[],\"experiment\":[1]}}"

static void test_scores(void **state)
{
	static const struct {
		const char *metrics, *weights, *pairs;
		double score;
		enum kayenta_verdict verdict;
	} rows[] = {
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"g\"", "") "," METRIC("c", "\"g\"", ""),
	         "", SAME("a") "," WORSE("b") "," WORSE("c"), 33.33, KAYENTA_SCORE_FAIL},
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"h\"", ""), "\"g\":75",
	         SAME("a") "," WORSE("b"), 75, KAYENTA_SCORE_MARGINAL},
		/* Groups without a weight share the rest evenly. */
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"h\"", "") "," METRIC("c", "\"i\"", ""),
	         "\"g\":50", SAME("a") "," WORSE("b") "," SAME("c"), 75, KAYENTA_SCORE_MARGINAL},
		/* A weight whose group has no metric is lost, not shared. */
		{METRIC("a", "\"g\"", ""), "\"g\":60,\"lost\":40", SAME("a"), 60,
	         KAYENTA_SCORE_FAIL},
		/* A metric in two groups counts in both. */
		{METRIC("a", "\"g\",\"h\"", "") "," METRIC("b", "\"h\"", ""), "\"g\":50,\"h\":50",
	         SAME("a") "," WORSE("b"), 75, KAYENTA_SCORE_MARGINAL},
		/* A group without data counts as full, unless half of all metrics have none. */
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"g\"", "") "," METRIC("c", "\"h\"", ""),
	         "\"g\":40,\"h\":60", SAME("a") "," WORSE("b") "," EMPTY("c"), 80,
	         KAYENTA_SCORE_MARGINAL},
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"h\"", ""), "",
	         SAME("a") "," EMPTY("b"), 0, KAYENTA_SCORE_FAIL},
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"h\"", "\"critical\":true"),
	         "\"g\":100,\"h\":0", SAME("a") "," WORSE("b"), 0, KAYENTA_SCORE_FAIL},
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"g\"",
	                                             "\"critical\":true,\"muted\":true"),
	         "", SAME("a") "," WORSE("b"), 100, KAYENTA_SCORE_PASS},
		{METRIC("a", "", ""), "", SAME("a"), 0, KAYENTA_SCORE_FAIL},
		{METRIC("a", "\"g\"", ""), "", "", 0, KAYENTA_SCORE_FAIL},
		/* 2 of 3 at a weight of 50.0075: 33.338333 and 49.9925. */
		{METRIC("a", "\"g\"", "") "," METRIC("b", "\"g\"", "") "," METRIC("c", "\"g\"", ""),
	         "\"g\":50.0075,\"x\":1", SAME("a") "," SAME("b") "," WORSE("c"), 33.34,
	         KAYENTA_SCORE_FAIL},
		/* Halves as people read them: 33.335 goes up though its binary value is lower. */
		{METRIC("a", "\"g\"", ""), "\"g\":33.335", SAME("a"), 33.34, KAYENTA_SCORE_FAIL},
	};
	char config[2048], pairs[2048];
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(config, sizeof(config),
		         "{\"metrics\":[%s],\"classifier\":{\"groupWeights\":{%s}}}",
		         rows[i].metrics, rows[i].weights);
		snprintf(pairs, sizeof(pairs), "[%s]", rows[i].pairs);
		judge(&o, config, pairs);
		assert_int_equal(o.code, 0);
		if (o.r.score != rows[i].score || o.r.verdict != rows[i].verdict)
			fail_msg("row %zu: score %.17g, %s", i, o.r.score,
			         kayenta_verdict_name(o.r.verdict));
		arena_release(&o.arena);
	}
}

static void test_mean_inequality(void **state)
{
	struct outcome o;

	(void)state;
	judge(&o,
	      "{\"metrics\":[" METRIC("a", "\"g\"",
	                              "") "],\"judge\":{\"judgeConfigurations\":{\"classifier\":"
	                                  "\"MeanInequalityClassifier\"}}}",
	      "[{\"name\":\"a\",\"values\":{\"control\":[1,9],\"experiment\":[2,9]}}]");
	assert_int_equal(o.code, 0);
	assert_int_equal(o.r.metrics[0].class, KAYENTA_HIGH);
	arena_release(&o.arena);
}

static void test_bad_input_names_the_field(void **state)
{
	static const struct {
		const char *config, *pairs, *path, *message;
	} rows[] = {
		{"[]", "[]", "", "a canary config is an object"},
		{"{}", "[]", "metrics", "must be a list"},
		{"{\"metrics\":[{}]}", "[]", "metrics[0]", "needs a name"},
		{"{\"metrics\":[" METRIC("a", "1", "") "]}", "[]", "metrics[0].groups[0]",
	         "must be a text"},
		{"{\"metrics\":[" METRIC("a", "", "\"critical\":\"yes\"") "]}", "[]",
	         "metrics[0].analysisConfigurations.canary.critical", "true or false"},
		{"{\"metrics\":[" METRIC("a", "",
	                                 "\"effectSize\":{\"allowedIncrease\":\"2\"}") "]}",
	         "[]", "metrics[0].analysisConfigurations.canary.effectSize.allowedIncrease",
	         "must be a number"},
		{"{\"metrics\":[" METRIC(
			 "a", "",
			 "\"outliers\":{\"strategy\":\"remove\",\"outlierFactor\":0}") "]}",
	         "[]", "metrics[0].analysisConfigurations.canary.outliers.outlierFactor",
	         "greater than 0"},
		{"{\"metrics\":[],\"judge\":{\"judgeConfigurations\":{\"confidence\":1}}}", "[]",
	         "judge.judgeConfigurations.confidence", "between 0 and 1"},
		{"{\"metrics\":[],\"classifier\":{\"groupWeights\":{\"g\":\"1\"}}}", "[]",
	         "classifier.groupWeights.g", "must be a number"},
		{"{\"metrics\":[]}", "{}", "", "must be a list"},
		{"{\"metrics\":[]}", "[{\"name\":\"a\"}]", "[0]", "needs values"},
		{"{\"metrics\":[]}",
	         "[{\"name\":\"a\",\"values\":{\"control\":[],\"experiment\":[1,\"x\"]}}]",
	         "[0].values.experiment[1]", "must be a number"},
		{"{\"metrics\":[]}", "[" SAME("a") "]", "",
	         "no metric of the config is named \"a\""},
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		judge(&o, rows[i].config, rows[i].pairs);
		assert_int_not_equal(o.code, 0);
		assert_string_equal(o.path, rows[i].path);
		if (!strstr(o.err.msg, rows[i].message))
			fail_msg("row %zu: %s", i, o.err.msg);
		arena_release(&o.arena);
	}
}

static void test_result_as_json(void **state)
{
	struct json_writer w;
	struct outcome o;
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	judge_one(&o, "", "0,0,0,0,0", "1,2,3,4,5");
	jw_init(&w, &out);
	kayenta_result_write(&o.r, &w);
	assert_int_equal(jw_end(&w), 0);
	assert_non_null(strstr(out.data, "\"judgeName\":\"NetflixACAJudge-v1.0\""));
	assert_non_null(strstr(out.data, "\"classificationReason\":\"m was classified as High\""));
	assert_non_null(strstr(out.data, "\"resultMetadata\":{\"ratio\":\"NaN\""));
	assert_non_null(strstr(out.data, "\"experimentMetadata\":{\"stats\":{\"min\":1,\"max\":5,"
	                                 "\"mean\":3,\"std\":1.5811388300841898,\"count\":5}}"));
	buf_release(&out);
	arena_release(&o.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_branch_of_the_classification),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_outliers_are_removed_beyond_the_wider_fence),
		cmocka_unit_test(test_scores),
		cmocka_unit_test(test_mean_inequality),
		cmocka_unit_test(test_bad_input_names_the_field),
		cmocka_unit_test(test_result_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
