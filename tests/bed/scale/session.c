#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "tidegate/base/clock.h"

#define TICK_MS     1000
#define SUMMARY_MAX 65536

int64_t session_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t elapsed_us(const struct session *s)
{
	return session_now_us() - s->began_us;
}

void session_say(const struct session *s, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "[%6.1fs] scale: ", (double)elapsed_us(s) / 1e6);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void on_tick(void *arg)
{
	struct session *s = arg;
	char text[200] = "";

	if (elapsed_us(s) > s->o->timeout_ms * 1000) {
		s->timed_out = true;
		loop_stop(s->loop);
		return;
	}
	s->progress(s->arg, text, sizeof(text));
	session_say(s, "%s", text);
	timer_start(&s->tick, TICK_MS);
}

int session_init(struct session *s, const struct options *o, struct err *err)
{
	const struct kube_client_options client = {.user_agent = "scale/" TIDEGATE_VERSION,
	                                           .max_in_flight = (int)o->in_flight};

	*s = (struct session){.o = o, .began_us = session_now_us(), .loop = loop_new()};
	timer_init(&s->tick, s->loop, on_tick, s);
	s->config = kube_config_load(o->kubeconfig, NULL, err);
	if (!s->config)
		return -1;
	s->client = kube_client_new(s->loop, s->config, &client, err);
	return s->client ? 0 : -1;
}

void session_release(struct session *s)
{
	if (s->client)
		kube_client_free(s->client);
	kube_config_free(s->config);
	timer_release(&s->tick);
	loop_free(s->loop);
}

int session_run(struct session *s, bool (*done)(void *arg),
                void (*progress)(void *arg, char *text, size_t size), void *arg, struct err *err)
{
	char text[200] = "";

	s->done = done;
	s->progress = progress;
	s->arg = arg;
	if (!done(arg)) {
		timer_start(&s->tick, TICK_MS);
		loop_run(s->loop);
		timer_stop(&s->tick);
	}
	progress(arg, text, sizeof(text));
	session_say(s, "%s", text);
	s->done = NULL;
	if (s->timed_out)
		return err_set(err, ERR_TIMEOUT, "not reached in time: %s", text);
	return 0;
}

void session_look(struct session *s)
{
	if (s->done && s->done(s->arg))
		loop_stop(s->loop);
}

void summary_begin(const struct session *s, struct buf *b, struct json_writer *w)
{
	buf_init(b, SUMMARY_MAX);
	jw_init(w, b);
	jw_object(w, NULL);
	jw_str(w, "verb", verb_name(s->o->verb));
	jw_i64(w, "count", s->o->count);
	jw_double(w, "seconds", (double)(elapsed_us(s) / 1000) / 1000);
	jw_double(w, "cpuSeconds", (double)clock_cpu_ms() / 1000);
}

int summary_end(struct buf *b, struct json_writer *w)
{
	jw_end_object(w);
	if (jw_end(w))
		return -1;
	puts(b->data);
	buf_release(b);
	return 0;
}
