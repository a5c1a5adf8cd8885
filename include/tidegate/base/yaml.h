/*
 * YAML to JSON, so that there is one decoder for manifests, kubeconfigs and
 * configuration. YAML 1.2 core schema for plain scalars as sigs.k8s.io/yaml
 * reads them (true/false/null/numbers; quoted scalars are strings). Anchors and
 * aliases are expanded within bounds (depth 100, 1 MB of output a document).
 */
#ifndef TIDEGATE_BASE_YAML_H
#define TIDEGATE_BASE_YAML_H

#include <stddef.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

/*
 * Calls fn once for each document with its JSON text and the 1-based line it starts at.
 * Empty documents are skipped. fn returns 0 to go on. JSON input is YAML too.
 */
typedef int (*yaml_document_fn)(void *arg, const char *json, size_t len, unsigned line,
				struct err *err);
int yaml_each_document(const char *text, size_t len, yaml_document_fn fn, void *arg,
		       struct err *err);
/* Exactly one document. */
int yaml_to_json(const char *text, size_t len, struct buf *json, struct err *err);

/*
 * Line (1-based) of the node at a dotted field path such as "spec.strategy.steps[1].weight" in
 * the document that starts at line `doc_line`; the nearest existing ancestor when the path itself
 * is not there.
 */
unsigned yaml_line_of(const char *text, size_t len, unsigned doc_line, const char *path);

#endif
