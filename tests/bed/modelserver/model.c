#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"

#define WEIGHTS_FILE_MAX (1u << 20)

static void cleanup_dir_fn(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool version_newer(const char *a, const char *b)
{
	int64_t x, y;

	if (!b)
		return true;
	if (str_to_i64(a, &x) && str_to_i64(b, &y))
		return x > y;
	return str_cmp(a, b) > 0;
}

static int newest_version(const char *base_path, char **version, struct err *err)
{
	__attribute__((cleanup(cleanup_dir_fn))) DIR *d = opendir(base_path);
	const struct dirent *e;

	if (!d)
		return err_set_errno(err, ERR_IO, errno, "%s", base_path);
	while ((e = readdir(d))) {
		cleanup_free char *file = xasprintf("%s/%s/weights.txt", base_path, e->d_name);

		if (access(file, R_OK) == 0 && version_newer(e->d_name, *version))
			xstr_replace(version, e->d_name);
	}
	if (!*version)
		return err_set(err, ERR_NOT_FOUND, "%s: no version in this folder", base_path);
	return 0;
}

static void blank_comments(char *text)
{
	for (char *p = text; (p = strchr(p, '#'));) {
		while (*p && *p != '\n')
			*p++ = ' ';
	}
}

static int parse_weights(struct model *m, char *text, const char *path, struct err *err)
{
	static const char blanks[] = " \t\r\n";
	unsigned count = 0;
	char *save = NULL;

	blank_comments(text);
	m->weights = xcalloc(MODEL_FEATURES_MAX, sizeof(*m->weights));
	for (char *word = strtok_r(text, blanks, &save); word;
	     word = strtok_r(NULL, blanks, &save)) {
		double v;

		if (!str_to_double(word, &v) || !isfinite(v))
			return err_set(err, ERR_INVALID, "%s: \"%s\" is not a weight", path, word);
		if (count > MODEL_FEATURES_MAX)
			return err_set(err, ERR_TOO_BIG, "%s: more than %d weights", path,
			               MODEL_FEATURES_MAX);
		if (count == 0)
			m->bias = v;
		else
			m->weights[count - 1] = v;
		count++;
	}
	if (count < 2)
		return err_set(err, ERR_INVALID, "%s: needs a bias and at least one weight", path);
	m->features = count - 1;
	m->weights = xreallocarray(m->weights, m->features, sizeof(*m->weights));
	return 0;
}

static int load_file(struct model *m, const char *base_path, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s/weights.txt", base_path, m->version);
	cleanup_buf struct buf text;

	buf_init(&text, WEIGHTS_FILE_MAX);
	if (file_read(path, &text, err))
		return -1;
	return parse_weights(m, text.data, path, err);
}

/* A number in [-1, 1) from a hash. */
static double unit_of(uint64_t h)
{
	return (double)(h >> 11) / (double)(1ULL << 52) - 1.0;
}

static void generate(struct model *m, const char *name)
{
	uint64_t h = str_hash(STR_HASH_SEED, name, strlen(name) + 1);

	h = str_hash(h, m->version, strlen(m->version));
	m->features = MODEL_GENERATED_FEATURES;
	m->weights = xcalloc(m->features, sizeof(*m->weights));
	for (unsigned i = 0; i < m->features; i++) {
		h = str_hash(h, &i, sizeof(i));
		m->weights[i] = unit_of(h);
	}
	m->bias = unit_of(str_hash(h, "bias", 4)) / 2;
}

int model_load(struct model *m, const char *name, const char *version, const char *base_path,
               struct err *err)
{
	*m = (struct model){.version = xstrdup_null(version)};
	if (!base_path) {
		if (!m->version)
			m->version = xstrdup("1");
		generate(m, name);
		return 0;
	}
	if (!m->version && newest_version(base_path, &m->version, err))
		return -1;
	return load_file(m, base_path, err);
}

void model_release(struct model *m)
{
	free(m->version);
	free(m->weights);
	*m = (struct model){0};
}

double model_score(const struct model *m, const double *features)
{
	double z = m->bias;

	for (unsigned i = 0; i < m->features; i++)
		z += m->weights[i] * features[i];
	return 1.0 / (1.0 + exp(-z));
}
