#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_internal.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"

#define LOOK_INTERVAL_MS 1000

/*
 * What tells one version of a file from the next. The inode matters: a mounted Secret changes by
 * a symlink that moves to another folder, where times may be equal.
 */
struct file_stamp {
	struct timespec mtime;
	ino_t ino;
	off_t size;
};

struct server_tls {
	SSL_CTX *ctx;
	char *cert_file, *key_file;
	struct file_stamp cert, key;
	int64_t looked_ms;
};

/* --- transport ------------------------------------------------------------------------------ */

static long finish(struct transport *t, int n)
{
	int why;

	if (n > 0)
		return n;
	why = SSL_get_error(t->tls, n);
	ERR_clear_error();
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	t->want = why == SSL_ERROR_WANT_READ    ? LOOP_READ
	          : why == SSL_ERROR_WANT_WRITE ? LOOP_WRITE
	                                        : 0;
	return -1;
}

static long tls_read(struct transport *t, void *buf, size_t n)
{
	ERR_clear_error();
	return finish(t, SSL_read(t->tls, buf, n > 16384 ? 16384 : (int)n));
}

static long tls_write(struct transport *t, const void *buf, size_t n)
{
	long rc;

	ERR_clear_error();
	rc = finish(t, SSL_write(t->tls, buf, n > 16384 ? 16384 : (int)n));
	/* "Closed" is no answer to a write. */
	if (!rc) {
		t->want = 0;
		rc = -1;
	}
	return rc;
}

static void tls_shutdown(struct transport *t)
{
	ERR_clear_error();
	SSL_shutdown(t->tls);
	ERR_clear_error();
	shutdown(t->fd, SHUT_WR);
}

static void tls_release(struct transport *t)
{
	SSL_free(t->tls);
	close(t->fd);
}

static const struct transport_ops tls_ops = {tls_read, tls_write, tls_shutdown, tls_release};

int server_tls_wrap(struct server_tls *tls, int fd, struct transport *t)
{
	SSL *ssl = SSL_new(tls->ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return -1;
	}
	SSL_set_accept_state(ssl);
	*t = (struct transport){.ops = &tls_ops, .fd = fd, .tls = ssl};
	return 0;
}

/* --- certificates --------------------------------------------------------------------------- */

static int stamp(const char *path, struct file_stamp *out, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(err, ERR_IO, "cannot read %s: %m", path);
	*out = (struct file_stamp){st.st_mtim, st.st_ino, st.st_size};
	return 0;
}

static bool same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ino == b->ino && a->size == b->size;
}

/* A key with a passphrase must fail, not ask on the terminal. */
static int no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

static int load(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return err_set(err, ERR_INVALID, "%s: no PEM certificate that can be used in it",
		               cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return err_set(err, ERR_INVALID,
		               "%s: no PEM private key without a passphrase in it, or not the key "
		               "of %s",
		               key, cert);
	return 0;
}

static SSL_CTX *context_new(const char *cert, const char *key, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx) {
		err_set(err, ERR_INTERNAL, "cannot make a TLS context");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* The rest of an answer may have moved in memory when the write is tried again. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                              SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	if (load(ctx, cert, key, err) < 0) {
		ERR_clear_error();
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

struct server_tls *server_tls_new(const char *cert_file, const char *key_file, struct err *err)
{
	struct server_tls *t = xcalloc(1, sizeof(*t));

	t->cert_file = xstrdup(cert_file);
	t->key_file = xstrdup(key_file);
	/* Stamps first: a change while we read is then seen as one at the next look. */
	if (stamp(cert_file, &t->cert, err) == 0 && stamp(key_file, &t->key, err) == 0)
		t->ctx = context_new(cert_file, key_file, err);
	if (t->ctx)
		return t;
	server_tls_free(t);
	return NULL;
}

void server_tls_free(struct server_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t->cert_file);
	free(t->key_file);
	free(t);
}

/* A pair that is half written is refused and looked at again; the old one goes on serving. */
void server_tls_refresh(struct server_tls *t, int64_t now_ms)
{
	struct file_stamp cert, key;
	struct err err = ERR_INIT;
	SSL_CTX *ctx;

	if (now_ms - t->looked_ms < LOOK_INTERVAL_MS)
		return;
	t->looked_ms = now_ms;
	if (stamp(t->cert_file, &cert, &err) < 0 || stamp(t->key_file, &key, &err) < 0) {
		log_warn("serving certificate cannot be read, keeping the old one", LE(&err));
		return;
	}
	if (same(&cert, &t->cert) && same(&key, &t->key))
		return;
	ctx = context_new(t->cert_file, t->key_file, &err);
	if (!ctx) {
		log_warn("serving certificate cannot be used, keeping the old one", LE(&err));
		return;
	}
	SSL_CTX_free(t->ctx); /* running connections hold a reference of their own */
	t->ctx = ctx;
	t->cert = cert;
	t->key = key;
	log_info("serving certificate read again", LS("file", t->cert_file));
}
