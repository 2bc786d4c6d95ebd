#pragma once
// What Swift's Glibc overlay cannot express: epoll, eventfd, affinity, futex.
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static inline int crescendo_pin_current_thread(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Writes the numbers of the cores that this thread may run on; returns how many, or -1.
static inline int crescendo_allowed_cores(int *cores, int capacity) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  int count = 0;
  for (int core = 0; core < CPU_SETSIZE && count < capacity; core++)
    if (CPU_ISSET(core, &set)) cores[count++] = core;
  return count;
}

// 0 when woken or the value had changed, else errno. No timeout: NULL.
static inline int crescendo_futex_wait(const uint32_t *word, uint32_t expected, const struct timespec *timeout) {
  return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout, NULL, 0) == 0 ? 0 : errno;
}

static inline void crescendo_futex_wake(const uint32_t *word, int waiters) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, waiters, NULL, NULL, 0);
}

// sockaddr's alignment and the CPU's own pause, which Swift has no spelling for.
static inline void crescendo_cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
