/* Texts of the CRDs (YAML), NULL-terminated. */
#ifndef TIDEGATE_API_CRD_H
#define TIDEGATE_API_CRD_H

extern const char *const crd_texts[];

#endif
