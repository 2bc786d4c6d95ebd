// The log, and which descriptors and paths it is about. See log.h.
#define _GNU_SOURCE 1
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DESCRIPTORS = 4096, LOG_DESCRIPTOR = 900 };

static struct {
  uint8_t place;
  uint64_t inode;
} files[DESCRIPTORS];

static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char folder[PATH_MAX], parent[PATH_MAX];
static int log_file = -1;
static char stop_kind = '-';
static unsigned long stop_after;

void disk_lock(void) { pthread_mutex_lock(&mutex); }
void disk_unlock(void) { pthread_mutex_unlock(&mutex); }

void disk_fail(const char *text, const char *subject) {
  dprintf(2, "disk log: %s: %s\n", text, subject);
  abort();
}

static const char *setting(const char *name) {
  const char *value = getenv(name);
  if (!value || !*value) disk_fail("is not set", name);
  return value;
}

// Before the server's own code and before its threads; no call counts until then.
__attribute__((constructor)) static void begin(void) {
  const char *stop = setting("DISK_LOG_STOP"), *path = setting("DISK_LOG_FILE");
  if (snprintf(folder, sizeof folder, "%s", setting("DISK_LOG_FOLDER")) >= PATH_MAX
      || !strchr(folder, '/'))
    disk_fail("is no absolute path", folder);
  strcpy(parent, folder);
  *strrchr(parent, '/') = 0;
  stop_kind = stop[0];
  if (stop_kind != '-' && (stop[1] != ':' || (stop_after = strtoul(stop + 2, NULL, 10)) == 0))
    disk_fail("is not KIND:N", stop);
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
  int opened = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
  // Away from the low numbers that the server gets.
  int moved = opened < 0 ? -1 : fcntl(opened, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR);
  if (moved < 0) disk_fail(strerror(errno), path);
  syscall(SYS_close, opened);
  log_file = moved;
}

// The process ends by itself: who is at work finishes, nobody begins.
__attribute__((destructor)) static void end(void) { disk_lock(); }

// MARK: Records

static void append(char kind, enum disk_place place, uint64_t inode, uint64_t number,
                   const struct iovec *data, int count, size_t length) {
  struct disk_record record = {.kind = (uint8_t)kind, .place = (uint8_t)place, .inode = inode,
                               .length = (uint32_t)length, .number = number};
  struct iovec parts[IOV_MAX];
  if (count >= IOV_MAX || length > UINT32_MAX) disk_fail("too much at once", folder);
  parts[0] = (struct iovec){&record, sizeof record};
  size_t left = length;
  for (int at = 0; at < count; at++) {
    size_t size = data[at].iov_len < left ? data[at].iov_len : left;
    parts[at + 1] = (struct iovec){data[at].iov_base, size};
    left -= size;
  }
  if (syscall(SYS_writev, log_file, parts, count + 1) != (long)(sizeof record + length))
    disk_fail("cannot be written", "the log");
}

void disk_note(char kind, enum disk_place place, uint64_t inode, uint64_t number,
               const struct iovec *data, int count, size_t length) {
  append(kind, place, inode, number, data, count, length);
  if ((stop_kind != '*' && stop_kind != kind) || --stop_after > 0) return;
  append('S', ELSEWHERE, 0, 0, NULL, 0, 0);
  // Nothing of the process runs after this: no handler, no buffer. Until then nobody passes.
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

void disk_note_text(char kind, enum disk_place place, uint64_t inode, uint64_t number,
                    const char *text, size_t length) {
  struct iovec data = {(void *)text, length};
  disk_note(kind, place, inode, number, &data, 1, length);
}

// MARK: Descriptors and paths

enum disk_place disk_place_of(int file) {
  if (file < 0 || file >= DESCRIPTORS) return ELSEWHERE;
  return (enum disk_place)__atomic_load_n(&files[file].place, __ATOMIC_ACQUIRE);
}

uint64_t disk_inode_of(int file) { return files[file].inode; }

void disk_remember(int file, enum disk_place place, uint64_t inode) {
  if (file >= DESCRIPTORS) disk_fail("its descriptor is too large", folder);
  files[file].inode = inode;
  __atomic_store_n(&files[file].place, (uint8_t)place, __ATOMIC_RELEASE);
}

enum disk_place disk_classify(const char *path, const char **name) {
  size_t length = strlen(folder), size = strlen(path);
  if (log_file < 0) return ELSEWHERE;
  if (strcmp(path, folder) == 0) return THE_FOLDER;
  if (strcmp(path, parent) == 0) return ITS_PARENT;
  if (strncmp(path, folder, length) != 0 || path[length] != '/') return ELSEWHERE;
  *name = path + length + 1;
  if (strchr(*name, '/')) disk_fail("a folder in the folder", path);
  return size > 4 && strcmp(path + size - 4, "-shm") == 0 ? THE_INDEX : A_FILE;
}

enum disk_place disk_resolve(int at, const char *path, char *room, const char **name) {
  char around[PATH_MAX], base[PATH_MAX], start[64] = "";
  const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
  const int saved = errno;
  if (path[0] != '/' && at == AT_FDCWD) strcpy(start, "./");
  if (path[0] != '/' && at != AT_FDCWD) snprintf(start, sizeof start, "/proc/self/fd/%d/", at);
  int size = snprintf(around, sizeof around, "%s%.*s", start, (int)(last - path), path);
  enum disk_place place = ELSEWHERE;
  if (size < PATH_MAX && realpath(around, base)
      && snprintf(room, PATH_MAX, "%s/%s", base, last) < PATH_MAX)
    place = disk_classify(room, name);
  errno = saved;
  return place;
}
