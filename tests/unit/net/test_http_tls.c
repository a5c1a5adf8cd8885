/* TLS between the client and the server of this module, certificates made on the spot. */
#include "certs.h"
#include "proxy.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <utime.h>

#include "tidegate/base/err.h"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/net/http.h"
#include "tidegate/net/server.h"

#define DAY 86400L

static struct cert ca, other_ca, good, expired, future, named, client_cert, stranger;
static char dir[] = "/tmp/test_http_tls.XXXXXX";
static char cert_file[64], key_file[64];
static struct loop *loop;

struct outcome {
	bool done, tls_refused;
	enum err_class class;
	int status;
	char text[ERR_MSG_MAX];
	char body[256];
};

static void on_done(void *arg, const struct http_result *r)
{
	struct outcome *o = arg;

	o->done = true;
	o->class = r->err.class;
	o->tls_refused = r->tls_refused;
	o->status = r->status;
	str_copy(o->text, sizeof(o->text), r->err.msg);
	str_copy(o->body, sizeof(o->body), r->body);
}

static void handle(void *arg, struct server_request *r)
{
	(void)arg;
	server_reply_text(r, 200, str_or(server_header(r, "Host"), "-"));
}

static void write_pair(const struct cert *c)
{
	assert_int_equal(file_write(cert_file, c->pem, strlen(c->pem), 0600, NULL), 0);
	assert_int_equal(file_write(key_file, c->key_pem, strlen(c->key_pem), 0600, NULL), 0);
}

static struct server *serve(const struct cert *c)
{
	struct server_options o = {.address = "127.0.0.1:0",
	                           .tls_cert_file = cert_file,
	                           .tls_key_file = key_file,
	                           .handler = handle};
	struct err err = ERR_INIT;
	struct server *s;

	write_pair(c);
	s = server_new(loop, &o, &err);
	assert_string_equal(err.msg, "");
	assert_non_null(s);
	return s;
}

static struct http_client *make_client(struct http_tls tls)
{
	struct http_client_options o = {.tls = tls, .verify_with_ca_only = true};
	struct err err = ERR_INIT;
	struct http_client *c = http_client_new(loop, &o, &err);

	assert_string_equal(err.msg, "");
	assert_non_null(c);
	return c;
}

static void fetch(struct http_client *c, struct outcome *o, const char *scheme, int port)
{
	char url[64];
	struct http_request r = {.url = url, .on_done = on_done, .arg = o, .timeout_ms = 4000};

	memset(o, 0, sizeof(*o));
	snprintf(url, sizeof(url), "%s://127.0.0.1:%d/", scheme, port);
	http_start(c, &r);
	assert_true(run_until(loop, &o->done, 5000));
}

static int setup_all(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(cert_file, sizeof(cert_file), "%s/tls.crt", dir);
	snprintf(key_file, sizeof(key_file), "%s/tls.key", dir);
	ca = cert_make("test CA", NULL, NULL, -DAY, DAY);
	other_ca = cert_make("other CA", NULL, NULL, -DAY, DAY);
	good = cert_make("good", "IP:127.0.0.1", &ca, -DAY, DAY);
	expired = cert_make("expired", "IP:127.0.0.1", &ca, -2 * DAY, -DAY);
	future = cert_make("future", "IP:127.0.0.1", &ca, DAY, 2 * DAY);
	named = cert_make("named", "DNS:api.test", &ca, -DAY, DAY);
	client_cert = cert_make("ranker", "DNS:client", &ca, -DAY, DAY);
	stranger = cert_make("stranger", "DNS:client", &other_ca, -DAY, DAY);
	return 0;
}

static int teardown_all(void **state)
{
	struct cert *all[] = {&ca,     &other_ca, &good,        &expired,
	                      &future, &named,    &client_cert, &stranger};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		cert_release(all[i]);
	unlink(cert_file);
	unlink(key_file);
	return rmdir(dir);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void certificates_are_verified(void **state)
{
	const struct {
		const struct cert *cert;
		const char *ca_pem, *server_name;
		bool insecure;
		enum err_class class;
		const char *text;
	} rows[] = {
		{&good, ca.pem, NULL, false, ERR_NONE, ""},
		{&good, other_ca.pem, NULL, false, ERR_TRANSPORT, "unknown authority"},
		{&good, NULL, NULL, false, ERR_TRANSPORT, "unknown authority"},
		{&expired, ca.pem, NULL, false, ERR_TRANSPORT, "has expired"},
		{&future, ca.pem, NULL, false, ERR_TRANSPORT, "not valid yet"},
		{&named, ca.pem, NULL, false, ERR_TRANSPORT, "is for another name"},
		{&named, ca.pem, "api.test", false, ERR_NONE, ""},
		{&good, ca.pem, "127.0.0.1", false, ERR_NONE, ""},
		{&named, ca.pem, "api.prod", false, ERR_TRANSPORT,
	         "is for another name than api.prod"},
		{&good, ca.pem, "api.test", false, ERR_TRANSPORT, "is for another name"},
		{&expired, NULL, NULL, true, ERR_NONE, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server *s = serve(rows[i].cert);
		struct http_client *c = make_client((struct http_tls){
			.ca_pem = rows[i].ca_pem,
			.server_name = rows[i].server_name,
			.insecure = rows[i].insecure,
		});
		struct outcome o;

		fetch(c, &o, "https", port_of(server_address(s)));
		if (o.class != rows[i].class || !strstr(o.text, rows[i].text))
			fail_msg("row %zu: %s", i, o.text);
		assert_non_null(strstr(o.text, rows[i].text));
		assert_int_equal(o.tls_refused, o.class != ERR_NONE);
		/* Host is what the URL said, whatever name was verified. */
		if (o.class == ERR_NONE)
			assert_string_equal(o.body, server_address(s));
		else
			assert_non_null(strstr(o.text, server_address(s)));
		http_client_free(c);
		server_free(s);
	}
}

static void a_ca_beside_the_system_store(void **state)
{
	struct http_client_options o = {.tls = {.ca_pem = ca.pem}};
	struct server *s = serve(&good);
	struct http_client *c = http_client_new(loop, &o, NULL);
	struct outcome out;

	(void)state;
	fetch(c, &out, "https", port_of(server_address(s)));
	assert_int_equal(out.class, ERR_NONE);
	http_client_free(c);
	server_free(s);
}

static void tls_and_plain_mixed_up(void **state)
{
	struct server_options po = {.address = "127.0.0.1:0", .handler = handle};
	struct server *plain = server_new(loop, &po, NULL), *tls = serve(&good);
	struct http_client *c = make_client((struct http_tls){.ca_pem = ca.pem});
	struct outcome o;

	(void)state;
	fetch(c, &o, "https", port_of(server_address(plain)));
	assert_int_equal(o.class, ERR_TRANSPORT);
	assert_non_null(strstr(o.text, "does not speak TLS"));
	fetch(c, &o, "http", port_of(server_address(tls)));
	assert_int_equal(o.class, ERR_TRANSPORT);
	http_client_free(c);
	server_free(plain);
	server_free(tls);
}

static void bad_credentials_are_named_at_once(void **state)
{
	const struct {
		struct http_tls tls;
		const char *text;
	} rows[] = {
		{{.ca_pem = "nonsense"}, "CA bundle: no PEM certificate"},
		{{.ca_pem = ""}, "CA bundle: no PEM certificate"},
		{{.cert_pem = good.pem}, "without the key"},
		{{.key_pem = good.key_pem}, "without the certificate"},
		{{.cert_pem = "x", .key_pem = good.key_pem}, "client certificate: no PEM"},
		{{.cert_pem = good.pem, .key_pem = "x"}, "client key: no PEM"},
		{{.cert_pem = good.pem, .key_pem = named.key_pem}, "does not belong"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_client_options o = {.tls = rows[i].tls};
		struct err err = ERR_INIT;

		assert_null(http_client_new(loop, &o, &err));
		assert_int_equal(err.class, ERR_INVALID);
		assert_non_null(strstr(err.msg, rows[i].text));
	}
}

static void bad_serving_files_are_named(void **state)
{
	struct server_options o = {.address = "127.0.0.1:0",
	                           .tls_cert_file = cert_file,
	                           .tls_key_file = "/nonexistent/key",
	                           .handler = handle};
	struct err err = ERR_INIT;

	(void)state;
	write_pair(&good);
	assert_null(server_new(loop, &o, &err));
	assert_non_null(strstr(err.msg, "/nonexistent/key"));
	o.tls_key_file = cert_file;
	assert_null(server_new(loop, &o, &err));
	assert_non_null(strstr(err.msg, "no PEM private key"));
	o.tls_key_file = NULL;
	assert_null(server_new(loop, &o, &err));
	assert_non_null(strstr(err.msg, "both a certificate and a key"));
}

/* A fresh client, so that a fresh connection. */
static const char *seen_error(int port)
{
	static struct outcome o;
	struct http_client *c = make_client((struct http_tls){.ca_pem = ca.pem});

	fetch(c, &o, "https", port);
	http_client_free(c);
	return o.text;
}

static void a_changed_certificate_is_served(void **state)
{
	struct server *s = serve(&good);
	int port = port_of(server_address(s)), logs[2];
	char line[1024] = "";

	(void)state;
	assert_int_equal(pipe(logs), 0);
	log_set_fd(logs[1]);
	assert_string_equal(seen_error(port), "");
	/* Half a pair: the old one goes on. The clock of the look-up is the loop's. */
	assert_int_equal(file_write(cert_file, named.pem, strlen(named.pem), 0600, NULL), 0);
	for (int i = 0; i < 11; i++)
		run_for(loop, 100);
	assert_string_equal(seen_error(port), "");
	assert_true(read(logs[0], line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "keeping the old one"));
	/* Within a second of the last look nothing is looked at. */
	write_pair(&named);
	assert_string_equal(seen_error(port), "");
	for (int i = 0; i < 11; i++)
		run_for(loop, 100);
	assert_non_null(strstr(seen_error(port), "another name"));
	log_set_fd(2);
	close(logs[0]);
	close(logs[1]);
	server_free(s);
}

/* --- client certificates: a server that demands one, in a thread ------------------------------ */

struct strict {
	int fd, port;
	pthread_t thread;
};

static void answer_with_subject(SSL *ssl)
{
	X509 *peer = SSL_get1_peer_certificate(ssl);
	char cn[64] = "", in[2048], out[256];
	int n;

	assert_non_null(peer);
	X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, cn, sizeof(cn));
	X509_free(peer);
	SSL_read(ssl, in, sizeof(in));
	n = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	             strlen(cn), cn);
	SSL_write(ssl, out, n);
	SSL_shutdown(ssl);
}

/* Serves one connection. */
static void *strict_run(void *arg)
{
	struct strict *s = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int fd = accept(s->fd, NULL, NULL);
	SSL *ssl;

	SSL_CTX_use_certificate(ctx, good.x);
	SSL_CTX_use_PrivateKey(ctx, good.key);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.x);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		answer_with_subject(ssl);
	else
		shutdown(fd, SHUT_WR);
	/* Until the client has closed: a reset would hide our alert. */
	while (recv(fd, &(char){0}, 1, 0) > 0)
		;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return NULL;
}

static void strict_start(struct strict *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	getsockname(s->fd, (struct sockaddr *)&a, &len);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, strict_run, s), 0);
}

static void client_certificates(void **state)
{
	const struct {
		const struct cert *cert;
		enum err_class class;
		const char *text; /* of the body, or of the error */
	} rows[] = {
		{&client_cert, ERR_NONE, "ranker"},
		{&stranger, ERR_TRANSPORT, "refused our client certificate"},
		{NULL, ERR_TRANSPORT, "refused our client certificate"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cert *mine = rows[i].cert;
		struct strict s;
		struct http_client *c = make_client((struct http_tls){
			.ca_pem = ca.pem,
			.cert_pem = mine ? mine->pem : NULL,
			.key_pem = mine ? mine->key_pem : NULL,
		});
		struct outcome o;

		strict_start(&s);
		fetch(c, &o, "https", s.port);
		http_client_free(c);
		pthread_join(s.thread, NULL);
		close(s.fd);
		assert_int_equal(o.class, rows[i].class);
		assert_non_null(strstr(o.class ? o.text : o.body, rows[i].text));
	}
}

/* --- proxies ----------------------------------------------------------------------------- */

static struct http_client *proxied_client(const struct http_client_options *more)
{
	struct http_client_options o = *more;
	struct err err = ERR_INIT;
	struct http_client *c;

	o.tls.ca_pem = ca.pem;
	o.verify_with_ca_only = true;
	c = http_client_new(loop, &o, &err);
	assert_string_equal(err.msg, "");
	return c;
}

/* TLS goes through the proxy, not to it, and the proxy gets no header that is not its own. */
static void a_proxy_is_asked_to_connect(void **state)
{
	struct server *s = serve(&good);
	struct proxy p;
	struct http_client *c;
	struct outcome o;
	char proxy_url[64], want[64];

	(void)state;
	proxy_start(&p);
	snprintf(proxy_url, sizeof(proxy_url), "http://user:pass@127.0.0.1:%d", p.port);
	c = proxied_client(&(struct http_client_options){.proxy_url = proxy_url});
	fetch(c, &o, "https", port_of(server_address(s)));
	assert_string_equal(o.text, "");
	assert_string_equal(o.body, server_address(s));
	http_client_free(c);
	proxy_stop(&p);
	snprintf(want, sizeof(want), "CONNECT %s HTTP/1.1", server_address(s));
	assert_string_equal(p.asked, want);
	assert_non_null(strstr(p.head, "Proxy-Authorization: Basic dXNlcjpwYXNz"));
	server_free(s);
}

static void a_proxy_that_refuses_is_named(void **state)
{
	struct proxy p;
	struct http_client *c;
	struct outcome o;
	char proxy_url[64];

	(void)state;
	proxy_start(&p);
	p.status = 403;
	snprintf(proxy_url, sizeof(proxy_url), "http://user:s3cret@127.0.0.1:%d", p.port);
	c = proxied_client(&(struct http_client_options){.proxy_url = proxy_url});
	fetch(c, &o, "https", 1);
	assert_int_equal(o.class, ERR_TRANSPORT);
	assert_non_null(strstr(o.text, "403"));
	assert_null(strstr(o.text, "s3cret"));
	http_client_free(c);
	proxy_stop(&p);
}

/* The environment counts for who asks for it only, and NO_PROXY takes hosts out. */
static void the_environments_proxy(void **state)
{
	const struct {
		bool from_env;
		const char *no_proxy;
		bool asked;
	} rows[] = {
		{true, NULL, true},           {false, NULL, false},      {true, "127.0.0.1", false},
		{true, "127.0.0.0/8", false}, {true, "elsewhere", true}, {true, "*", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server *s = serve(&good);
		struct proxy p;
		struct http_client *c;
		struct outcome o;
		char proxy_url[64];

		proxy_start(&p);
		snprintf(proxy_url, sizeof(proxy_url), "http://127.0.0.1:%d", p.port);
		setenv("HTTPS_PROXY", proxy_url, 1);
		if (rows[i].no_proxy)
			setenv("NO_PROXY", rows[i].no_proxy, 1);
		c = proxied_client(
			&(struct http_client_options){.proxy_from_env = rows[i].from_env});
		fetch(c, &o, "https", port_of(server_address(s)));
		unsetenv("HTTPS_PROXY");
		unsetenv("NO_PROXY");
		http_client_free(c);
		proxy_stop(&p);
		if (o.class != ERR_NONE || (p.asked[0] != '\0') != rows[i].asked)
			fail_msg("row %zu: asked \"%s\", %s", i, p.asked, o.text);
		server_free(s);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(certificates_are_verified),     T(a_ca_beside_the_system_store),
		T(tls_and_plain_mixed_up),        T(bad_credentials_are_named_at_once),
		T(bad_serving_files_are_named),   T(a_changed_certificate_is_served),
		T(client_certificates),           T(a_proxy_is_asked_to_connect),
		T(a_proxy_that_refuses_is_named), T(the_environments_proxy),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
