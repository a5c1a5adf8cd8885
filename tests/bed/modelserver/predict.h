/*
 * The two request formats of a prediction, read and answered.
 * TensorFlow Serving: {"instances":[[...]]} -> {"predictions":[...]}.
 * Open Inference V2: one FP32/FP64 input tensor [rows, features] -> one output tensor [rows].
 */
#ifndef BED_MODELSERVER_PREDICT_H
#define BED_MODELSERVER_PREDICT_H

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

#include "model.h"

/* Hears of every score that is computed. */
struct predict_listener {
	void (*fn)(void *arg, double score);
	void *arg;
};

int predict_rest(const struct model *m, const struct predict_listener *l, const char *body,
                 size_t len, struct buf *answer, struct err *err);
/* name and version are those to put into the answer. */
int predict_v2(const struct model *m, const struct predict_listener *l, const char *name,
               const char *version, const char *body, size_t len, struct buf *answer,
               struct err *err);

#endif
