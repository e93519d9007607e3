/* Loaded in front of the C library of a server or an engine: ends the process at a counted call that
 * changes files, just before it or just after it, and can tell it that the machine was started anew.
 *
 *   STRIKE_CALL   the number of the call, from 1 on; 0 or nothing: never
 *   STRIKE_WHEN   "before" or "after"
 *   STRIKE_UNDER  counts calls on paths that hold this text only; calls on open files always count
 *   STRIKE_BOOT   a file that is read in place of the machine's boot id
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static const char *given(const char *name) {
    const char *text = getenv(name);
    return text ? text : "";
}

/* True where this is the call at which the process ends. */
static int is_due(const char *path) {
    long number = atol(given("STRIKE_CALL"));
    const char *under = given("STRIKE_UNDER");
    if (number <= 0 || (path && !strstr(path, under)))
        return 0;
    return atomic_fetch_add(&calls, 1) + 1 == number;
}

static void end(void) {
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

#define STRIKE(path, type, call)                                                                                       \
    int due = is_due(path);                                                                                            \
    if (due && strcmp(given("STRIKE_WHEN"), "after") != 0)                                                             \
        end();                                                                                                         \
    type result = call;                                                                                                \
    if (due)                                                                                                           \
        end();                                                                                                         \
    return result

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int rename(const char *from, const char *to) {
    STRIKE(to, int, REAL("rename", int, const char *, const char *)(from, to));
}

int renameat2(int fd, const char *from, int other, const char *to, unsigned int flags) {
    STRIKE(to, int, REAL("renameat2", int, int, const char *, int, const char *, unsigned int)(fd, from, other, to, flags));
}

int mkdir(const char *path, mode_t mode) {
    STRIKE(path, int, REAL("mkdir", int, const char *, mode_t)(path, mode));
}

int rmdir(const char *path) {
    STRIKE(path, int, REAL("rmdir", int, const char *)(path));
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    STRIKE(NULL, ssize_t, REAL("pwrite64", ssize_t, int, const void *, size_t, off64_t)(fd, bytes, count, offset));
}

int fdatasync(int fd) {
    STRIKE(NULL, int, REAL("fdatasync", int, int)(fd));
}

int syncfs(int fd) {
    STRIKE(NULL, int, REAL("syncfs", int, int)(fd));
}

static const char *shown(const char *path) {
    const char *boot = given("STRIKE_BOOT");
    return *boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return REAL("open64", int, const char *, int, ...)(shown(path), flags, mode);
}
