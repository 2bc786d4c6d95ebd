#pragma once
// What Swift's Glibc overlay cannot express: epoll, eventfd, affinity, futex, accept4. Defining
// _GNU_SOURCE here would clash with the overlay's own view of glibc, so that stays in CLinux.c.
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <netinet/tcp.h>

struct sockaddr;

// 0, or an error number.
int crescendo_pin_current_thread(int core);

// Gives the calling thread the mask of the main thread.
void crescendo_unpin_current_thread(void);

// Writes the numbers of the cores that this thread may run on; returns how many, or -1.
int crescendo_allowed_cores(int *cores, int capacity);

// Names the calling thread; at most 15 bytes are kept.
void crescendo_name_current_thread(const char *name);

// Sleeps while *word == expected; may return early.
void crescendo_futex_wait(const uint32_t *word, uint32_t expected);

void crescendo_futex_wait_for(const uint32_t *word, uint32_t expected, uint64_t nanoseconds);

void crescendo_futex_wake(const uint32_t *word, int waiters);

// accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC: a descriptor, or -1 with errno.
int crescendo_accept(int listener);

// A timerfd of CLOCK_MONOTONIC, non-blocking and close-on-exec, or -1 with errno.
int crescendo_timer_create(void);

// Makes the timer readable at an instant of CLOCK_MONOTONIC: 0, or -1 with errno.
int crescendo_timer_arm(int timer, uint64_t monotonic_nanoseconds);

// The CPU's own pause between two looks at a word of memory.
static inline void crescendo_cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
