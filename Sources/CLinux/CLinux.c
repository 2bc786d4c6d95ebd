#define _GNU_SOURCE 1
#include "CLinux.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int crescendo_pin_current_thread(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

void crescendo_unpin_current_thread(void) {
  cpu_set_t set;
  // The main thread is never pinned: its mask is the process's.
  if (sched_getaffinity(getpid(), sizeof set, &set) == 0)
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

int crescendo_allowed_cores(int *cores, int capacity) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  int count = 0;
  for (int core = 0; core < CPU_SETSIZE && count < capacity; core++)
    if (CPU_ISSET(core, &set)) cores[count++] = core;
  return count;
}

void crescendo_name_current_thread(const char *name) {
  char kept[16] = {0};
  strncpy(kept, name, sizeof kept - 1);
  pthread_setname_np(pthread_self(), kept);
}

void crescendo_futex_wait(const uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void crescendo_futex_wait_for(const uint32_t *word, uint32_t expected, uint64_t nanoseconds) {
  struct timespec timeout = {
      .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &timeout, NULL, 0);
}

void crescendo_futex_wake(const uint32_t *word, int waiters) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, waiters, NULL, NULL, 0);
}

int crescendo_accept(int listener) {
  return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int crescendo_timer_create(void) {
  return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

int crescendo_timer_arm(int timer, uint64_t monotonic_nanoseconds) {
  struct itimerspec at = {0};
  // 0 would disarm it; an instant that is long past is readable at once, which is what 1 is.
  uint64_t when = monotonic_nanoseconds > 0 ? monotonic_nanoseconds : 1;
  at.it_value.tv_sec = (time_t)(when / 1000000000u);
  at.it_value.tv_nsec = (long)(when % 1000000000u);
  return timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}
