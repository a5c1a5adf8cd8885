/* The request rule of component-helpers resource/helpers.go, row by row. */
#include "fixture.h"

struct row {
	const char *what, *members;
	int64_t cpu, memory, gpus;
};

#define C(cpu, mem) "{'name':'c','resources':{'requests':{'cpu':'" cpu "','memory':'" mem "'}}}"
#define INIT(cpu)   "{'name':'i','resources':{'requests':{'cpu':'" cpu "'}}}"
#define SIDECAR(cpu)                                                                               \
	"{'name':'s','restartPolicy':'Always','resources':{'requests':{'cpu':'" cpu "'}}}"

static const struct row rows[] = {
	{"no containers", "'spec':{}", 0, 0, 0},
	{"sum of containers", "'spec':{'containers':[" C("500m", "1Gi") "," C("1", "1Mi") "]}",
         1500, (1 << 30) + (1 << 20), 0},
	{"a larger init container counts alone",
         "'spec':{'containers':[" C("1", "0") "],'initContainers':[" INIT("3") "]}", 3000, 0, 0},
	{"a smaller one does not count",
         "'spec':{'containers':[" C("1", "0") "],'initContainers':[" INIT("500m") "]}", 1000, 0, 0},
	{"init containers run one after another",
         "'spec':{'containers':[" C("1", "0") "],'initContainers':[" INIT("2") "," INIT("3") "]}",
         3000, 0, 0},
	{"a sidecar adds to the containers",
         "'spec':{'containers':[" C("1", "0") "],'initContainers':[" SIDECAR("2") "]}", 3000, 0, 0},
	{"an init container after a sidecar runs beside it",
         "'spec':{'containers':[" C("1",
                                    "0") "],'initContainers':[" SIDECAR("2") "," INIT("4") "]}",
         6000, 0, 0},
	{"an init container before a sidecar does not",
         "'spec':{'containers':[" C("1",
                                    "0") "],'initContainers':[" INIT("4") "," SIDECAR("2") "]}",
         4000, 0, 0},
	{"sidecars add up while starting",
         "'spec':{'containers':[],'initContainers':[" SIDECAR("2") "," SIDECAR("3") "]}", 5000, 0,
         0},
	{"pod-level requests override cpu and memory",
         "'spec':{'containers':[" C("4",
                                    "4") "],'resources':{'requests':{'cpu':'2','memory':'1'}}}",
         2000, 1, 0},
	{"pod-level requests do not override cards",
         "'spec':{'containers':[{'resources':{'requests':{'nvidia.com/gpu':'2'}}}],"
         "'resources':{'requests':{'nvidia.com/gpu':'9'}}}",
         0, 0, 2},
	{"overhead comes on top of all",
         "'spec':{'containers':[" C("1", "0") "],'resources':{'requests':{'cpu':'2'}},"
                                              "'overhead':{'cpu':'250m','memory':'5'}}",
         2250, 5, 0},
	{"cards of containers add up",
         "'spec':{'containers':[{'resources':{'requests':{'nvidia.com/gpu':'1'}}},"
         "{'resources':{'requests':{'nvidia.com/gpu':2}}}]}",
         0, 0, 3},
	{"a limit alone is a request",
         "'spec':{'containers':[{'resources':{'limits':{'nvidia.com/gpu':'4','cpu':'1'}}}]}", 1000,
         0, 4},
	{"a request wins over the limit",
         "'spec':{'containers':[{'resources':{'limits':{'cpu':'4'},'requests':{'cpu':'1'}}}]}",
         1000, 0, 0},
	{"a resize that is under way counts the greatest",
         "'spec':{'containers':[" C(
		 "1",
		 "0") "]},'status':{'containerStatuses':[{'name':'c',"
                      "'allocatedResources':{'cpu':'3'},'resources':{'requests':{'cpu':'2'}}}]}",
         3000, 0, 0},
	{"an infeasible resize does not count its wish",
         "'spec':{'containers':[" C("8", "0") "]},'status':{'conditions':[{'type':"
                                              "'PodResizePending','reason':'Infeasible','status':'"
                                              "True'}],'containerStatuses':[{'name':"
                                              "'c','allocatedResources':{'cpu':'3'},'resources':{'"
                                              "requests':{'cpu':'2'}}}]}",
         3000, 0, 0},
	{"a deferred resize counts its wish",
         "'spec':{'containers':[" C("8", "0") "]},'status':{'conditions':[{'type':"
                                              "'PodResizePending','reason':'Deferred','status':'"
                                              "True'}],'containerStatuses':[{'name':"
                                              "'c','allocatedResources':{'cpu':'3'},'resources':{'"
                                              "requests':{'cpu':'2'}}}]}",
         8000, 0, 0},
	{"a status without resources says nothing",
         "'spec':{'containers':[" C("1", "0") "]},'status':{'containerStatuses':[{'name':'c',"
                                              "'allocatedResources':{'cpu':'3'}}]}",
         1000, 0, 0},
	{"rounded up below a thousandth", "'spec':{'containers':[" C("0.1m", "0.5") "]}", 1, 1, 0},
	{"negative and unreadable ones are nothing",
         "'spec':{'containers':[" C("-1", "lots") ",{'resources':{'requests':{'cpu':-4}}}]}", 0, 0,
         0},
	{"a wrong type is nothing",
         "'spec':{'containers':[{'resources':{'requests':['cpu']}},{'resources':5},7]}", 0, 0, 0},
	{"a request of 0 cards is none",
         "'spec':{'containers':[{'resources':{'requests':{'nvidia.com/gpu':'0'}}}]}", 0, 0, 0},
};

static int64_t gpus(const struct pod *p)
{
	assert_true(p->nextended <= 1);
	return p->nextended ? p->extended[0].amount : 0;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pod *p = decode_members(&pod_kind, "", rows[i].members);

		print_message("%s\n", rows[i].what);
		assert_int_equal(p->cpu_milli, rows[i].cpu);
		assert_int_equal(p->memory, rows[i].memory);
		assert_int_equal(gpus(p), rows[i].gpus);
		assert_null(p->constraints->unsupported);
		free(p);
	}
}

/* Sums of the greatest quantities stay the greatest: they never wrap to something that fits. */
static void test_saturation(void **state)
{
	char *spec, *list = xstrdup("");
	struct pod *p;

	(void)state;
	for (int i = 0; i < 1200; i++) {
		char *more =
			xasprintf("%s%s{'resources':{'requests':{'memory':'9E','x.io/y':'9E'}}}",
		                  list, i ? "," : "");

		free(list);
		list = more;
	}
	spec = xasprintf("'spec':{'containers':[%s]}", list);
	p = decode_members(&pod_kind, "", spec);
	assert_true(p->memory > INT64_MAX / 2);
	assert_true(p->extended[0].amount > INT64_MAX / 2);
	free(p);
	free(spec);
	free(list);
}

static void test_too_many_resources(void **state)
{
	char *list = xstrdup(""), *spec;
	struct pod *p;

	(void)state;
	for (int i = 0; i < 65; i++) {
		char *more = xasprintf("%s%s'x.io/r%d':'1'", list, i ? "," : "", i);

		free(list);
		list = more;
	}
	spec = xasprintf("'spec':{'containers':[{'resources':{'requests':{%s}}}]}", list);
	p = decode_members(&pod_kind, "", spec);
	assert_non_null(p->constraints->unsupported);
	free(p);
	free(spec);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_saturation),
		cmocka_unit_test(test_too_many_resources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
