/* Preloaded into a test program: calls its main PERFORCH_REPEAT times and then writes an end mark, so that a program that leaves early
 * with status 0 is told from one whose main returned. Works where the C library starts programs through __libc_start_main. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int (*main_type)(int, char **, char **);
typedef int (*start_type)(main_type, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static main_type program;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static char *taken(const char *name) {
    char *value = getenv(name);
    value = value ? strdup(value) : NULL;
    unsetenv(name);
    return value;
}

static int repeated(int argc, char **argv, char **envp) {
    char *repeat = taken("PERFORCH_REPEAT"), *mark = taken("PERFORCH_MARK"), *end = taken("PERFORCH_END");
    char *cold = taken("PERFORCH_COLD");
    unsetenv("LD_PRELOAD");
    long times = repeat ? atol(repeat) : 1;
    long long first = 0, rest = 0;
    char **given = malloc(sizeof(char *) * (argc + 1));
    memcpy(given, argv, sizeof(char *) * (argc + 1));
    for (long round = 0; round < times; round++) {
        memcpy(argv, given, sizeof(char *) * (argc + 1));
        optind = 1;
        long long started = cold ? now() : 0;
        int status = program(argc, argv, envp);
        if (status != 0) return status;
        if (cold) {
            long long spent = now() - started;
            if (round == 0) first = spent; else rest += spent;
        }
    }
    if (mark && end) {
        char line[256];
        int size = snprintf(line, sizeof line, "%s %lld %lld\n", mark, first, times > 1 ? rest / (times - 1) : 0);
        int file = open(end, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (file < 0 || write(file, line, size) != size) return 97;
        close(file);
    }
    return 0;
}

int __libc_start_main(main_type main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                      void *stack_end) {
    start_type start = (start_type)dlsym(RTLD_NEXT, "__libc_start_main");
    if (!getenv("PERFORCH_MARK")) return start(main, argc, argv, init, fini, rtld_fini, stack_end);
    program = main;
    return start(repeated, argc, argv, init, fini, rtld_fini, stack_end);
}
