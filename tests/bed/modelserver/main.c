/*
 * modelserver: a small real model server for the test bed.
 *
 * Loads weights, then opens its port, then answers; SIGTERM finishes what is under way and exits 0.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/net/loop.h"

#include "config.h"
#include "service.h"

struct program {
	struct loop *loop;
	struct config config;
	struct service service;
	struct timer load_timer, crash_timer;
	bool open;
	int exit_code;
};

static void stop(void *arg)
{
	struct program *p = arg;

	loop_stop(p->loop);
}

static void on_signal(void *arg, int signo)
{
	struct program *p = arg;

	(void)signo;
	log_info("stopping");
	if (p->open)
		service_drain(&p->service, stop, p);
	else
		stop(p);
}

static void on_fault_signal(void *arg, int signo)
{
	struct program *p = arg;

	fault_signal(&p->service.fault, signo);
	log_info("faults", LB("hanging", p->service.fault.hangs),
	         LB("errors", p->service.fault.errs));
}

static void fail(struct program *p, const struct err *err, const char *what)
{
	log_error(what, LE(err));
	p->exit_code = 1;
	stop(p);
}

static void crash(void *arg)
{
	const struct rlimit no_core = {0, 0};

	(void)arg;
	log_error("injected crash");
	setrlimit(RLIMIT_CORE, &no_core);
	abort();
}

static void open_port(void *arg)
{
	struct program *p = arg;
	struct err err = ERR_INIT;

	if (service_open(&p->service, &err)) {
		fail(p, &err, "cannot open the port");
		return;
	}
	p->open = true;
	log_info("serving", LS("address", server_address(p->service.server)),
	         LS("model", p->config.model_name), LS("version", p->service.version));
	if (p->config.crash_after_ms > 0)
		timer_start(&p->crash_timer, p->config.crash_after_ms);
}

static void load(void *arg)
{
	struct program *p = arg;
	int64_t start = clock_mono_ms(), left;
	struct err err = ERR_INIT;

	if (service_load(&p->service, &err)) {
		fail(p, &err, "cannot load the model");
		return;
	}
	left = start + p->config.load_ms - clock_mono_ms();
	timer_init(&p->load_timer, p->loop, open_port, p);
	timer_start(&p->load_timer, left > 0 ? left : 0);
}

static void run(struct program *p)
{
	p->loop = loop_new();
	service_init(&p->service, p->loop, &p->config);
	timer_init(&p->crash_timer, p->loop, crash, p);
	if (p->config.ignore_sigterm)
		signal(SIGTERM, SIG_IGN);
	else
		loop_on_signal(p->loop, SIGTERM, on_signal, p);
	loop_on_signal(p->loop, SIGINT, on_signal, p);
	loop_on_signal(p->loop, SIGUSR1, on_fault_signal, p);
	loop_on_signal(p->loop, SIGUSR2, on_fault_signal, p);
	loop_defer(p->loop, load, p);
	loop_run(p->loop);
	service_release(&p->service);
	timer_release(&p->load_timer);
	timer_release(&p->crash_timer);
	loop_free(p->loop);
}

int main(int argc, char **argv)
{
	struct program p = {.exit_code = 0};
	struct err err = ERR_INIT;

	if (config_load(&p.config, argc, argv, &err)) {
		log_error("bad configuration", LE(&err));
		return 2;
	}
	if (p.config.help) {
		config_usage();
		return 0;
	}
	run(&p);
	return p.exit_code;
}
