/* Faults of a disk, and of the wall clock, under a real program: preloaded, it answers calls on files as a file of rules
 * says (see mod.rs). Each rule that acts is noted in a second file, so that a test knows that its
 * fault was given. It uses system calls of its own, so that it never meets itself. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RULES 16
#define LINE 256
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct rule { char call[16], thread[32], path[96], action[16]; long value; char times[16]; };
struct used { char line[LINE]; long count; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct used used[256];

static int load(char *text, int size) {
    const char *from = getenv("DISK_FAULTS");
    int file = from ? (int)syscall(SYS_openat, AT_FDCWD, from, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (file < 0)
        return 0;
    long length = syscall(SYS_read, file, text, size - 1);
    syscall(SYS_close, file);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

static void note(const char *text, int length) {
    char to[300];
    snprintf(to, sizeof to, "%s.given", getenv("DISK_FAULTS"));
    int file = (int)syscall(SYS_openat, AT_FDCWD, to, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0) {
        syscall(SYS_write, file, text, length);
        syscall(SYS_close, file);
    }
}

/* Whether a rule still has a turn: `once`, a number, `turns` (every other call) or `always`. */
static int has_turn(const char *line, const char *times) {
    struct used *own = NULL;
    for (int at = 0; at < 256 && !own; at++)
        if (!used[at].line[0] || !strcmp(used[at].line, line))
            own = &used[at];
    if (!own)
        return 0;
    snprintf(own->line, LINE, "%s", line);
    long before = own->count++;
    if (!strcmp(times, "always"))
        return 1;
    if (!strcmp(times, "turns"))
        return before % 2 == 0;
    return before < (strcmp(times, "once") ? atol(times) : 1);
}

struct effect { int error; long at_most; };

/* What the rules do to this call; delays are over when it returns. */
static struct effect ask(const char *call, const char *path, int extends) {
    struct effect effect = {0, -1};
    char text[RULES * LINE], thread[32] = {0};
    int saved = errno;
    char notes[LINE * 8];
    int noted = 0;
    long delay = 0;
    if (!load(text, sizeof text))
        return errno = saved, effect;
    prctl(PR_GET_NAME, thread);
    pthread_mutex_lock(&lock);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        struct rule rule;
        if (sscanf(line, "%15s %31s %95s %15s %ld %15s", rule.call, rule.thread, rule.path,
                   rule.action, &rule.value, rule.times) != 6)
            continue;
        int not = rule.thread[0] == '!';
        int is = !strcmp(rule.thread + not, thread);
        if (strcmp(rule.call, call) || (strcmp(rule.thread, "*") && is == not)
            || (strcmp(rule.path, "*") && !strstr(path, rule.path)))
            continue;
        int space = !strcmp(rule.action, "space");
        if ((space && !extends) || !has_turn(line, rule.times))
            continue;
        if (noted < LINE * 4)
            noted += snprintf(notes + noted, LINE * 4, "%s %s %s: %s\n", call, thread, path, line);
        if (!strcmp(rule.action, "delay"))
            delay += rule.value;
        else if (!strcmp(rule.action, "short"))
            effect.at_most = rule.value;
        else
            effect.error = space ? ENOSPC : (int)rule.value;
    }
    pthread_mutex_unlock(&lock);
    if (delay) {
        struct timespec pause = {delay / 1000, delay % 1000 * 1000000};
        syscall(SYS_nanosleep, &pause, NULL);
    }
    /* Told when it is over: whoever waits for it waits for all of it. */
    if (noted)
        note(notes, noted);
    errno = saved;
    return effect;
}

static struct effect ask_file(const char *call, int file, int extends) {
    char link[64], path[512] = {0};
    struct stat status;
    struct effect none = {0, -1};
    if (!getenv("DISK_FAULTS") || syscall(SYS_fstat, file, &status)
        || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        return none;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    syscall(SYS_readlink, link, path, sizeof path - 1);
    return ask(call, path, extends);
}

#define FAIL(effect) if ((effect).error) { errno = (effect).error; return -1; }

int fdatasync(int file) {
    struct effect effect = ask_file("sync", file, 0);
    FAIL(effect)
    return REAL(fdatasync)(file);
}

int fsync(int file) {
    struct effect effect = ask_file("sync", file, 0);
    FAIL(effect)
    return REAL(fsync)(file);
}

ssize_t pread64(int file, void *to, size_t length, off64_t at) {
    struct effect effect = ask_file("read", file, 0);
    FAIL(effect)
    if (effect.at_most >= 0 && (size_t)effect.at_most < length)
        length = effect.at_most;
    return REAL(pread64)(file, to, length, at);
}

/* A block that has no place on the disk yet: beyond the file's end, or in a hole. */
static int extends(int file, size_t length, off64_t at) {
    struct stat status;
    if (syscall(SYS_fstat, file, &status))
        return 0;
    if (at + (off64_t)length > status.st_size)
        return 1;
    off64_t hole = syscall(SYS_lseek, file, at, SEEK_HOLE);
    return hole >= 0 && hole < at + (off64_t)length;
}

ssize_t pwrite64(int file, const void *from, size_t length, off64_t at) {
    int more = getenv("DISK_FAULTS") && extends(file, length, at);
    struct effect effect = ask_file("write", file, more);
    FAIL(effect)
    if (effect.at_most >= 0 && (size_t)effect.at_most < length)
        length = effect.at_most;
    return REAL(pwrite64)(file, from, length, at);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    struct effect effect = ask("open", path, 0);
    FAIL(effect)
    return REAL(open64)(path, flags, mode);
}

/* The wall clock is so many seconds ahead. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    char text[RULES * LINE];
    long seconds = 0;
    int saved = errno;
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    if (done)
        return done;
    if (clock == CLOCK_REALTIME && load(text, sizeof text)) {
        char *rule = strstr(text, "clock * * ahead ");
        if (rule && sscanf(rule, "clock * * ahead %ld", &seconds) == 1)
            now->tv_sec += seconds;
    }
    errno = saved;
    return done;
}

int rename(const char *from, const char *to) {
    struct effect effect = ask("rename", from, 0);
    FAIL(effect)
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    struct effect effect = ask("remove", path, 0);
    FAIL(effect)
    return REAL(unlink)(path);
}

DIR *opendir(const char *path) {
    struct effect effect = ask("open", path, 0);
    if (effect.error) {
        errno = effect.error;
        return NULL;
    }
    return REAL(opendir)(path);
}
