/* A model server in the test's own loop: answers what the test says, at once or when told. */
#ifndef TESTS_UNIT_SIGNAL_SITE_H
#define TESTS_UNIT_SIGNAL_SITE_H

#include "../net/fixture.h"
#include "tidegate/base/str.h"
#include "tidegate/net/server.h"

#define SITE_HELD_MAX 64

struct site {
	struct loop *loop;
	struct server *server;
	int status; /* 0 = 200 */
	const char *body;
	/* Given: makes the body; called once a request. */
	const char *(*answer)(struct site *s, const struct server_request *r);
	const char *hold; /* requests whose path starts so wait for site_release() */
	struct server_request *held[SITE_HELD_MAX];
	unsigned nheld, most_held;
	unsigned requests;
	char last_method[8], last_path[128], last_body[128];
	char buf[512];
};

static inline void site_reply(struct site *s, struct server_request *r)
{
	const char *body = s->answer ? s->answer(s, r) : str_or(s->body, ""); /* may set status */

	server_reply(r, s->status ? s->status : 200, "text/plain", NULL, body, strlen(body));
}

static inline void site_request(void *arg, struct server_request *r)
{
	struct site *s = arg;

	s->requests++;
	str_copy(s->last_method, sizeof(s->last_method), r->method);
	str_copy(s->last_path, sizeof(s->last_path), r->path);
	str_copy(s->last_body, sizeof(s->last_body), str_or(r->body, ""));
	if (!s->hold || !str_starts(r->path, s->hold)) {
		site_reply(s, r);
		return;
	}
	assert_true(s->nheld < SITE_HELD_MAX);
	s->held[s->nheld++] = r;
	if (s->nheld > s->most_held)
		s->most_held = s->nheld;
}

/* Answers what waits. */
static inline void site_release(struct site *s)
{
	unsigned n = s->nheld;

	s->nheld = 0;
	for (unsigned i = 0; i < n; i++)
		site_reply(s, s->held[i]);
}

static inline void site_open(struct site *s)
{
	struct server_options o = {.address = "127.0.0.1:0", .handler = site_request, .arg = s};
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	s->loop = loop_new();
	s->server = server_new(s->loop, &o, &err);
	if (!s->server)
		fail_msg("%s", err.msg);
}

static inline void site_close(struct site *s)
{
	site_release(s);
	server_free(s->server);
	loop_free(s->loop);
}

#endif
