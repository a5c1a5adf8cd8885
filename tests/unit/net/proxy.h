/*
 * A small forward proxy (RFC 9110 9.3.6, CONNECT only) on a thread of its own, one connection
 * after the other. It writes down what it was asked and answers with `status` instead of
 * connecting when that is not 0.
 */
#ifndef TESTS_NET_PROXY_H
#define TESTS_NET_PROXY_H

#include <poll.h>
#include <pthread.h>
#include <sys/time.h>

#include "fixture.h"

struct proxy {
	pthread_t thread;
	int fd, port, status;
	char asked[256]; /* request line of the last connection, "" when there was none */
	char head[1024];
};

static inline bool proxy_read_head(struct proxy *p, int fd)
{
	size_t n = 0;

	while (n < sizeof(p->head) - 1) {
		ssize_t got = recv(fd, p->head + n, sizeof(p->head) - 1 - n, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		p->head[n] = '\0';
		if (strstr(p->head, "\r\n\r\n"))
			break;
	}
	snprintf(p->asked, sizeof(p->asked), "%.*s", (int)strcspn(p->head, "\r"), p->head);
	return true;
}

static inline void proxy_shuttle(int a, int b)
{
	struct pollfd f[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
	char chunk[4096];

	while (poll(f, 2, 5000) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (!f[i].revents)
				continue;
			n = recv(f[i].fd, chunk, sizeof(chunk), 0);
			if (n <= 0 || send(f[1 - i].fd, chunk, (size_t)n, MSG_NOSIGNAL) != n)
				return;
		}
	}
}

static inline void proxy_serve(struct proxy *p, int fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *colon;
	char text[64];
	int out;

	if (!proxy_read_head(p, fd))
		return;
	if (p->status) {
		snprintf(text, sizeof(text), "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n",
		         p->status);
		send(fd, text, strlen(text), MSG_NOSIGNAL);
		return;
	}
	colon = strchr(p->asked, ':');
	to.sin_port = htons(colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0);
	out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (out >= 0 && connect(out, (struct sockaddr *)&to, sizeof(to)) == 0) {
		send(fd, "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL);
		proxy_shuttle(fd, out);
	}
	close(out);
}

static inline void *proxy_run(void *arg)
{
	struct proxy *p = arg;
	int fd;

	while ((fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		proxy_serve(p, fd);
		close(fd);
	}
	return NULL;
}

static inline void proxy_start(struct proxy *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	memset(p, 0, sizeof(*p));
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(p->fd, 8), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, proxy_run, p), 0);
}

/* When the clients are gone: it then ends at its next accept. */
static inline void proxy_stop(struct proxy *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
}

#endif
