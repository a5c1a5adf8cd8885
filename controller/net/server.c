#include "tidegate/net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define DEFAULT_CONNECTIONS 64
#define DEFAULT_REQUEST_MS  10000
#define DEFAULT_IDLE_MS     60000
#define BACKLOG             128
#define ACCEPT_BATCH        16
#define ACCEPT_PAUSE_MS     100
/* Connections beyond the limit that are kept long enough to be told 503. */
#define REFUSED_MAX 16

/* --- addresses ------------------------------------------------------------------------------ */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

static socklen_t address_len(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

static int parse_port(const char *text, const char *s, uint16_t *port, struct err *err)
{
	uint64_t n;

	if (!str_to_u64(s, &n) || n > 65535)
		return err_set(err, ERR_INVALID, "address \"%s\": port must be 0 to 65535", text);
	*port = htons((uint16_t)n);
	return 0;
}

/* "1.2.3.4:80", "[::1]:80", "localhost:80", ":80" (*every: all interfaces, both families). */
static int parse_address(const char *text, union address *a, bool *every, struct err *err)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	char host[64];
	uint16_t port = 0;
	size_t n;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return err_set(err, ERR_INVALID,
		               "address \"%s\": want IP:PORT, [IPV6]:PORT or :PORT",
		               str_or(text, ""));
	if (parse_port(text, colon + 1, &port, err) < 0)
		return -1;
	n = (size_t)(colon - text);
	memcpy(host, text, n);
	host[n] = '\0';
	memset(a, 0, sizeof(*a));
	*every = !n;
	if (str_eq(host, "localhost"))
		str_copy(host, sizeof(host), "127.0.0.1");
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = port;
		if (inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1)
			return 0;
	} else if (*every) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = port;
		return 0;
	} else {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = port;
		if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1)
			return 0;
	}
	return err_set(err, ERR_INVALID,
	               "address \"%s\": \"%s\" is not an IP address (IPv6 goes in brackets)", text,
	               host);
}

static int listen_on(const union address *a, bool every)
{
	int on = 1, off = 0, saved;
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (every)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!bind(fd, &a->any, address_len(a)) && !listen(fd, BACKLOG))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int open_address(const char *text, struct err *err)
{
	union address a;
	bool every = false;
	int fd;

	if (parse_address(text, &a, &every, err) < 0)
		return -1;
	fd = listen_on(&a, every);
	/* A kernel without IPv6 still has all IPv4 interfaces. */
	if (fd < 0 && every && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
		uint16_t port = a.v6.sin6_port;

		memset(&a, 0, sizeof(a));
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = port;
		fd = listen_on(&a, false);
	}
	if (fd < 0)
		err_set_errno(err, ERR_IO, errno, "cannot listen on \"%s\"", text);
	return fd;
}

static int adopt(int fd, struct err *err)
{
	int listening = 0, flags;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
		return err_set(err, ERR_INVALID, "descriptor %d is not a listening socket", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set_errno(err, ERR_IO, errno, "descriptor %d", fd);
	return fd;
}

static void name_address(struct server *s)
{
	union address a = {0};
	socklen_t len = sizeof(a);
	char ip[INET6_ADDRSTRLEN] = "";

	if (getsockname(s->fd, &a.any, &len) < 0)
		return;
	if (a.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.v6.sin6_addr, ip, sizeof(ip));
		snprintf(s->address, sizeof(s->address), "[%s]:%u", ip, ntohs(a.v6.sin6_port));
	} else if (a.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.v4.sin_addr, ip, sizeof(ip));
		snprintf(s->address, sizeof(s->address), "%s:%u", ip, ntohs(a.v4.sin_port));
	}
}

/* --- accepting ------------------------------------------------------------------------------ */

/* Makes room by closing the connection that idles longest; false when none idles. */
static bool evict_idle(struct server *s)
{
	struct server_conn *oldest = NULL;
	struct list *pos;

	list_for_each (pos, &s->conns) {
		struct server_conn *c = list_entry(pos, struct server_conn, node);

		if (server_conn_is_idle(c) && (!oldest || c->idle_since_ms < oldest->idle_since_ms))
			oldest = c;
	}
	if (oldest)
		server_conn_close(oldest);
	return oldest != NULL;
}

static int make_transport(struct server *s, int fd, struct transport *t)
{
	if (!s->tls) {
		server_transport_plain(t, fd);
		return 0;
	}
	server_tls_refresh(s->tls, loop_now(s->loop));
	return server_tls_wrap(s->tls, fd, t);
}

static void take(struct server *s, int fd)
{
	bool full = s->nconns >= s->max_connections && !evict_idle(s);
	struct server_conn *c;
	struct transport t;
	int on = 1;

	if (s->nconns >= s->max_connections + REFUSED_MAX || make_transport(s, fd, &t) < 0) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c = server_conn_new(s, &t);
	if (full)
		server_conn_refuse(c);
}

static void resume(void *arg)
{
	struct server *s = arg;

	io_set(&s->io, s->fd, LOOP_READ);
}

static void on_accept(void *arg, int events)
{
	struct server *s = arg;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(s, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		/* The waiting connection stays readable: without a pause this would spin. */
		log_warn("cannot accept connections", LS("address", s->address),
		         LI("errno", errno));
		io_set(&s->io, s->fd, 0);
		timer_start(&s->pause, ACCEPT_PAUSE_MS);
		return;
	}
}

/* --- the server ------------------------------------------------------------------------------ */

static int open_tls(struct server *s, const struct server_options *o, struct err *err)
{
	if (!o->tls_cert_file && !o->tls_key_file)
		return 0;
	if (!o->tls_cert_file || !o->tls_key_file)
		return err_set(err, ERR_INVALID, "serving TLS needs both a certificate and a key");
	s->tls = server_tls_new(o->tls_cert_file, o->tls_key_file, err);
	return s->tls ? 0 : -1;
}

struct server *server_new(struct loop *l, const struct server_options *o, struct err *err)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->fd = -1;
	s->handler = o->handler;
	s->arg = o->arg;
	s->max_connections = o->max_connections ? o->max_connections : DEFAULT_CONNECTIONS;
	s->request_ms = o->request_ms ? o->request_ms : DEFAULT_REQUEST_MS;
	s->idle_ms = o->idle_ms ? o->idle_ms : DEFAULT_IDLE_MS;
	list_init(&s->conns);
	io_init(&s->io, l, on_accept, s);
	timer_init(&s->pause, l, resume, s);
	if (open_tls(s, o, err) == 0)
		s->fd = o->listen_fd > 0 ? adopt(o->listen_fd, err) : open_address(o->address, err);
	if (s->fd < 0) {
		server_free(s);
		return NULL;
	}
	name_address(s);
	io_set(&s->io, s->fd, LOOP_READ);
	return s;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	io_release(&s->io);
	timer_release(&s->pause);
	if (s->fd >= 0)
		close(s->fd);
	while (!list_empty(&s->conns))
		server_conn_close(list_entry(s->conns.next, struct server_conn, node));
	server_tls_free(s->tls);
	free(s);
}

const char *server_address(const struct server *s)
{
	return s->address;
}

bool server_has_unsent(const struct server *s)
{
	const struct list *it;

	list_for_each (it, &s->conns)
		if (server_conn_unsent(list_entry(it, struct server_conn, node)))
			return true;
	return false;
}
