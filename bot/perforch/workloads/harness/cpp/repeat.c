/* Preloaded into a test program: calls its main PERFORCH_REPEAT times and then writes an end mark, so that a program that leaves early
 * with status 0 is told from one whose main returned. Works where the C library starts programs through __libc_start_main.
 *
 * With PERFORCH_RECORD it notes instead which programs of the tree a test command starts: one record a program, its fields ended by
 * NUL (magic, program, working directory, standard input, number of arguments, arguments, number of variables, variables). With PERFORCH_DRY as well,
 * those programs end with status 0 before any of their code has run. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef int (*main_type)(int, char **, char **);
typedef int (*start_type)(main_type, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static main_type program;

/* Time of the clock, and of the processors: other programs of the machine do not make a call look slow. */
struct moment {
    long long clock, processors;
};

static struct moment now(void) {
    struct timespec time;
    struct rusage used;
    clock_gettime(CLOCK_MONOTONIC, &time);
    getrusage(RUSAGE_SELF, &used);
    struct moment moment = {time.tv_sec * 1000000000LL + time.tv_nsec,
                            (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL +
                                (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL};
    return moment;
}

/* Nanoseconds since then; of the processors where their clock, which counts microseconds, can tell. */
static long long since(struct moment then) {
    struct moment end = now();
    long long spent = end.processors - then.processors;
    return spent > 50000 ? spent : end.clock - then.clock;
}

static char *taken(const char *name) {
    char *value = getenv(name);
    value = value ? strdup(value) : NULL;
    unsetenv(name);
    return value;
}

/* One call of main in a process of its own, which starts where this one stands: for programs whose main cannot be called twice. The count of
 * calls that returned 0 is shared, so that a child that leaves early is told from one whose main returned. */
static int forked(int argc, char **argv, char **envp) {
    static volatile long *returned;
    if (!returned) {
        returned = mmap(NULL, sizeof *returned, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (returned == MAP_FAILED) return 97;
    }
    long before = *returned;
    lseek(0, 0, SEEK_SET);
    pid_t child = fork();
    if (child < 0) return 97;
    if (child == 0) {
        int status = program(argc, argv, envp);
        if (status == 0) ++*returned;
        exit(status);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 97;
    return WEXITSTATUS(status) || *returned == before + 1 ? WEXITSTATUS(status) : 97;
}

static int repeated(int argc, char **argv, char **envp) {
    char *repeat = taken("PERFORCH_REPEAT"), *mark = taken("PERFORCH_MARK"), *end = taken("PERFORCH_END");
    char *cold = taken("PERFORCH_COLD"), *apart = taken("PERFORCH_APART");
    unsetenv("LD_PRELOAD");
    long times = repeat ? atol(repeat) : 1;
    long long first = 0, rest = 0;
    char **given = malloc(sizeof(char *) * (argc + 1));
    memcpy(given, argv, sizeof(char *) * (argc + 1));
    for (long round = 0; round < times; round++) {
        memcpy(argv, given, sizeof(char *) * (argc + 1));
        optind = 1;
        struct moment started = {0, 0};
        if (cold) started = now();
        int status = apart ? forked(argc, argv, envp) : program(argc, argv, envp);
        if (status != 0) return status;
        if (cold) {
            long long spent = since(started);
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

static void put(char *buffer, size_t *size, size_t room, const char *text) {
    size_t length = strlen(text) + 1;
    if (*size + length <= room) memcpy(buffer + *size, text, length);
    *size += length;
}

static void record(const char *file, int argc, char **argv) {
    static char buffer[1 << 18];
    char path[4096], folder[4096], input[4096], number[16];
    size_t size = 0, room = sizeof buffer;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || !getcwd(folder, sizeof folder)) return;
    path[length] = 0;
    if (strncmp(path, "/src/", 5) && strncmp(path, "/out/", 5)) return;
    ssize_t read = readlink("/proc/self/fd/0", input, sizeof input - 1);
    input[read > 0 ? read : 0] = 0;
    if (!strcmp(input, "/dev/null")) input[0] = 0;
    put(buffer, &size, room, "perforch");
    put(buffer, &size, room, path);
    put(buffer, &size, room, folder);
    put(buffer, &size, room, input[0] == '/' || !input[0] ? input : "|");
    snprintf(number, sizeof number, "%d", argc > 0 ? argc - 1 : 0);
    put(buffer, &size, room, number);
    for (int i = 1; i < argc; i++) put(buffer, &size, room, argv[i]);
    int count = 0;
    while (environ[count]) count++;
    snprintf(number, sizeof number, "%d", count);
    put(buffer, &size, room, number);
    for (int i = 0; i < count; i++) put(buffer, &size, room, environ[i]);
    int target = size <= room ? open(file, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (target >= 0) {
        if (write(target, buffer, size) < 0) _exit(97);
        close(target);
    }
    if (getenv("PERFORCH_DRY")) _exit(0);
}

int __libc_start_main(main_type main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                      void *stack_end) {
    start_type start = (start_type)dlsym(RTLD_NEXT, "__libc_start_main");
    if (getenv("PERFORCH_RECORD")) record(getenv("PERFORCH_RECORD"), argc, argv);
    if (!getenv("PERFORCH_MARK")) return start(main, argc, argv, init, fini, rtld_fini, stack_end);
    program = main;
    return start(repeated, argc, argv, init, fini, rtld_fini, stack_end);
}
