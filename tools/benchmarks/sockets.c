// What sockets alone cost: a server that answers so many bytes with so many, and nothing else. It
// is the floor of any server whose calls come in the same turns.
//
// usage: sockets CONNECTIONS IN_FLIGHT REQUEST_BYTES REPLY_BYTES SECONDS [spin]
// Prints server CPU microseconds a call, and the median of a turn's microseconds. With `spin` both
// ends ask without sleeping.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST = 64, BUFFER = 1 << 18, TURNS = 1 << 22 };

static int listener, connections, in_flight, spins;
static size_t request_bytes, reply_bytes;
static atomic_int is_over;
static double server_seconds;
static long server_calls;

static void demand(int holds, const char *what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static double thread_seconds(void) {
  struct rusage use;
  getrusage(RUSAGE_THREAD, &use);
  return use.ru_utime.tv_sec + use.ru_stime.tv_sec +
         (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void pin(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  demand(pthread_setaffinity_np(pthread_self(), sizeof cores, &cores) == 0, "a core");
}

static void watch(int epoll, int socket, int index) {
  int one = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)index};
  demand(setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "TCP_NODELAY");
  demand(epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0, "epoll");
}

// One end: what comes in is counted by `size`, and each that is whole is answered with `answer`
// bytes.
struct end {
  int epoll, sockets[MOST];
  size_t got[MOST], size, answer;
  long calls;
};

static void turn(struct end *end, char *buffer, void (*answered)(int)) {
  struct epoll_event events[MOST];
  int count = epoll_wait(end->epoll, events, MOST, spins ? 0 : 100);
  for (int at = 0; at < count; at++) {
    int index = (int)events[at].data.u32;
    ssize_t read = recv(end->sockets[index], buffer, BUFFER, MSG_DONTWAIT);
    if (read <= 0) continue;
    end->got[index] += (size_t)read;
    size_t whole = end->got[index] / end->size;
    end->got[index] -= whole * end->size;
    if (whole == 0) continue;
    if (answered) answered(index);
    // Less than a window: all of it goes.
    ssize_t bytes = (ssize_t)(whole * end->answer);
    demand(send(end->sockets[index], buffer, (size_t)bytes, MSG_NOSIGNAL) == bytes, "send");
    end->calls += (long)whole;
  }
}

static void *serve(void *unused) {
  static char buffer[BUFFER];
  struct end end = {.epoll = epoll_create1(0), .size = request_bytes, .answer = reply_bytes};
  pin(0);
  for (int index = 0; index < connections; index++) {
    end.sockets[index] = accept(listener, NULL, NULL);
    demand(end.sockets[index] >= 0, "accept");
    watch(end.epoll, end.sockets[index], index);
  }
  double before = thread_seconds();
  while (!is_over) turn(&end, buffer, NULL);
  server_seconds = thread_seconds() - before;
  server_calls = end.calls;
  return unused;
}

static double sent_at[MOST];
static float times[TURNS];
static size_t turns;

static void answered(int index) {
  double time = now();
  if (turns < TURNS) times[turns++] = (float)(1e6 * (time - sent_at[index]));
  sent_at[index] = time;
}

static int ascending(const void *left, const void *right) {
  float difference = *(const float *)left - *(const float *)right;
  return difference < 0 ? -1 : difference > 0;
}

int main(int count, char **arguments) {
  static char buffer[BUFFER];
  pthread_t server;
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  demand(count >= 6, "six arguments");
  connections = atoi(arguments[1]);
  in_flight = atoi(arguments[2]);
  request_bytes = (size_t)atol(arguments[3]);
  reply_bytes = (size_t)atol(arguments[4]);
  spins = count > 6;
  demand(connections > 0 && connections <= MOST && in_flight > 0 && request_bytes > 0 &&
             reply_bytes > 0 && in_flight * request_bytes <= BUFFER &&
             in_flight * reply_bytes <= BUFFER,
         "arguments");
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  demand(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  demand(listen(listener, connections) == 0, "listen");
  demand(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
  demand(pthread_create(&server, NULL, serve, NULL) == 0, "a thread");
  pin(1);
  struct end end = {.epoll = epoll_create1(0), .size = reply_bytes, .answer = request_bytes};
  for (int index = 0; index < connections; index++) {
    end.sockets[index] = socket(AF_INET, SOCK_STREAM, 0);
    demand(connect(end.sockets[index], (struct sockaddr *)&address, sizeof address) == 0,
           "connect");
    watch(end.epoll, end.sockets[index], index);
  }
  ssize_t first = (ssize_t)(in_flight * request_bytes);
  for (int index = 0; index < connections; index++) {
    sent_at[index] = now();
    demand(send(end.sockets[index], buffer, (size_t)first, MSG_NOSIGNAL) == first, "send");
  }
  double until = now() + atof(arguments[5]);
  while (now() < until) turn(&end, buffer, answered);
  is_over = 1;
  demand(pthread_join(server, NULL) == 0, "join");
  demand(server_calls > 0 && turns > 0, "calls");
  qsort(times, turns, sizeof times[0], ascending);
  printf("{\"us_per_call\": %.4f, \"p50_us\": %.2f}\n", 1e6 * server_seconds / server_calls,
         times[turns / 2]);
  return 0;
}
