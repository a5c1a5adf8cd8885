/* What a request's path and method ask for, in either protocol. */
#ifndef BED_MODELSERVER_ROUTE_H
#define BED_MODELSERVER_ROUTE_H

enum verb {
	VERB_NONE, /* nothing lives there */
	VERB_BAD_METHOD,
	VERB_METRICS,
	VERB_TFS_STATUS,   /* GET  /v1/models/N[/versions/V] */
	VERB_TFS_METADATA, /* GET  /v1/models/N[/versions/V]/metadata */
	VERB_TFS_PREDICT,  /* POST /v1/models/N[/versions/V]:predict */
	VERB_V2_SERVER,    /* GET  /v2 */
	VERB_V2_LIVE,      /* GET  /v2/health/live */
	VERB_V2_READY,     /* GET  /v2/health/ready */
	VERB_V2_MODEL,     /* GET  /v2/models/N[/versions/V] */
	VERB_V2_MODEL_READY,
	VERB_V2_INFER, /* POST /v2/models/N[/versions/V]/infer */
};

#define ROUTE_NAME_MAX 256

struct route {
	enum verb verb;
	char model[ROUTE_NAME_MAX];
	char version[ROUTE_NAME_MAX]; /* "" when the path names none */
};

void route_parse(struct route *r, const char *method, const char *path);

#endif
