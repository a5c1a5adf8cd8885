/*
 * Any bytes as YAML: every document handed out must be valid JSON at a line that is there.
 */
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/json.h"
#include "tidegate/base/yaml.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct input {
	const char *text;
	size_t len;
	unsigned lines;
};

static int check_document(void *arg, const char *json, size_t len, unsigned line, struct err *err)
{
	static const char *const paths[] = {"", "a", "a.b[1].c", "[0]",
	                                    "metadata.annotations[x/y]"};
	const struct input *in = arg;
	size_t i;

	(void)err;
	if (json_check(json, len, NULL) < 0 || line < 1 || line > in->lines)
		abort();
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		unsigned found = yaml_line_of(in->text, in->len, line, paths[i]);

		if (found < 1 || found > in->lines)
			abort();
	}
	return 0;
}

/* YAML breaks lines also at CR, NEL, LS and PS; counted generously. */
static unsigned count_lines(const unsigned char *data, size_t size)
{
	unsigned n = 1;

	while (size--) {
		n += *data == '\n' || *data == '\r' || *data >= 0x80;
		data++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct input in = {(const char *)data, size, count_lines(data, size)};
	struct err err = ERR_INIT;

	if (yaml_each_document(in.text, size, check_document, &in, &err) < 0 && !err.msg[0])
		abort();
	return 0;
}
