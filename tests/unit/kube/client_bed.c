/* Fixture of the client's tests, see client_bed.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client_bed.h"
#include "fake_api.c"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"

int bed_quiet(void **state)
{
	(void)state;
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return 0;
}

int bed_setup(void **state)
{
	struct bed *b = xcalloc(1, sizeof(*b));

	str_copy(b->dir, sizeof(b->dir), "/tmp/tidegate-call-XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->file, sizeof(b->file), "%s/file", b->dir);
	snprintf(b->other, sizeof(b->other), "%s/other", b->dir);
	b->loop = loop_new();
	b->api = fake_api_new(b->loop);
	b->cfg.source = S("test");
	b->cfg.server = S(fake_api_url(b->api));
	*state = b;
	return 0;
}

int bed_teardown(void **state)
{
	struct bed *b = *state;

	kube_client_free(b->client);
	fake_api_free(b->api);
	loop_free(b->loop);
	unlink(b->file);
	unlink(b->other);
	rmdir(b->dir);
	free(b);
	return 0;
}

struct kube_client *bed_client(struct bed *b, int max_in_flight)
{
	struct kube_client_options o = {.max_in_flight = max_in_flight};
	struct err err = ERR_INIT;

	b->client = kube_client_new(b->loop, &b->cfg, &o, &err);
	if (!b->client)
		fail_msg("%s", err.msg);
	b->client->retry_ms = 2;
	return b->client;
}

void bed_put(const char *path, const char *text)
{
	assert_int_equal(file_write(path, text, strlen(text), 0700, NULL), 0);
}

void bed_done(void *arg, const struct kube_response *r)
{
	struct answer *a = arg;

	a->done = true;
	a->count++;
	a->status = r->status;
	a->err = r->err;
	snprintf(a->body, sizeof(a->body), "%.*s", (int)r->body_len, r->body);
}

int bed_data(void *arg, int status, const char *data, size_t len)
{
	struct answer *a = arg;
	size_t used = strlen(a->data);

	assert_int_equal(status, 200);
	snprintf(a->data + used, sizeof(a->data) - used, "%.*s", (int)len, data);
	return 0;
}

struct kube_call *bed_start(struct bed *b, struct answer *a, const struct kube_request *r)
{
	struct kube_request copy = *r;
	struct kube_call *call;

	memset(a, 0, sizeof(*a));
	copy.on_done = bed_done;
	copy.arg = a;
	if (copy.body)
		copy.body_len = strlen(copy.body);
	call = kube_call(b->client, &copy);
	assert_false(a->done); /* never from inside */
	return call;
}

void bed_run(struct bed *b, struct answer *a, const struct kube_request *r)
{
	bed_start(b, a, r);
	assert_true(fake_api_run(b->loop, &a->done, 10000));
	fake_api_idle(b->loop, 1);
	assert_int_equal(a->count, 1);
}
