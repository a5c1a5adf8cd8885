/*
 * The model: a logistic regression, small but real. score = sigmoid(bias + weights . features).
 *
 * A version is the file <base>/<version>/weights.txt: numbers separated by white space, the bias
 * first, "#" starts a comment that ends with its line.
 */
#ifndef BED_MODELSERVER_MODEL_H
#define BED_MODELSERVER_MODEL_H

#include "tidegate/base/err.h"

#define MODEL_FEATURES_MAX       4096
#define MODEL_GENERATED_FEATURES 8

struct model {
	char *version;
	double bias;
	double *weights;
	unsigned features;
};

/*
 * version NULL: the folder with the highest name, numbers compared as numbers. base_path NULL:
 * weights computed from name and version, the same at every start.
 */
int model_load(struct model *m, const char *name, const char *version, const char *base_path,
               struct err *err);
void model_release(struct model *m);
double model_score(const struct model *m, const double *features);

#endif
