/* Texts of the CRDs (YAML). */
#ifndef TIDEGATE_API_CRD_H
#define TIDEGATE_API_CRD_H

#define CRDS 3

extern const char *const crd_texts[CRDS];

#endif
