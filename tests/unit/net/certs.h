/* Certificates made on the spot with libcrypto. */
#ifndef TESTS_NET_CERTS_H
#define TESTS_NET_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "fixture.h"

struct cert {
	X509 *x;
	EVP_PKEY *key;
	char *pem, *key_pem;
};

static inline char *bio_text(BIO *b)
{
	char *data;
	long n = BIO_get_mem_data(b, &data);
	char *s = xstrndup(data, (size_t)n);

	BIO_free(b);
	return s;
}

static inline void cert_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* san "DNS:a,IP:127.0.0.1"; NULL makes a CA. Valid from `from` to `to` seconds from now. */
static inline struct cert cert_make(const char *cn, const char *san, const struct cert *issuer,
                                    long from, long to)
{
	static long serial = 1;
	struct cert c = {.x = X509_new(), .key = EVP_EC_gen("P-256")};
	X509 *by = issuer ? issuer->x : c.x;
	X509_NAME *name = X509_get_subject_name(c.x);
	BIO *b;

	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x), from);
	X509_gmtime_adj(X509_getm_notAfter(c.x), to);
	X509_set_pubkey(c.x, c.key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(by));
	if (san)
		cert_extension(c.x, by, NID_subject_alt_name, san);
	else
		cert_extension(c.x, by, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(c.x, issuer ? issuer->key : c.key, EVP_sha256()) > 0);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, c.x);
	c.pem = bio_text(b);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(b, c.key, NULL, NULL, 0, NULL, NULL);
	c.key_pem = bio_text(b);
	return c;
}

static inline void cert_release(struct cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	free(c->pem);
	free(c->key_pem);
}

#endif
