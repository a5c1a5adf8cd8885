/* Reflector: its rules, waits and paths, the end in any state, and the memory of a large list. */
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../sanitizer.h"
#include "reflector_rig.c"

static void test_every_class_has_its_way(void **state)
{
	(void)state;
	for (int c = ERR_INVALID; c <= ERR_INTERNAL; c++) {
		enum reflector_next list = reflector_rule(RP_LIST, (enum err_class)c);
		enum reflector_next watch = reflector_rule(RP_WATCH, (enum err_class)c);

		/* A list has no other to fall back to; a watch never goes on at once. */
		assert_true(list == RN_SYNC || list == RN_FRESH);
		assert_true(watch == RN_SYNC || watch == RN_WATCH);
	}
	assert_int_equal(reflector_rule(RP_WATCH, ERR_THROTTLED), RN_WATCH);
	assert_int_equal(reflector_rule(RP_WATCH, ERR_GONE), RN_SYNC);
	assert_int_equal(reflector_rule(RP_LIST, ERR_GONE), RN_FRESH);
	assert_int_equal(reflector_rule(RP_WATCH_LIST, ERR_FORBIDDEN), RN_SYNC);
}

static void test_back_off(void **state)
{
	static const int64_t want[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct rig *g = *state;
	bool spread = false;
	int64_t ms;

	g->r = reflector_new(g->bed->client, &g->store, &(struct reflector_options){.seed = 7});
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		ms = reflector_backoff(g->r, 0);
		assert_true(ms >= want[i] && ms < 2 * want[i]);
		spread = spread || ms > want[i] * 3 / 2;
	}
	assert_true(spread);
	assert_int_equal(reflector_backoff(g->r, 90000), 90000);       /* the server's wish */
	assert_int_equal(reflector_backoff(g->r, 1000000000), 300000); /* within reason */
	g->r->backoff_last_ms -= 120001;
	ms = reflector_backoff(g->r, 0);
	assert_true(ms < 1600);
	/* short trouble, short memory */
	g->r->backoff_last_ms -= 9000;
	ms = reflector_backoff(g->r, 0);
	assert_true(ms >= 1600);
	g->r->backoff_last_ms -= 10001;
	assert_true(reflector_backoff(g->r, 0) < 1600);
}

static void test_paths(void **state)
{
	struct rig *g = *state;
	static const struct object_kind cluster = {
		.kind = "Node", .api = "/api/v1", .resource = "nodes", .cluster_scoped = true};
	char *p;

	g->r = reflector_new(g->bed->client, &g->store,
	                     &(struct reflector_options){.namespace = "shop",
	                                                 .label_selector = "app in (a, b),c=d",
	                                                 .field_selector = "spec.x!=1&2"});
	p = reflector_list_path(g->r, "0");
	assert_string_equal(p, "/apis/test.tidegate.io/v1/namespaces/shop/things?limit=500&"
	                       "resourceVersion=0&labelSelector=app%20in%20%28a%2C%20b%29%2Cc%3Dd&"
	                       "fieldSelector=spec.x%21%3D1%262");
	free(p);
	p = reflector_watch_path(g->r, "7", false, 301);
	assert_string_equal(p, "/apis/test.tidegate.io/v1/namespaces/shop/things?watch=1&"
	                       "allowWatchBookmarks=true&timeoutSeconds=301&resourceVersion=7&"
	                       "labelSelector=app%20in%20%28a%2C%20b%29%2Cc%3Dd&"
	                       "fieldSelector=spec.x%21%3D1%262");
	free(p);
	p = reflector_base_path(&cluster, "shop");
	assert_string_equal(p, "/api/v1/nodes");
	free(p);
}

static void test_watch_timeout_is_spread(void **state)
{
	struct rig *g = *state;
	int low = 600, high = 0;

	SCRIPT(g, WATCH, {.status = 429});
	start_listed(g, (struct reflector_options){.backoff_ms = 1});
	for (unsigned n = 1; n <= 12; n++) {
		const struct fake_request *q;
		int s;

		expect_asked(g, WATCH, n);
		g->r->backoff_step = 0;
		q = fake_api_nth(g->bed->api, "GET", WATCH, n - 1);
		s = (int)strtol(strstr(q->path, "timeoutSeconds=") + 15, NULL, 10);
		assert_true(s >= 300 && s < 600);
		low = s < low ? s : low;
		high = s > high ? s : high;
	}
	assert_true(high - low > 60);
}

/* Freed in each of its states; the sanitizer build sees what is left behind. */
static void test_free_anywhere(void **state)
{
	const struct fake_reply rows[] = {
		{.raw = "", .end = FAKE_STALL},
		{.chunks = CHUNKS(EVENT("ADDED", "a", "3", "x"), "{\"type"), .end = FAKE_STALL},
		{.status = 500},
		{.chunks = CHUNKS(EVENT("ADDED", "a", "3", "x"), END("9")), .end = FAKE_STALL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int ms = 0; ms < 10; ms += 3) {
			void *state2;
			struct rig *g;

			assert_int_equal(rig_setup(&state2), 0);
			g = state2;
			script(g, THINGS, &rows[i], 1);
			start(g, (struct reflector_options){.no_watch_list = ms == 3});
			fake_api_idle(g->bed->loop, ms);
			rig_teardown(&state2);
		}
	}
	reflector_free(NULL);
}

/* --- memory ---------------------------------------------------------------------------------- */

#define MANY      10000
#define PAD_WIDTH 3000

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			_exit(1);
		p += sent;
		n -= (size_t)sent;
	}
}

/* A server of its own process, so that its memory is not counted: one list, then silence. */
static void serve_many(int listener)
{
	static char pad[PAD_WIDTH + 1], item[PAD_WIDTH + 512], block[4096];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test must not leave it behind */
	fd = accept(listener, NULL, NULL);
	memset(pad, 'p', PAD_WIDTH);
	if (fd < 0 || recv(fd, block, sizeof(block), 0) <= 0)
		_exit(1);
	send_all(fd,
	         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"kind\":\"ThingList\",\"items\":[",
	         strlen("HTTP/1.1 200 OK\r\nConnection: "
	                "close\r\n\r\n{\"kind\":\"ThingList\",\"items\":["));
	for (int i = 0; i < MANY; i++) {
		int n = snprintf(
			item, sizeof(item),
			"%s{\"metadata\":{\"namespace\":\"shop\",\"name\":\"thing-%05d\","
			"\"uid\":\"uid-%05d\",\"resourceVersion\":\"%d\",\"managedFields\":"
			"[{\"x\":\"%s\"}]},\"spec\":{\"value\":\"v\"}}",
			i ? "," : "", i, i, i + 1, pad);

		send_all(fd, item, (size_t)n);
	}
	send_all(fd, "],\"metadata\":{\"resourceVersion\":\"99999\"}}", 41);
	close(fd);
	pause();
	_exit(0);
}

static size_t heap_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void test_ten_thousand_objects(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct rig *g = *state;
	size_t before, kept, peak = 0, body = (size_t)MANY * (PAD_WIDTH + 100);
	int64_t started, cpu;
	char url[64];
	pid_t pid;

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_many(listener);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(sa.sin_port));
	g->bed->cfg.server = url;
	g->store.nhandlers = 0; /* the log of deliveries would count as well */

	before = heap_in_use();
	started = clock_mono_ms();
	cpu = clock_cpu_ms();
	start(g, (struct reflector_options){.no_watch_list = true});
	while (!g->store.synced && clock_mono_ms() - started < 20000) {
		size_t now;

		loop_run_once(g->bed->loop, true);
		now = heap_in_use();
		peak = now > peak ? now : peak;
	}
	kept = heap_in_use() - before;
	print_message("body %zu kB, peak %zu kB, kept %zu kB, %lld ms CPU\n", body / 1024,
	              (peak - before) / 1024, kept / 1024, (long long)(clock_cpu_ms() - cpu));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(listener);
	assert_int_equal(store_len(&g->store), MANY);
	/* The sanitizer's allocator keeps no such books; the list itself is then still a test. */
	if (!UNDER_SANITIZER) {
		assert_true(kept > 1000000);
		assert_true(peak - before < kept + (1u << 20));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_class_has_its_way),
		R(test_back_off),
		R(test_paths),
		R(test_watch_timeout_is_spread),
		cmocka_unit_test(test_free_anywhere),
		R(test_ten_thousand_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
