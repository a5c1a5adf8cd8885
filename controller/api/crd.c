/* The CRD files, as they were when this program was built. */
#include "crd.h"

/* .incbin: the file is the one truth, and no generator has to be run. */
#define EMBED(name, file)                                                                          \
	__asm__(".section .rodata\n"                                                               \
	        ".global " #name "\n" #name ":\n"                                                  \
	        ".incbin \"" file "\"\n"                                                           \
	        ".byte 0\n"                                                                        \
	        ".previous\n")

EMBED(crd_modeldeployments, "crds/serving.tidegate.io_modeldeployments.yaml");
EMBED(crd_scorepolicies, "crds/serving.tidegate.io_scorepolicies.yaml");
EMBED(crd_zoneshifts, "crds/serving.tidegate.io_zoneshifts.yaml");

extern const char crd_modeldeployments[], crd_scorepolicies[], crd_zoneshifts[];

const char *const crd_texts[CRDS] = {crd_modeldeployments, crd_scorepolicies, crd_zoneshifts};
