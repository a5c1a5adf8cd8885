/* Fixture of the reflector's tests, see reflector_rig.h. */
#include <sys/mman.h>

#include "client_bed.c"
#include "reflector_rig.h"

static void on_change(void *arg, const struct store_event *ev)
{
	struct rig *g = arg;
	const struct thing *t = (const struct thing *)ev->object;

	buf_addf(&g->log, "%c%s@%s=%s", "+~-"[ev->change], t -> meta.name, t->meta.resource_version,
	         t->value);
	buf_addf(&g->log, "%s%s ", ev->initial ? "!" : "", ev->final_unknown ? "?" : "");
}

int rig_setup(void **state)
{
	struct rig *g = xcalloc(1, sizeof(*g));
	void *bed;

	if (bed_setup(&bed))
		return -1;
	g->bed = bed;
	bed_client(g->bed, 0);
	store_init(&g->store, &thing_kind);
	store_add_handler(&g->store, on_change, g);
	buf_init(&g->log, 1u << 20);
	g->lines = memfd_create("log", MFD_CLOEXEC);
	log_set_fd(g->lines);
	*state = g;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *g = *state;
	void *bed = g->bed;

	reflector_free(g->r);
	store_release(&g->store);
	buf_release(&g->log);
	log_set_fd(2);
	close(g->lines);
	free(g);
	return bed_teardown(&bed);
}

void start(struct rig *g, struct reflector_options o)
{
	o.seed = 1;
	if (!o.backoff_ms)
		o.backoff_ms = 2;
	g->r = reflector_new(g->bed->client, &g->store, &o);
	assert_string_equal(reflector_trouble(g->r), "not started");
	reflector_start(g->r);
}

void script(struct rig *g, const char *prefix, const struct fake_reply *replies, unsigned n)
{
	fake_api_script(g->bed->api, "GET", prefix, replies, n);
}

unsigned asked(const struct rig *g, const char *prefix)
{
	return fake_api_count(g->bed->api, "GET", prefix);
}

const char *path(const struct rig *g, unsigned i)
{
	const struct fake_request *q = fake_api_nth(g->bed->api, "GET", "", i);

	return q ? q->path : "(no such request)";
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

void expect(struct rig *g, const char *want)
{
	bool late = false;
	struct timer t;

	timer_init(&t, g->bed->loop, set_flag, &late);
	timer_start(&t, 5000);
	while (!late && strcmp(g->log.data, want) != 0)
		loop_run_once(g->bed->loop, true);
	timer_release(&t);
	assert_string_equal(g->log.data, want);
	buf_reset(&g->log);
}

void expect_asked(struct rig *g, const char *prefix, unsigned n)
{
	bool late = false;
	struct timer t;

	timer_init(&t, g->bed->loop, set_flag, &late);
	timer_start(&t, 5000);
	while (!late && asked(g, prefix) < n)
		loop_run_once(g->bed->loop, true);
	timer_release(&t);
	if (asked(g, prefix) < n)
		fail_msg("%s asked %u times, not %u", prefix, asked(g, prefix), n);
}

void push(struct rig *g, const char *chunk)
{
	fake_api_push(g->bed->api, THINGS, chunk);
}

unsigned told(const struct rig *g, const char *text)
{
	static char all[65536];
	ssize_t n = pread(g->lines, all, sizeof(all) - 1, 0);
	unsigned count = 0;

	all[n > 0 ? n : 0] = '\0';
	for (char *p = all; (p = strstr(p, text)); p++)
		count++;
	return count;
}

double relists(const char *reason)
{
	cleanup_free char *line = xasprintf(
		"tidegate_reflector_relists_total{resource=\"test.tidegate.io/v1/things\","
		"namespace=\"\",reason=\"%s\"}",
		reason);
	struct buf cleanup_buf out;
	const char *at;

	buf_init(&out, 4u << 20);
	metric_render(&out, 0);
	at = strstr(out.data, line);
	return at ? strtod(at + strlen(line), NULL) : 0;
}

void start_listed(struct rig *g, struct reflector_options o)
{
	static const struct fake_reply list = {.body = LIST("9", TWO_ITEMS)};

	script(g, PAGED, &list, 1);
	o.no_watch_list = true;
	start(g, o);
	expect(g, "+a@3=x! +b@4=x! ");
}
