/* main.c: drover's sub-commands: reads the configuration, opens the log, hands over to proc/. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/log.h"
#include "proc/agent.h"
#include "proc/manager.h"
#include "proc/sandbox.h"
#include "proc/self.h"
#include "proc/serve.h"
#include "proc/signer.h"

static int run_serve(struct conf **conf)
{
    return serve_main(conf);
}

static int run_mdm(struct conf **conf)
{
    return manager_main(conf, PROGRAM_MDM);
}

static int run_console(struct conf **conf)
{
    return manager_main(conf, PROGRAM_CONSOLE);
}

static int run_signer(struct conf **conf)
{
    return signer_main(*conf);
}

static int run_agent(struct conf **conf)
{
    struct err err = {.outcome = OK};
    if (sandbox_enter((*conf)->agent_user, false, &err) != OK) {
        log_err(LOG_LEVEL_ERROR, "start", &err);
        return 1;
    }
    return agent_main(*conf);
}

static const struct {
    const char *name;
    int (*run)(struct conf **conf);
    const char *help;
} COMMANDS[] = {
    {"serve", run_serve, "start and supervise all the programs below"},
    {"mdm", run_mdm, "FastCGI workers for devices"},
    {"console", run_console, "FastCGI workers for administrators and the HTTP API"},
    {"agent", run_agent, "pushes and everything else that goes out; one per site works"},
    {"signer", run_signer, "the holder of keys"},
};
#define COMMANDS_N (sizeof COMMANDS / sizeof COMMANDS[0])

static void help(FILE *to)
{
    fprintf(to, "Usage: drover COMMAND [-c FILE]\n\n");
    for (size_t i = 0; i < COMMANDS_N; i++)
        fprintf(to, "  %-8s  %s\n", COMMANDS[i].name, COMMANDS[i].help);
    fprintf(to, "  %-8s  %s\n  %-8s  %s\n", "version", "print the version", "help",
            "print this text");
    fprintf(
        to,
        "\nmdm and console take descriptor 0 when a web server gives them its listening\n"
        "socket there. Without -c the configuration is $DROVER_CONF, else %s/drover/drover.conf.\n",
        DROVER_SYSCONFDIR);
}

/* The command and the file of "COMMAND -c FILE" or "-c FILE COMMAND". False: neither. */
static bool parse(int argc, char **argv, const char **command, const char **file)
{
    *command = *file = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc && !*file)
            *file = argv[++i];
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            *command = "help";
        else if (strcmp(argv[i], "--version") == 0)
            *command = "version";
        else if (argv[i][0] != '-' && !*command)
            *command = argv[i];
        else
            return false;
    }
    return *command != NULL;
}

static int run(const char *name, int (*fn)(struct conf **conf), const char *file)
{
    struct err err = {.outcome = OK};
    struct conf *conf = NULL;
    enum log_level level = LOG_LEVEL_INFO;
    int status = 1;
    if (conf_load(conf_path(file), &conf, &err) != OK) {
        fprintf(stderr, "drover %s: %s\n", name, err.msg);
        return 1;
    }
    if (!log_level_parse(conf->log_level, &level) || log_open(conf->log, level, name, &err) != OK)
        fprintf(stderr, "drover %s: %s\n", name, err.msg);
    else
        status = fn(&conf);
    conf_free(&conf);
    return status;
}

/* A log that is rotated while a program starts must not end it: whoever has got so far as to open
 * logs again takes the signal. */
static void hold_rotation(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
    const char *command, *file;
    self_save(argv);
    hold_rotation();
    if (!parse(argc, argv, &command, &file)) {
        help(stderr);
        return 2;
    }
    if (strcmp(command, "version") == 0) {
        puts("Drover " DROVER_VERSION);
        return 0;
    }
    if (strcmp(command, "help") == 0) {
        help(stdout);
        return 0;
    }
    for (size_t i = 0; i < COMMANDS_N; i++)
        if (strcmp(command, COMMANDS[i].name) == 0)
            return run(COMMANDS[i].name, COMMANDS[i].run, file);
    fprintf(stderr, "drover: there is no command \"%s\"\n", command);
    help(stderr);
    return 2;
}
