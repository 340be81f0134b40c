/* Runs a program on every file of a folder, as often as asked, each time in a fork of this process: loop INPUTS COUNT [check].
 *
 * The program's own main has been renamed to hx_main in its object file. A fork starts from fresh globals and costs no start-up.
 * With `check` the output of every later run must be that of the first. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern int hx_main(int, char **);

static char *contents(int file, long *size) {
    *size = lseek(file, 0, SEEK_END);
    char *text = malloc(*size + 1);
    if (pread(file, text, *size, 0) != *size) exit(1);
    return text;
}

int main(int argc, char **argv) {
    struct dirent **names;
    int files = scandir(argv[1], &names, NULL, alphasort), check = argc > 3 && !strcmp(argv[3], "check");
    int nowhere = open("/dev/null", O_WRONLY);
    if (files < 0 || chdir(argv[1])) return 1;
    char **first = calloc(files + 1, sizeof *first), *own[] = {argv[0], NULL};
    long *sizes = calloc(files + 1, sizeof *sizes);
    int *inputs = calloc(files + 1, sizeof *inputs);
    for (int n = 0; n < files; n++) inputs[n] = names[n]->d_name[0] == '.' ? -1 : open(names[n]->d_name, O_RDONLY | O_CLOEXEC);
    for (long left = atol(argv[2]); left > 0; left--) {
        for (int n = 0; n < files; n++) {
            if (inputs[n] < 0) continue;
            int out = check ? memfd_create("out", MFD_CLOEXEC) : nowhere, status = 0;
            pid_t child = fork();
            if (child < 0) return 1;
            if (child == 0) {
                lseek(inputs[n], 0, SEEK_SET);
                dup2(inputs[n], 0);
                dup2(out, 1);
                exit(hx_main(1, own));
            }
            if (waitpid(child, &status, 0) != child || status != 0) {
                fprintf(stderr, "one of its runs ended with status %d\n", status);
                return 1;
            }
            if (check) {
                long size;
                char *text = contents(out, &size);
                close(out);
                if (!first[n]) {
                    first[n] = text;
                    sizes[n] = size;
                } else if (sizes[n] != size || memcmp(first[n], text, size)) {
                    fprintf(stderr, "its output changes when it is repeated\n");
                    return 1;
                } else {
                    free(text);
                }
            }
        }
    }
    _exit(check ? 86 : 0);
}
