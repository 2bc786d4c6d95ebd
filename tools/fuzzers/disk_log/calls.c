// The calls of the C library that go through the log. See log.h.
#define _GNU_SOURCE 1
#include "log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// O_TMPFILE and O_SYNC are two bits each; these are the ones of their own.
enum { TEMPORARY = O_TMPFILE & ~O_DIRECTORY, SYNCED = O_DSYNC };

// MARK: Descriptors

// What has been opened, by its descriptor: no path has to be followed a second time.
static void note_open(int file, int flags, int is_new) {
  char link[64], path[PATH_MAX];
  const char *name = NULL;
  struct stat status;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  enum disk_place place = disk_classify(path, &name);
  if (place == ELSEWHERE) return;
  if (fstat(file, &status) != 0) disk_fail(strerror(errno), path);
  if ((place == A_FILE && (flags & SYNCED)) || (flags & TEMPORARY))
    disk_fail("flags that are not modelled", path);
  disk_remember(file, place, status.st_ino);
  if (place != A_FILE && place != THE_INDEX) return;
  if (is_new)
    disk_note_text('C', place, status.st_ino, status.st_mode & 0777, name, strlen(name));
  else if (place == A_FILE && (flags & O_TRUNC))
    disk_note('T', place, status.st_ino, 0, NULL, 0, 0);
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
  struct stat status;
  disk_lock();
  int is_new = (flags & O_CREAT) && fstatat(at, path, &status, AT_SYMLINK_NOFOLLOW) != 0;
  int file = (int)syscall(SYS_openat, at, path, flags, mode);
  const int saved = errno;
  if (file >= 0) note_open(file, flags, is_new);
  disk_unlock();
  errno = saved;
  return file;
}

#define OPEN(function, parameters, at)                                       \
  int function parameters {                                                  \
    va_list more;                                                            \
    va_start(more, flags);                                                   \
    mode_t mode = flags & (O_CREAT | TEMPORARY) ? va_arg(more, mode_t) : 0;  \
    va_end(more);                                                            \
    return open_at(at, path, flags, mode);                                   \
  }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), at)
OPEN(openat64, (int at, const char *path, int flags, ...), at)

int creat(const char *path, mode_t mode) {
  return open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int file) {
  if (disk_place_of(file) == ELSEWHERE) return (int)syscall(SYS_close, file);
  disk_lock();
  disk_remember(file, ELSEWHERE, 0);
  int result = (int)syscall(SYS_close, file);
  disk_unlock();
  return result;
}

// MARK: Content

enum { HERE = -1 };

static ssize_t really_write(int file, const struct iovec *data, int count, off_t offset) {
  return offset == HERE ? syscall(SYS_writev, file, data, count)
                        : syscall(SYS_pwritev, file, data, count, offset, 0L);
}

// `offset`: HERE = where the descriptor stands.
static ssize_t write_at(int file, const struct iovec *data, int count, off_t offset) {
  enum disk_place place = disk_place_of(file);
  if (place != A_FILE) return really_write(file, data, count, offset);
  disk_lock();
  off_t start = offset == HERE ? lseek(file, 0, SEEK_CUR) : offset;
  struct stat status;
  // Linux appends to such a file whatever offset it is told.
  if (fcntl(file, F_GETFL) & O_APPEND) start = fstat(file, &status) == 0 ? status.st_size : -1;
  if (start < 0) disk_fail("no offset", strerror(errno));
  ssize_t written = really_write(file, data, count, offset);
  const int saved = errno;
  if (written > 0)
    disk_note('W', place, disk_inode_of(file), (uint64_t)start, data, count, (size_t)written);
  disk_unlock();
  errno = saved;
  return written;
}

static ssize_t write_one(int file, const void *bytes, size_t size, off_t offset) {
  struct iovec data = {(void *)bytes, size};
  return write_at(file, &data, 1, offset);
}

ssize_t write(int file, const void *bytes, size_t size) {
  return write_one(file, bytes, size, HERE);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
  return write_one(file, bytes, size, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
  return write_one(file, bytes, size, offset);
}
ssize_t writev(int file, const struct iovec *data, int count) {
  return write_at(file, data, count, HERE);
}
ssize_t pwritev(int file, const struct iovec *data, int count, off_t offset) {
  return write_at(file, data, count, offset);
}
ssize_t pwritev64(int file, const struct iovec *data, int count, off64_t offset) {
  return write_at(file, data, count, offset);
}

int ftruncate(int file, off_t length) {
  if (disk_place_of(file) != A_FILE) return (int)syscall(SYS_ftruncate, file, length);
  disk_lock();
  int result = (int)syscall(SYS_ftruncate, file, length);
  const int saved = errno;
  if (result == 0) disk_note('T', A_FILE, disk_inode_of(file), (uint64_t)length, NULL, 0, 0);
  disk_unlock();
  errno = saved;
  return result;
}
int ftruncate64(int file, off64_t length) { return ftruncate(file, length); }

int fallocate(int file, int mode, off_t offset, off_t length) {
  if (disk_place_of(file) == A_FILE) disk_fail("is not modelled", "fallocate");
  return (int)syscall(SYS_fallocate, file, mode, offset, length);
}
int fallocate64(int file, int mode, off64_t offset, off64_t length) {
  return fallocate(file, mode, offset, length);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  if (!(flags & MAP_ANONYMOUS) && disk_place_of(file) == A_FILE && (flags & MAP_SHARED)
      && (protection & PROT_WRITE))
    disk_fail("is not modelled", "a file mapped to be written");
  return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int file, off64_t offset) {
  return mmap(address, length, protection, flags, file, offset);
}

// MARK: Syncs

// A time of its own for each, up to DISK_LOG_SYNC_US.
static void wait_for_disk(uint64_t number) {
  const char *most = getenv("DISK_LOG_SYNC_US");
  uint64_t nanoseconds = most ? strtoul(most, NULL, 10) % 1000000 * 1000 : 0;
  if (nanoseconds == 0) return;
  nanoseconds = number * UINT64_C(0x9E3779B97F4A7C15) % nanoseconds;
  nanosleep(&(struct timespec){.tv_nsec = (long)nanoseconds}, NULL);
}

static int sync_one(int file, long call) {
  static uint64_t syncs;
  enum disk_place place = disk_place_of(file);
  if (place == ELSEWHERE || place == THE_INDEX) return (int)syscall(call, file);
  disk_lock();
  const uint64_t inode = disk_inode_of(file), number = ++syncs;
  disk_note('B', place, inode, number, NULL, 0, 0);
  disk_unlock();
  wait_for_disk(number);
  disk_lock();
  disk_note('E', place, inode, number, NULL, 0, 0);
  disk_unlock();
  return 0;
}
int fsync(int file) { return sync_one(file, SYS_fsync); }
int fdatasync(int file) { return sync_one(file, SYS_fdatasync); }

// MARK: Names

int unlinkat(int at, const char *path, int flags) {
  char room[PATH_MAX];
  const char *name = NULL;
  disk_lock();
  enum disk_place place = disk_resolve(at, path, room, &name);
  int result = (int)syscall(SYS_unlinkat, at, path, flags);
  const int saved = errno;
  if (result == 0 && (place == A_FILE || place == THE_INDEX))
    disk_note_text('U', place, 0, 0, name, strlen(name));
  else if (result == 0 && place != ELSEWHERE)
    disk_fail("is not modelled", "the folder removed");
  disk_unlock();
  errno = saved;
  return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat(int from, const char *old, int to, const char *new) {
  char rooms[2][PATH_MAX], both[2 * PATH_MAX];
  const char *names[2] = {NULL, NULL};
  disk_lock();
  enum disk_place was = disk_resolve(from, old, rooms[0], &names[0]);
  enum disk_place is = disk_resolve(to, new, rooms[1], &names[1]);
  int result = (int)syscall(SYS_renameat2, from, old, to, new, 0);
  const int saved = errno;
  if (result == 0 && (was != ELSEWHERE || is != ELSEWHERE)) {
    if (was != A_FILE || is != A_FILE) disk_fail("renamed into or out of the folder", rooms[1]);
    int length = snprintf(both, sizeof both, "%s%c%s", names[0], 0, names[1]);
    disk_note_text('R', A_FILE, 0, 0, both, (size_t)length);
  }
  disk_unlock();
  errno = saved;
  return result;
}
int rename(const char *old, const char *new) { return renameat(AT_FDCWD, old, AT_FDCWD, new); }

int mkdirat(int at, const char *path, mode_t mode) {
  char room[PATH_MAX];
  const char *name = NULL;
  disk_lock();
  enum disk_place place = disk_resolve(at, path, room, &name);
  int result = (int)syscall(SYS_mkdirat, at, path, mode);
  const int saved = errno;
  if (result == 0 && place == THE_FOLDER) disk_note('M', ITS_PARENT, 0, mode, NULL, 0, 0);
  else if (result == 0 && place == A_FILE) disk_fail("a folder in the folder", room);
  disk_unlock();
  errno = saved;
  return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

// MARK: SQLite

typedef int (*callback)(void *, int, char **, char **);

// The owner's connection is set up by one text of pragmas: ours follow it.
int sqlite3_exec(void *database, const char *sql, callback visit, void *context, char **error) {
  static int (*real)(void *, const char *, callback, void *, char **);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "sqlite3_exec");
  int code = real(database, sql, visit, context, error);
  const char *more = getenv("DISK_LOG_SQL");
  if (code != 0 || !more || !strstr(sql, "wal_autocheckpoint")) return code;
  return real(database, more, NULL, NULL, error);
}
