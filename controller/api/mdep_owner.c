#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"

void mdep_owner_write(struct json_writer *w, const struct mdep *m)
{
	/* Read from a file: there is nothing yet that could own. */
	if (!*m->meta.uid)
		return;
	jw_array(w, "ownerReferences");
	jw_object(w, NULL);
	jw_str(w, "apiVersion", TG_API_VERSION);
	jw_str(w, "kind", "ModelDeployment");
	jw_str(w, "name", m->meta.name);
	jw_str(w, "uid", m->meta.uid);
	jw_bool(w, "controller", true);
	jw_bool(w, "blockOwnerDeletion", true);
	jw_end_object(w);
	jw_end_array(w);
}
