#include "http_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* First certificate of a PEM text, NULL when there is none. */
static X509 *first_cert(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

	BIO_free(b);
	ERR_clear_error();
	return x;
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

static EVP_PKEY *read_key(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;

	BIO_free(b);
	ERR_clear_error();
	return k;
}

static int check_pair(const char *cert_pem, const char *key_pem, struct err *err)
{
	X509 *x = first_cert(cert_pem);
	EVP_PKEY *k = read_key(key_pem);
	int rc = 0;

	if (!x)
		rc = err_set(err, ERR_INVALID, "client certificate: no PEM certificate in it");
	else if (!k)
		rc = err_set(err, ERR_INVALID,
		             "client key: no PEM private key without a passphrase in it");
	else if (X509_check_private_key(x, k) != 1)
		rc = err_set(err, ERR_INVALID, "client key does not belong to the certificate");
	ERR_clear_error();
	X509_free(x);
	EVP_PKEY_free(k);
	return rc;
}

/* What can be found wrong before the first connection is said at once, by name. */
int http_tls_check(const struct http_tls *t, struct err *err)
{
	X509 *ca;

	if (!t->cert_pem != !t->key_pem)
		return err_set(err, ERR_INVALID, "client %s is given without the %s",
		               t->cert_pem ? "certificate" : "key",
		               t->cert_pem ? "key" : "certificate");
	if (t->cert_pem && check_pair(t->cert_pem, t->key_pem, err) < 0)
		return -1;
	if (!t->ca_pem)
		return 0;
	ca = first_cert(t->ca_pem);
	if (!ca)
		return err_set(err, ERR_INVALID, "CA bundle: no PEM certificate in it");
	X509_free(ca);
	return 0;
}

void http_tls_copy(struct http_credentials *to, const struct http_client_options *o)
{
	to->ca_pem = xstrdup_null(o->tls.ca_pem);
	to->cert_pem = xstrdup_null(o->tls.cert_pem);
	to->key_pem = xstrdup_null(o->tls.key_pem);
	to->server_name = str_empty(o->tls.server_name) ? NULL : xstrdup(o->tls.server_name);
	to->insecure = o->tls.insecure;
	to->ca_only = o->verify_with_ca_only;
}

void http_tls_release(struct http_credentials *t)
{
	if (t->key_pem)
		explicit_bzero(t->key_pem, strlen(t->key_pem));
	free(t->ca_pem);
	free(t->cert_pem);
	free(t->key_pem);
	free(t->server_name);
}

/* The client outlives its easy handles, so libcurl need not copy the text for each. */
static void set_blob(CURL *easy, CURLoption option, char *pem)
{
	struct curl_blob blob = {pem, pem ? strlen(pem) : 0, CURL_BLOB_NOCOPY};

	if (pem)
		curl_easy_setopt(easy, option, &blob);
}

void http_tls_apply(const struct http_credentials *t, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, t->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, t->insecure ? 0L : 2L);
	/* A resumed session is not verified again; handshakes are rare here. */
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	set_blob(easy, CURLOPT_CAINFO_BLOB, t->ca_pem);
	/* The blob replaces the default bundle file, but not the default folder of hashes. */
	if (t->ca_pem && t->ca_only) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	set_blob(easy, CURLOPT_SSLCERT_BLOB, t->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, t->key_pem);
}
