#include "fixture.h"

#include "tidegate/api/preset.h"

static void test_names(void **state)
{
	static const char *const names[] = {
		"custom", "tensorflow-serving", "torchserve", "triton", "vllm", "sglang", "v2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct preset *p = preset_find(names[i]);

		assert_non_null(p);
		assert_string_equal(p->name, names[i]);
		assert_ptr_equal(preset_get(p->runtime), p);
	}
	assert_null(preset_find("tfs"));
	assert_null(preset_find(NULL));
}

/* Placeholders are $N, $V and $P; anything else behind a $ is a typing mistake. */
static void check_text(const char *text)
{
	for (const char *p = text; p && (p = strchr(p, '$')); p++)
		assert_non_null(strchr("NVP", p[1]));
}

static void check_list(const char *const *list)
{
	for (; list && *list; list++)
		check_text(*list);
}

static void check_path(const char *path)
{
	if (path)
		assert_int_equal(path[0], '/');
	check_text(path);
}

static void test_each_is_complete(void **state)
{
	(void)state;
	for (int r = RUNTIME_CUSTOM; r <= RUNTIME_V2; r++) {
		const struct preset *p = preset_get((enum mdep_runtime)r);

		print_message("%s\n", p->name);
		assert_int_equal(p->runtime, r);
		assert_true(p->port >= 0 && p->port <= 65535);
		assert_true(p->pre_stop_seconds < p->grace_seconds || !p->pre_stop_seconds);
		check_list(p->command);
		check_list(p->args);
		check_path(p->startup_path);
		check_path(p->ready_path);
		check_path(p->live_path);
		check_path(p->model_path);
		check_path(p->metrics_path);
		/* Counters need a page to stand on, and a way to tell errors. */
		assert_int_equal(!p->metrics_path, !p->requests_metric);
		if (p->requests_metric)
			assert_true(p->errors_metric || (p->error_label && p->ok_values));
		assert_int_equal(!p->latency_metric, !(p->latency_unit > 0));
		assert_int_equal(!p->config_text, !p->config_flag);
		/* An image says how it is started. */
		if (p->image) {
			assert_non_null(strchr(p->image, ':'));
			assert_null(strstr(p->image, "latest"));
			assert_non_null(p->command);
			assert_true(p->port);
		}
	}
}

static void test_tensorflow_serving(void **state)
{
	const struct preset *p = preset_get(RUNTIME_TENSORFLOW_SERVING);

	(void)state;
	assert_string_equal(p->model_path, "/v1/models/$N/versions/$V");
	assert_string_equal(p->requests_metric, ":tensorflow:serving:request_count");
	assert_string_equal(p->ok_values[0], "OK");
	assert_null(p->ok_values[1]);
	assert_true(p->latency_unit == 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_each_is_complete),
		cmocka_unit_test(test_tensorflow_serving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
