/* A disk that can lose its power, be full, be read-only or fail, and a clock that can be set: preloaded into a
 * process (LD_PRELOAD), for the files below one directory.
 *
 * CUEGATE_SHIM_DIR is that directory. CUEGATE_SHIM_SHADOW is another one, which must begin as a copy of it: of every
 * file it holds the bytes that were synced, and no others. After the process was killed, the shadow is what a power
 * cut would have left at the least. CUEGATE_SHIM_CONTROL is a file of six signed 64-bit numbers, which whoever
 * started the process may change at any time:
 *
 *   0  bytes by which files may still grow; below 0: as many as they like. Then ENOSPC, after a short write.
 *   1  not 0: the error number of every sync. What was written since the last sync is then gone for good, as on
 *      Linux, where a later sync that succeeds says nothing about it.
 *   2  not 0: nothing can be opened for writing, written, truncated, renamed or deleted: EROFS.
 *   3  seconds that are added to the wall clock. The monotonic clock stays.
 *   4  not 0: the error number of every write.
 *   5  above 0: so many syncs may still begin; the process kills itself at the last of them, after its bytes were
 *      written and before anybody is told that they are safe.
 *
 * What it cannot see, and therefore what a cut by it does not show:
 *   - system calls that do not go through libc (SQLite's do; the sandbox's and the listeners' are not about files)
 *   - copies inside the kernel; std falls back to reading and writing when they are refused, and so they are
 *   - writes through a mapping. Files that end in -shm are left out: SQLite rebuilds them from the log. A writable
 *     mapping of any other file of the directory ends the process, so that nobody trusts a blind shadow.
 *   - the order of directory entries: a new file is there with its first sync (ext4 and XFS do so), a deletion or a
 *     new name at once
 *   - what a drive does that lies about its cache
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ROOM, SYNC_ERROR, READ_ONLY, CLOCK_SECONDS, WRITE_ERROR, SYNCS_LEFT, CONTROLS };

/* What was done to a file since its last sync, oldest first. */
struct change {
    struct change *next;
    off_t at;     /* of the bytes; the new length of a truncation */
    ssize_t size; /* of the bytes; -1: a truncation */
    char bytes[];
};

struct file {
    struct file *next;
    char *name;              /* below the directory */
    int gone;                /* deleted: nothing of it is kept */
    struct change *first, **last;
    pthread_mutex_t syncing; /* one sync at a time, until its bytes are in the shadow */
};

#define DESCRIPTORS 65536
static _Atomic(struct file *) open_files[DESCRIPTORS];
static struct file *files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `files`, names and changes */

static char *directory, *shadow, *cwd;
static size_t directory_length;
static _Atomic int64_t *control;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_unlink)(const char *);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_rename)(const char *, const char *);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_gettimeofday)(struct timeval *, void *);
static time_t (*real_time)(time_t *);

static void die(const char *why)
{
    static const char prefix[] = "disk shim: ";
    if (real_write) {
        (void)!real_write(2, prefix, sizeof prefix - 1);
        (void)!real_write(2, why, strlen(why));
        (void)!real_write(2, "\n", 1);
    }
    abort();
}

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        die(name);
    return found;
}

/* Other libraries' constructors may open files before ours has run. */
static void find_real(void)
{
    if (real_time)
        return;
    real_open = real("open64");
    real_openat = real("openat64");
    real_close = real("close");
    real_write = real("write");
    real_writev = real("writev");
    real_pwrite = real("pwrite64");
    real_ftruncate = real("ftruncate64");
    real_fsync = real("fsync");
    real_unlink = real("unlink");
    real_unlinkat = real("unlinkat");
    real_rename = real("rename");
    real_mmap = real("mmap64");
    real_clock_gettime = real("clock_gettime");
    real_gettimeofday = real("gettimeofday");
    real_time = real("time");
}

__attribute__((constructor)) static void begin(void)
{
    find_real();
    const char *path = getenv("CUEGATE_SHIM_CONTROL");
    const char *of = getenv("CUEGATE_SHIM_DIR");
    const char *into = getenv("CUEGATE_SHIM_SHADOW");
    if (!path || !of || !into)
        die("CUEGATE_SHIM_DIR, CUEGATE_SHIM_SHADOW and CUEGATE_SHIM_CONTROL must be set");
    int fd = real_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        die("the control file cannot be opened");
    control = real_mmap(NULL, CONTROLS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED)
        die("the control file cannot be mapped");
    real_close(fd);
    cwd = getcwd(NULL, 0);
    shadow = strdup(into);
    directory_length = strlen(of);
    directory = strdup(of);
}

static int64_t set(int which)
{
    return control ? atomic_load(&control[which]) : 0;
}

/* The name below the directory, or NULL for a path outside. */
static const char *inside(const char *path, char *room)
{
    if (!directory)
        return NULL;
    if (path[0] != '/') {
        snprintf(room, PATH_MAX, "%s/%s", cwd, path);
        path = room;
    }
    if (strncmp(path, directory, directory_length) != 0 || path[directory_length] != '/')
        return NULL;
    return path + directory_length + 1;
}

static int ends_in_shm(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, "-shm") == 0;
}

/* With `lock` held. */
static struct file *find(const char *name, int make)
{
    for (struct file *it = files; it; it = it->next)
        if (!it->gone && strcmp(it->name, name) == 0)
            return it;
    if (!make)
        return NULL;
    struct file *made = calloc(1, sizeof *made);
    if (!made || !(made->name = strdup(name)))
        die("out of memory");
    made->last = &made->first;
    pthread_mutex_init(&made->syncing, NULL);
    made->next = files;
    files = made;
    return made;
}

static struct file *file_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? atomic_load(&open_files[fd]) : NULL;
}

static int opened(int fd, const char *name)
{
    if (fd < 0)
        return fd;
    if (fd >= DESCRIPTORS)
        die("too many descriptors");
    pthread_mutex_lock(&lock);
    struct file *file = find(name, 1);
    pthread_mutex_unlock(&lock);
    atomic_store(&open_files[fd], file);
    return fd;
}

static int refuses(int flags)
{
    if (set(READ_ONLY) && (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))) {
        errno = EROFS;
        return 1;
    }
    return 0;
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

static void record(struct file *file, off_t at, const void *bytes, ssize_t size);

static int open_any(const char *path, int flags, mode_t mode)
{
    char room[PATH_MAX * 2];
    find_real();
    const char *name = inside(path, room);
    if (name && refuses(flags))
        return -1;
    int fd = real_open(path, flags, mode);
    if (name)
        opened(fd, name);
    if (name && fd >= 0 && (flags & O_TRUNC))
        record(file_of(fd), 0, NULL, -1);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_any(path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    return open_any(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static int openat_any(int at, const char *path, int flags, mode_t mode)
{
    find_real();
    if (at == AT_FDCWD || path[0] == '/')
        return open_any(path, flags, mode);
    return real_openat(at, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return openat_any(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return openat_any(at, path, flags, mode);
}

/* Takes no lock: a forked child closes what it inherited. */
int close(int fd)
{
    find_real();
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&open_files[fd], NULL);
    return real_close(fd);
}

static void record(struct file *file, off_t at, const void *bytes, ssize_t size)
{
    if (ends_in_shm(file->name))
        return;
    struct change *change = malloc(sizeof *change + (size > 0 ? (size_t)size : 0));
    if (!change)
        die("out of memory");
    change->next = NULL;
    change->at = at;
    change->size = size;
    if (size > 0)
        memcpy(change->bytes, bytes, (size_t)size);
    pthread_mutex_lock(&lock);
    *file->last = change;
    file->last = &change->next;
    pthread_mutex_unlock(&lock);
}

/* How many of `size` bytes at `at` may be written; -1 with errno if none. */
static ssize_t allowed(int fd, off_t at, size_t size)
{
    if (set(READ_ONLY) || set(WRITE_ERROR)) {
        errno = set(READ_ONLY) ? EROFS : (int)set(WRITE_ERROR);
        return -1;
    }
    int64_t room = set(ROOM);
    struct stat is;
    if (room < 0 || fstat(fd, &is) != 0)
        return (ssize_t)size;
    int64_t before_end = is.st_size > at ? is.st_size - at : 0;
    int64_t fits = before_end + room;
    if (fits >= (int64_t)size)
        return (ssize_t)size;
    if (fits == 0) {
        errno = ENOSPC;
        return -1;
    }
    return (ssize_t)fits;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    find_real();
    struct file *file = file_of(fd);
    if (!file)
        return real_pwrite(fd, bytes, size, at);
    ssize_t fits = allowed(fd, at, size);
    if (fits < 0)
        return -1;
    ssize_t written = real_pwrite(fd, bytes, (size_t)fits, at);
    if (written > 0)
        record(file, at, bytes, written);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
    return pwrite(fd, bytes, size, at);
}

/* SQLite and std seek and write on descriptors that no two threads share. */
ssize_t write(int fd, const void *bytes, size_t size)
{
    find_real();
    struct file *file = file_of(fd);
    if (!file)
        return real_write(fd, bytes, size);
    off_t at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t fits = allowed(fd, at, size);
    if (fits < 0)
        return -1;
    ssize_t written = real_write(fd, bytes, (size_t)fits);
    if (written > 0)
        record(file, at, bytes, written);
    return written;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    find_real();
    if (!file_of(fd))
        return real_writev(fd, parts, count);
    ssize_t sum = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = write(fd, parts[i].iov_base, parts[i].iov_len);
        if (written < 0)
            return sum > 0 ? sum : -1;
        sum += written;
        if ((size_t)written < parts[i].iov_len)
            break;
    }
    return sum;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    ssize_t sum = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written = pwrite(fd, parts[i].iov_base, parts[i].iov_len, at + sum);
        if (written < 0)
            return sum > 0 ? sum : -1;
        sum += written;
        if ((size_t)written < parts[i].iov_len)
            break;
    }
    return sum;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev(fd, parts, count, at);
}

int ftruncate(int fd, off_t length)
{
    find_real();
    struct file *file = file_of(fd);
    if (file && set(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    int failed = real_ftruncate(fd, length);
    if (file && !failed)
        record(file, length, NULL, -1);
    return failed;
}

int ftruncate64(int fd, off_t length)
{
    return ftruncate(fd, length);
}

int fallocate(int fd, int mode, off_t at, off_t length)
{
    int (*real_fallocate)(int, int, off_t, off_t) = real("fallocate64");
    if (file_of(fd))
        die("fallocate is not followed");
    return real_fallocate(fd, mode, at, length);
}

ssize_t copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags)
{
    ssize_t (*real_copy)(int, off_t *, int, off_t *, size_t, unsigned) = real("copy_file_range");
    if (!file_of(out))
        return real_copy(in, in_at, out, out_at, size, flags);
    errno = EXDEV;
    return -1;
}

ssize_t sendfile(int out, int in, off_t *at, size_t size)
{
    ssize_t (*real_sendfile)(int, int, off_t *, size_t) = real("sendfile");
    if (!file_of(out))
        return real_sendfile(out, in, at, size);
    errno = EINVAL;
    return -1;
}

ssize_t sendfile64(int out, int in, off_t *at, size_t size)
{
    return sendfile(out, in, at, size);
}

static void in_shadow(const char *name, char *room)
{
    snprintf(room, PATH_MAX * 2, "%s/%s", shadow, name);
}

/* Takes the changes of a file and either brings them into the shadow or throws them away. */
static void settle(struct file *file, int kept)
{
    pthread_mutex_lock(&lock);
    struct change *change = file->first;
    file->first = NULL;
    file->last = &file->first;
    int there = !file->gone && kept;
    char path[PATH_MAX * 2];
    in_shadow(file->name, path);
    pthread_mutex_unlock(&lock);
    int fd = there ? real_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (there && fd < 0)
        die("the shadow cannot be opened");
    while (change) {
        if (fd >= 0) {
            ssize_t size = change->size;
            if (size < 0 ? real_ftruncate(fd, change->at) != 0
                         : real_pwrite(fd, change->bytes, (size_t)size, change->at) != size)
                die("the shadow cannot be written");
        }
        struct change *next = change->next;
        free(change);
        change = next;
    }
    if (fd >= 0)
        real_close(fd);
}

/* Counts a sync, and dies at the one that whoever started the process has chosen. */
static void count_sync(void)
{
    if (set(SYNCS_LEFT) > 0 && atomic_fetch_sub(&control[SYNCS_LEFT], 1) == 1)
        kill(getpid(), SIGKILL);
}

/* Whoever is told that its bytes are safe must find them in the shadow, also those that another thread's sync has
 * just taken along: hence one sync of a file at a time. */
int fsync(int fd)
{
    find_real();
    struct file *file = file_of(fd);
    if (!file)
        return real_fsync(fd);
    count_sync();
    pthread_mutex_lock(&file->syncing);
    int error = (int)set(SYNC_ERROR);
    int failed = error ? -1 : real_fsync(fd);
    if (!error)
        error = errno;
    settle(file, !failed);
    pthread_mutex_unlock(&file->syncing);
    if (failed)
        errno = error;
    return failed;
}

int fdatasync(int fd)
{
    return fsync(fd);
}

static void forget(const char *name)
{
    char path[PATH_MAX * 2];
    pthread_mutex_lock(&lock);
    struct file *file = find(name, 0);
    if (file)
        file->gone = 1;
    pthread_mutex_unlock(&lock);
    in_shadow(name, path);
    real_unlink(path);
}

int unlink(const char *path)
{
    char room[PATH_MAX * 2];
    find_real();
    const char *name = inside(path, room);
    if (name && set(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    int failed = real_unlink(path);
    int error = errno;
    if (name && !failed)
        forget(name);
    errno = error;
    return failed;
}

int unlinkat(int at, const char *path, int flags)
{
    find_real();
    if (flags == 0 && (at == AT_FDCWD || path[0] == '/'))
        return unlink(path);
    return real_unlinkat(at, path, flags);
}

int rename(const char *from, const char *to)
{
    char from_room[PATH_MAX * 2], to_room[PATH_MAX * 2], old[PATH_MAX * 2], new[PATH_MAX * 2];
    find_real();
    const char *was = inside(from, from_room), *is = inside(to, to_room);
    if ((was || is) && set(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    int failed = real_rename(from, to);
    if (failed || (!was && !is))
        return failed;
    if (!was)
        die("a file from elsewhere cannot be followed into the directory");
    if (!is) {
        forget(was);
        return 0;
    }
    forget(is);
    pthread_mutex_lock(&lock);
    struct file *file = find(was, 0);
    if (file) {
        free(file->name);
        file->name = strdup(is);
    }
    pthread_mutex_unlock(&lock);
    in_shadow(was, old);
    in_shadow(is, new);
    real_rename(old, new);
    return 0;
}

void *mmap(void *where, size_t length, int protection, int flags, int fd, off_t at)
{
    find_real();
    struct file *file = file_of(fd);
    if (file && (protection & PROT_WRITE) && (flags & MAP_SHARED) && !ends_in_shm(file->name))
        die("a writable mapping cannot be followed");
    return real_mmap(where, length, protection, flags, fd, at);
}

void *mmap64(void *where, size_t length, int protection, int flags, int fd, off_t at)
{
    return mmap(where, length, protection, flags, fd, at);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    find_real();
    int failed = real_clock_gettime(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += set(CLOCK_SECONDS);
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    find_real();
    int failed = real_gettimeofday(now, zone);
    if (!failed)
        now->tv_sec += set(CLOCK_SECONDS);
    return failed;
}

time_t time(time_t *into)
{
    find_real();
    time_t now = real_time(NULL) + set(CLOCK_SECONDS);
    if (into)
        *into = now;
    return now;
}
