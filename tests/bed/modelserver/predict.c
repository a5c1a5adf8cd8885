#include "predict.h"

#include "tidegate/base/arena.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

/* Takes the next `features` numbers of a flat array, *it being where to go on. */
static int read_row(const struct model *m, const struct json **it, double *row, struct err *err)
{
	for (unsigned i = 0; i < m->features; i++, *it = json_next(*it)) {
		if (!json_is_number(*it))
			return err_set(err, ERR_INVALID,
			               "an instance must be an array of %u numbers", m->features);
		row[i] = json_value_double(*it, 0);
	}
	return 0;
}

static void write_score(struct json_writer *w, const struct model *m,
                        const struct predict_listener *l, const double *row)
{
	double score = model_score(m, row);

	l->fn(l->arg, score);
	jw_double(w, NULL, score);
}

int predict_rest(const struct model *m, const struct predict_listener *l, const char *body,
                 size_t len, struct buf *answer, struct err *err)
{
	cleanup_arena struct arena arena;
	const struct json *root, *instances, *instance;
	struct json_writer w;
	double *row;

	arena_init(&arena, 0);
	root = json_parse(&arena, body, len, err);
	if (!root)
		return -1;
	instances = json_get(root, "instances");
	if (!json_is_array(instances))
		return err_set(err, ERR_INVALID, "missing \"instances\": an array is required");
	row = arena_array(&arena, m->features, sizeof(*row));
	jw_init(&w, answer);
	jw_object(&w, NULL);
	jw_array(&w, "predictions");
	json_for_each (instance, instances) {
		const struct json *it = json_first(instance);

		if (!json_is_array(instance) || json_size(instance) != m->features)
			it = NULL;
		if (read_row(m, &it, row, err))
			return -1;
		write_score(&w, m, l, row);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return jw_end(&w) ? err_set(err, ERR_TOO_BIG, "too many instances") : 0;
}

static const struct json *v2_input(const struct model *m, const struct json *root, int64_t *rows,
                                   struct err *err)
{
	const struct json *input = json_first(json_get(root, "inputs"));
	const struct json *shape = json_get(input, "shape");
	const char *type = json_str(input, "datatype");
	const struct json *data = json_get(input, "data");

	if (json_size(json_get(root, "inputs")) != 1 || !json_is_array(data))
		return err_set(err, ERR_INVALID, "\"inputs\" must be one tensor with \"data\""),
		       NULL;
	if (!str_eq(type, "FP32") && !str_eq(type, "FP64"))
		return err_set(err, ERR_INVALID, "datatype must be FP32 or FP64"), NULL;
	*rows = json_value_i64(json_first(shape), -1);
	if (json_size(shape) != 2 || *rows < 0 ||
	    json_value_i64(json_next(json_first(shape)), -1) != m->features ||
	    json_size(data) != (size_t)*rows * m->features)
		return err_set(err, ERR_INVALID, "shape must be [rows, %u] and fit \"data\"",
		               m->features),
		       NULL;
	return data;
}

int predict_v2(const struct model *m, const struct predict_listener *l, const char *name,
               const char *version, const char *body, size_t len, struct buf *answer,
               struct err *err)
{
	cleanup_arena struct arena arena;
	const struct json *root, *data, *it;
	struct json_writer w;
	int64_t rows;
	double *row;

	arena_init(&arena, 0);
	root = json_parse(&arena, body, len, err);
	data = root ? v2_input(m, root, &rows, err) : NULL;
	if (!data)
		return -1;
	row = arena_array(&arena, m->features, sizeof(*row));
	jw_init(&w, answer);
	jw_object(&w, NULL);
	jw_str(&w, "model_name", name);
	jw_str(&w, "model_version", version);
	jw_str(&w, "id", json_str(root, "id"));
	jw_array(&w, "outputs");
	jw_object(&w, NULL);
	jw_str(&w, "name", "score");
	jw_str(&w, "datatype", "FP64");
	jw_array(&w, "shape");
	jw_i64(&w, NULL, rows);
	jw_end_array(&w);
	jw_array(&w, "data");
	it = json_first(data);
	for (int64_t i = 0; i < rows; i++) {
		if (read_row(m, &it, row, err))
			return -1;
		write_score(&w, m, l, row);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return jw_end(&w) ? err_set(err, ERR_TOO_BIG, "too many rows") : 0;
}
