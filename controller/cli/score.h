/* `tidegate score`: options, and input documents whose faults are told by file, line and field. */
#ifndef TIDEGATE_CLI_SCORE_H
#define TIDEGATE_CLI_SCORE_H

#include <stdbool.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

enum score_output { SCORE_TABLE, SCORE_JSON };
/* BY_POLICY: none was named. */
enum score_judge { SCORE_SEQUENTIAL, SCORE_THRESHOLDS, SCORE_KAYENTA, SCORE_BY_POLICY };

struct score_options {
	enum score_judge judge;
	const char *config, *pairs;   /* kayenta */
	const char *policy, *samples; /* the others */
	double pass, marginal;        /* NaN = not said */
	enum score_output output;
	bool help;
};

/* All return an exit code; what is wrong has been printed. */
int score_kayenta(const struct score_options *o);
int score_samples(const struct score_options *o);

/* One JSON or YAML document. */
struct document {
	const char *name; /* of the file, for messages */
	struct buf text;
	struct arena arena;
	const struct json *json; /* NULL before it was loaded */
	unsigned line;           /* where it begins */
};
void document_init(struct document *d, const char *path);
void document_release(struct document *d);
int document_load(struct document *d, struct err *err);
/* Puts "FILE:LINE: FIELD: " before the message; `field` may be "". */
void document_locate(const struct document *d, const char *field, struct err *err);

#endif
