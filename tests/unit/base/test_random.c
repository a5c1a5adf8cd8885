#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/random.h"

static void a_seed_determines_the_bytes(void **state)
{
	unsigned char a[32], b[32];

	(void)state;
	random_use_seed(7);
	random_fill(a, sizeof(a));
	random_use_seed(7);
	random_fill(b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	random_fill(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_use_seed(8);
	random_fill(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_use_seed(0);
}

static void the_kernels_bytes_differ(void **state)
{
	unsigned char a[32], b[32];

	(void)state;
	random_fill(a, sizeof(a));
	random_fill(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void numbers_stay_below_their_bound(void **state)
{
	struct random r = {1};
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t n = random_below(&r, 7);

		assert_true(n < 7);
		seen |= 1u << n;
	}
	assert_int_equal(seen, 0x7f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_determines_the_bytes),
		cmocka_unit_test(the_kernels_bytes_differ),
		cmocka_unit_test(numbers_stay_below_their_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
