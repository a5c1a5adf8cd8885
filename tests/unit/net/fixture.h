/* A loop with a deadline, and raw clients of a server in the same loop. */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/net/loop.h"

static inline void fixture_nothing(void *arg)
{
	(void)arg;
}

/* Runs the loop until *flag, but no longer than ms; returns *flag. */
static inline bool run_until(struct loop *l, const bool *flag, int64_t ms)
{
	int64_t end = clock_mono_ms() + ms;
	struct timer tick;

	timer_init(&tick, l, fixture_nothing, NULL);
	while (!*flag && clock_mono_ms() < end) {
		timer_start(&tick, end - clock_mono_ms());
		loop_run_once(l, true);
	}
	timer_release(&tick);
	return *flag;
}

static inline void run_for(struct loop *l, int64_t ms)
{
	bool never = false;

	run_until(l, &never, ms);
}

/* "127.0.0.1:PORT" -> port */
static inline int port_of(const char *address)
{
	return (int)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

static inline int raw_connect(const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port_of(address));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static inline void raw_send(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static inline void raw_say(int fd, const char *text)
{
	raw_send(fd, text, strlen(text));
}

/*
 * Collects what comes, driving the loop, until `want` appears (NULL: until the peer closes) or ms
 * have passed. Returns whether that happened.
 */
static inline bool raw_read_until(struct loop *l, int fd, struct buf *in, const char *want,
                                  int64_t ms)
{
	int64_t end = clock_mono_ms() + ms;
	char chunk[4096];

	while (clock_mono_ms() < end) {
		ssize_t n;

		if (want && in->len && strstr(in->data, want))
			return true;
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n > 0) {
			assert_int_equal(buf_add(in, chunk, (size_t)n), 0);
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return !want;
		run_for(l, 1);
	}
	return want && strstr(in->data, want);
}

#endif
