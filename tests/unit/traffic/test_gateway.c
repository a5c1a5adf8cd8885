/* Names of the Services. */
#include "fixture.h"
#include "tidegate/traffic/gateway.h"

static void test_names(void **state)
{
	static const char longer[] = "a-model-with-a-name-of-the-greatest-length-allowed";
	struct mdep m = {.meta = {.namespace = "shop", .name = "ranker"}};
	struct arena a;
	char *one, *two;

	(void)state;
	arena_init(&a, 0);
	assert_string_equal(gateway_service_name(&a, &m, OLD, ""), "ranker-" OLD);
	assert_string_equal(gateway_service_name(&a, &m, OLD, "hz-a"), "ranker-" OLD "-hz-a");
	m.meta.name = longer;
	one = gateway_service_name(&a, &m, OLD, "cn-hangzhou-a");
	two = gateway_service_name(&a, &m, OLD, "cn-hangzhou-b");
	assert_true(strlen(one) <= 63 && strlen(two) <= 63);
	assert_string_not_equal(one, two);
	arena_release(&a);
}

static void test_others(void **state)
{
	struct mdep m = {.meta = {.namespace = "shop", .name = "ranker"}};

	(void)state;
	assert_true(gateway_names_us(&m, "ranker"));
	assert_true(gateway_names_us(&m, "ranker-" OLD));
	assert_true(gateway_names_us(&m, "ranker-" OLD "-a"));
	assert_false(gateway_names_us(&m, "ranker-v2"));
	assert_false(gateway_names_us(&m, "ranker-" OLD "x"));
	assert_false(gateway_names_us(&m, "rankers"));
	assert_false(gateway_names_us(&m, NULL));
}

/* Whatever the name's length: what we write is known as ours again. */
static void test_our_names_are_known_again(void **state)
{
	static const char *const zones[] = {"", "a", "cn-hangzhou-a"};

	(void)state;
	for (size_t n = 1; n <= 63; n++) {
		for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
			char name[64] = "";
			struct mdep m = {.meta = {.namespace = "shop", .name = name}};
			struct arena a;
			char *service;

			arena_init(&a, 0);
			memset(name, 'm', n);
			service = gateway_service_name(&a, &m, OLD, zones[z]);
			assert_true(strlen(service) <= 63);
			if (!gateway_names_us(&m, service))
				fail_msg("%s of %s is not known", service, name);
			name[0] = 'x';
			assert_false(gateway_names_us(&m, service));
			arena_release(&a);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_our_names_are_known_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
