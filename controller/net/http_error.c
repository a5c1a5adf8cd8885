#include "http_internal.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* libcurl's sentence when it has one, else its text for the code. */
static const char *detail(const struct http_call *call, CURLcode code)
{
	return call->curl_text[0] ? call->curl_text : curl_easy_strerror(code);
}

static void fill_connect(const struct http_call *call, CURLcode code, struct err *err)
{
	long os = 0;

	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os);
	if (os == ECONNREFUSED)
		err_set(err, ERR_TRANSPORT, "connection refused: is the server at %s running?",
		        call->target);
	else if (os == EHOSTUNREACH || os == ENETUNREACH)
		err_set(err, ERR_TRANSPORT, "no route to %s: check the network and the address",
		        call->target);
	else
		err_set(err, ERR_TRANSPORT, "cannot connect to %s: %s", call->target,
		        detail(call, code));
}

static void fill_timeout(const struct http_call *call, struct err *err)
{
	curl_off_t connected = 0, first_byte = 0;

	curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	curl_easy_getinfo(call->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
	if (!connected)
		err_set(err, ERR_TIMEOUT,
		        "no connection to %s within %d ms: host down or packets dropped on the way",
		        call->target,
		        call->timeout_ms && call->timeout_ms < call->connect_timeout_ms
		                ? call->timeout_ms
		                : call->connect_timeout_ms);
	else if (!call->head_bytes)
		err_set(err, ERR_TIMEOUT, "no answer from %s within %d ms", call->target,
		        call->timeout_ms);
	else
		err_set(err, ERR_TIMEOUT, "answer of %s not complete within %d ms", call->target,
		        call->timeout_ms);
}

/* We do not accept the server's certificate. */
static void fill_verify(struct http_call *call, CURLcode code, struct err *err)
{
	long verify = X509_V_OK;

	call->tls_refused = true;
	/* libcurl compares names itself, after OpenSSL's verdict; only its text tells. */
	if (strstr(detail(call, code), "target host")) {
		err_set(err, ERR_TRANSPORT,
		        "certificate of %s is for another name%s%s: check the address, or set the "
		        "TLS server name",
		        call->target, call->client->tls.server_name ? " than " : "",
		        str_or(call->client->tls.server_name, ""));
		return;
	}
	curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	switch (verify) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		err_set(err, ERR_TRANSPORT,
		        "certificate of %s has expired: renew it, or check this machine's clock",
		        call->target);
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		err_set(err, ERR_TRANSPORT,
		        "certificate of %s is not valid yet: check the clocks of both machines",
		        call->target);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		err_set(err, ERR_TRANSPORT,
		        "certificate of %s is signed by an unknown authority: check the CA bundle "
		        "configured for it",
		        call->target);
		return;
	default:
		err_set(err, ERR_TRANSPORT, "certificate of %s refused: %s", call->target,
		        detail(call, code));
	}
}

/*
 * The server's alerts about our certificate. With TLS 1.3 they arrive after the handshake, as an
 * error of the first read, so they are known by OpenSSL's text only.
 */
static bool is_client_cert_alert(const char *text)
{
	static const char *const alerts[] = {
		"alert certificate required", "alert bad certificate",
		"alert unknown ca",           "alert certificate expired",
		"alert certificate revoked",  "alert certificate unknown",
		"alert access denied",        "alert handshake failure"};

	for (size_t i = 0; i < ARRAY_SIZE(alerts); i++)
		if (strstr(text, alerts[i]))
			return true;
	return false;
}

static void fill_tls(struct http_call *call, CURLcode code, struct err *err)
{
	const char *text = detail(call, code);

	call->tls_refused = is_client_cert_alert(text);
	if (strstr(text, "wrong version number") || strstr(text, "packet length too long"))
		err_set(err, ERR_TRANSPORT,
		        "%s does not speak TLS: is the URL's scheme http, or the port another?",
		        call->target);
	else if (call->tls_refused)
		err_set(err, ERR_TRANSPORT,
		        "%s refused our client certificate (%s): renew it, or check which CA "
		        "signed it",
		        call->target, text);
	else
		err_set(err, ERR_TRANSPORT, "TLS with %s failed: %s", call->target, text);
}

static void fill_lost(struct http_call *call, CURLcode code, struct err *err)
{
	const char *text = detail(call, code);

	if (is_client_cert_alert(text))
		fill_tls(call, code, err);
	else if (code == CURLE_GOT_NOTHING)
		err_set(err, ERR_TRANSPORT, "%s closed the connection without an answer",
		        call->target);
	else
		err_set(err, ERR_TRANSPORT, "connection to %s lost: %s", call->target, text);
}

static void fill_write(const struct http_call *call, CURLcode code, struct err *err)
{
	if (call->too_big && call->head_bytes > HTTP_HEAD_MAX)
		err_set(err, ERR_TOO_BIG, "headers of the answer from %s are longer than %d bytes",
		        call->target, HTTP_HEAD_MAX);
	else if (call->too_big)
		err_set(err, ERR_TOO_BIG, "answer of %s is longer than %zu bytes", call->target,
		        call->answer.max);
	else if (call->refused)
		err_set(err, ERR_PROTOCOL, "answer of %s could not be used", call->target);
	else
		err_set(err, ERR_PROTOCOL, "answer of %s broken: %s", call->target,
		        detail(call, code));
}

void http_error_fill(struct http_call *call, CURLcode code, struct err *err)
{
	switch (code) {
	case CURLE_OK:
		err_clear(err);
		return;
	case CURLE_COULDNT_RESOLVE_HOST:
		err_set(err, ERR_TRANSPORT, "cannot resolve the name of %s: check it, and the DNS",
		        call->target);
		return;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		err_set(err, ERR_TRANSPORT, "proxy on the way to %s: %s", call->target,
		        detail(call, code));
		return;
	case CURLE_COULDNT_CONNECT:
		fill_connect(call, code, err);
		return;
	case CURLE_OPERATION_TIMEDOUT:
		fill_timeout(call, err);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
		fill_verify(call, code, err);
		return;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
		fill_tls(call, code, err);
		return;
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		err_set(err, ERR_INVALID, "TLS credentials for %s cannot be used: %s", call->target,
		        detail(call, code));
		return;
	case CURLE_WRITE_ERROR:
		fill_write(call, code, err);
		return;
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		err_set(err, ERR_PROTOCOL, "answer of %s is not proper HTTP/1.1: %s", call->target,
		        detail(call, code));
		return;
	case CURLE_ABORTED_BY_CALLBACK:
		err_set(err, ERR_TRANSPORT, "%s closed the connection without an answer",
		        call->target);
		return;
	case CURLE_URL_MALFORMAT:
		err_set(err, ERR_INVALID, "URL for %s: %s", call->target, detail(call, code));
		return;
	default:
		fill_lost(call, code, err);
	}
}
