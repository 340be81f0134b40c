/* Preloaded into a test program: calls its main PERFORCH_REPEAT times in one process and writes a mark to PERFORCH_END at the end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef int (*main_type)(int, char **, char **);
typedef int (*start_type)(main_type, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static main_type program;

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int repeated(int argc, char **argv, char **environment) {
    const char *count = getenv("PERFORCH_REPEAT");
    const char *end = getenv("PERFORCH_END");
    const char *mark = getenv("PERFORCH_MARK");
    long times = count ? atol(count) : 1;
    double first = 0, rest = 0;
    unsetenv("LD_PRELOAD");
    for (long i = 0; i < times; i++) {
        double start = now_ns();
        int status = program(argc, argv, environment);
        double spent = now_ns() - start;
        if (status != 0)
            return status;
        if (i == 0)
            first = spent;
        else
            rest += spent;
    }
    if (end && mark) {
        FILE *file = fopen(end, "a");
        if (file) {
            fprintf(file, "%s %.0f %.0f\n", mark, first, times > 1 ? rest / (times - 1) : first);
            fclose(file);
        }
    }
    return 0;
}

int __libc_start_main(main_type main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
    start_type start = (start_type)dlsym(RTLD_NEXT, "__libc_start_main");
    program = main;
    return start(repeated, argc, argv, init, fini, rtld_fini, stack_end);
}
