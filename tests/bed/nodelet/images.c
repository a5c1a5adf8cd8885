#include "images.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"

#define IMAGE_MAP_MAX (1u << 20)

static int check_entry(const struct json *entry, const char *path, struct err *err)
{
	if (json_size(json_get(entry, "command")) == 0 && json_size(json_get(entry, "paths")) == 0)
		return err_set(err, ERR_INVALID, "%s: \"%s\" needs \"command\" or \"paths\"", path,
		               json_key(entry));
	return 0;
}

int images_load(struct images *m, const char *path, struct err *err)
{
	cleanup_buf struct buf text;
	const struct json *entry;

	buf_init(&text, IMAGE_MAP_MAX);
	arena_init(&m->arena, 0);
	if (file_read(path, &text, err))
		return -1;
	m->map = json_parse(&m->arena, text.data, text.len, err);
	if (!m->map)
		return err_wrap(err, "%s", path);
	json_for_each (entry, m->map) {
		if (check_entry(entry, path, err))
			return -1;
	}
	return 0;
}

void images_release(struct images *m)
{
	arena_release(&m->arena);
}

const struct json *images_find(const struct images *m, const char *image)
{
	const struct json *entry = json_get(m->map, image);
	const char *name = strrchr(image, '/');
	const char *tag = strpbrk(name ? name : image, ":@");
	cleanup_free char *untagged = NULL;

	if (entry || !tag)
		return entry;
	untagged = xstrndup(image, (size_t)(tag - image));
	return json_get(m->map, untagged);
}

const char *image_path(const struct json *entry, const char *argv0)
{
	return str_or(json_str(json_get(entry, "paths"), argv0), argv0);
}
