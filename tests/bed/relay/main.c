/*
 * relay: makes a server inside the bed's network namespace reachable from outside.
 *
 * A socket keeps belonging to the namespace it was opened in, so the two halves are:
 *
 *   relay listen COUNT COMMAND...   outside: opens COUNT sockets on 127.0.0.1, names them in
 *                                   RELAY_SOCKETS ("FD:PORT FD:PORT ...") and becomes COMMAND
 *   relay serve FD ADDRESS:PORT     inside: accepts on that socket, connects there
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"
#include "tidegate/net/loop.h"

#include "pipe.h"

#define SOCKETS_MAX     16
#define CONNECTIONS_MAX 256

struct relay {
	struct loop *loop;
	struct io io;
	int fd;
	int connections;
	struct sockaddr_in target;
};

static int fail(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	return 1;
}

static int usage(void)
{
	fputs("usage: relay listen COUNT COMMAND... | relay serve FD ADDRESS:PORT\n", stderr);
	return 2;
}

/* Parses a whole decimal in [min, max]; -1 when it is not one. */
static int parse_number(const char *s, int64_t min, int64_t max)
{
	int64_t n;

	return str_to_i64(s, &n) && n >= min && n <= max ? (int)n : -1;
}

/* Not close-on-exec: it is there to be handed on. Returns the fd or -1. */
static int open_socket(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&a, &len))
		return -1;
	*port = ntohs(a.sin_port);
	return fd;
}

static int run_listen(int count, char **command)
{
	cleanup_buf struct buf names;

	buf_init(&names, 1024);
	for (int i = 0; i < count; i++) {
		int port, fd = open_socket(&port);

		if (fd < 0)
			return fail("cannot listen on 127.0.0.1");
		buf_addf(&names, "%s%d:%d", i ? " " : "", fd, port);
	}
	if (setenv("RELAY_SOCKETS", names.data, 1))
		return fail("setenv");
	execvp(command[0], command);
	return fail(command[0]);
}

static void on_done(void *arg)
{
	struct relay *r = arg;

	r->connections--;
	io_set(&r->io, r->fd, LOOP_READ);
}

static void on_accept(void *arg, int events)
{
	struct relay *r = arg;
	int from, to;

	(void)events;
	from = accept4(r->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (from < 0)
		return;
	to = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (to < 0 || (connect(to, (struct sockaddr *)&r->target, sizeof(r->target)) &&
	               errno != EINPROGRESS)) {
		close(from);
		if (to >= 0)
			close(to);
		return;
	}
	/* The rest wait in the kernel's queue. */
	if (++r->connections == CONNECTIONS_MAX)
		io_set(&r->io, r->fd, 0);
	pipe_start(r->loop, from, to, on_done, r);
}

static int parse_target(const char *s, struct sockaddr_in *a)
{
	const char *colon = strrchr(s, ':');
	char host[INET_ADDRSTRLEN];
	int port = colon ? parse_number(colon + 1, 1, 65535) : -1;

	if (port < 0 || (size_t)(colon - s) >= sizeof(host))
		return -1;
	memcpy(host, s, colon - s);
	host[colon - s] = '\0';
	a->sin_family = AF_INET;
	a->sin_port = htons(port);
	return inet_pton(AF_INET, host, &a->sin_addr) == 1 ? 0 : -1;
}

/* Runs until it is killed: connections under way end with the process. */
static int run_serve(struct relay *r)
{
	r->loop = loop_new();
	io_init(&r->io, r->loop, on_accept, r);
	io_set(&r->io, r->fd, LOOP_READ);
	loop_run(r->loop);
	return 0;
}

int main(int argc, char **argv)
{
	struct relay r = {.fd = -1};
	int count;

	if (argc >= 4 && !strcmp(argv[1], "listen")) {
		count = parse_number(argv[2], 1, SOCKETS_MAX);
		return count < 0 ? usage() : run_listen(count, argv + 3);
	}
	if (argc == 4 && !strcmp(argv[1], "serve")) {
		r.fd = parse_number(argv[2], 3, 1023);
		return r.fd < 0 || parse_target(argv[3], &r.target) ? usage() : run_serve(&r);
	}
	return usage();
}
