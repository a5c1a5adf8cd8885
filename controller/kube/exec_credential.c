/* The ExecCredential that a credential plugin prints. */
#include <string.h>

#include "exec.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

static void free_secret(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void exec_credential_release(struct exec_credential *c)
{
	free_secret(&c->token);
	free_secret(&c->key_pem);
	free(c->cert_pem);
	c->cert_pem = NULL;
}

static int check_head(const struct json *json, const char *api_version, struct err *err)
{
	const char *kind = json_str(json, "kind"), *version = json_str(json, "apiVersion");

	if (!str_eq(kind, "ExecCredential"))
		return err_set(err, ERR_PROTOCOL, "printed kind %s, not ExecCredential",
		               str_or(kind, "(none)"));
	if (!str_eq(version, api_version))
		return err_set(err, ERR_PROTOCOL,
		               "printed apiVersion %s, but the kubeconfig says exec.apiVersion %s",
		               str_or(version, "(none)"), api_version);
	if (!json_is_object(json_get(json, "status")))
		return err_set(err, ERR_PROTOCOL, "printed an ExecCredential without status");
	return 0;
}

static int take_expiry(struct exec_credential *out, const struct json *status, struct err *err)
{
	const char *s = json_str(status, "expirationTimestamp");

	if (!json_has(status, "expirationTimestamp"))
		return 0;
	if (!s || clock_parse(s, &out->expires_ms) < 0)
		return err_set(err, ERR_PROTOCOL,
		               "printed a status.expirationTimestamp that is not RFC 3339");
	return 0;
}

/* A token ends up in a header line. */
static bool token_is_clean(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

static int take_status(struct exec_credential *out, const struct json *status, struct err *err)
{
	const char *token = json_str(status, "token");
	const char *cert = json_str(status, "clientCertificateData");
	const char *key = json_str(status, "clientKeyData");

	if (str_empty(cert) != str_empty(key))
		return err_set(err, ERR_PROTOCOL, "printed %s without %s",
		               str_empty(cert) ? "clientKeyData" : "clientCertificateData",
		               str_empty(cert) ? "clientCertificateData" : "clientKeyData");
	if (str_empty(token) && str_empty(cert))
		return err_set(err, ERR_PROTOCOL,
		               "printed neither a token nor a client certificate");
	if (token && !token_is_clean(token))
		return err_set(err, ERR_PROTOCOL,
		               "printed a token with a blank or control character");
	if (take_expiry(out, status, err) < 0)
		return -1;
	if (!str_empty(token))
		out->token = xstrdup(token);
	if (!str_empty(cert)) {
		out->cert_pem = xstrdup(cert);
		out->key_pem = xstrdup(key);
	}
	return 0;
}

static bool is_blank(const char *text, size_t len)
{
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	return len == 0;
}

int exec_credential_parse(struct exec_credential *out, const char *api_version, const char *text,
                          size_t len, struct err *err)
{
	struct arena arena cleanup_arena;
	const struct json *json;

	memset(out, 0, sizeof(*out));
	arena_init(&arena, 0);
	if (is_blank(text, len))
		return err_set(err, ERR_PROTOCOL, "printed nothing");
	/* The parser's own message may quote the text, and that may be the secret. */
	json = json_parse(&arena, text, len, NULL);
	if (!json)
		return err_set(err, ERR_PROTOCOL, "printed something that is not JSON");
	if (check_head(json, api_version, err) < 0)
		return -1;
	return take_status(out, json_get(json, "status"), err);
}
