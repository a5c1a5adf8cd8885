/*
 * YAML to JSON, so that there is one decoder for manifests, kubeconfigs and
 * configuration. Plain scalars mean what kubectl takes them for (sigs.k8s.io/yaml,
 * which reads YAML 1.1: yes and off are booleans, 0644 is octal); quoted scalars
 * are strings. A key that occurs twice in a mapping, a tag other than the core
 * ones, NaN and infinities are refused. Anchors, aliases and merge keys are
 * expanded within bounds: depth 100, output of a document 1 MB + 4 times the
 * input. Input is bounded to YAML_INPUT_MAX; JSON passes through unchanged and
 * unbounded.
 */
#ifndef TIDEGATE_BASE_YAML_H
#define TIDEGATE_BASE_YAML_H

#include <stddef.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/err.h"

#define YAML_INPUT_MAX ((size_t)16 << 20)

/*
 * Calls fn once for each document with its JSON text and the 1-based line it starts at.
 * Empty documents are skipped. fn returns 0 to go on;
 * anything else ends the walk and is returned. JSON input is YAML too.
 */
typedef int (*yaml_document_fn)(void *arg, const char *json, size_t len, unsigned line,
                                struct err *err);
int yaml_each_document(const char *text, size_t len, yaml_document_fn fn, void *arg,
                       struct err *err);
/* Exactly one document, into *json (emptied first), whose maximum bounds it too. */
int yaml_to_json(const char *text, size_t len, struct buf *json, struct err *err);

/*
 * Line (1-based) of the node at a dotted field path such as "spec.strategy.steps[1].weight" in
 * the document that starts at line `doc_line`; the nearest existing ancestor when the path itself
 * is not there.
 */
unsigned yaml_line_of(const char *text, size_t len, unsigned doc_line, const char *path);

#endif
