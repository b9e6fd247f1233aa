/* What all programs that put load on a server have in common: how they fail, connect, and count how long things took. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *program; /* for what it says */
static struct sockaddr_in server;
static int events_fd;

static void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "Error: %s: ", program);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void begin(const char *name, const char *host, const char *port) {
  program = name;
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(port));
  if (inet_pton(AF_INET, host, &server.sin_addr) != 1) fail("%s is no IPv4 address", host);
  events_fd = epoll_create1(0);
}

/* Begins to connect. The events of the connection have `data`; the first that says it can be written says that it is there, or not. */
static int dial_server(void *data) {
  static unsigned dialled;
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  /* From many addresses of this machine, because each has ports for 28,000 connections of the last minute only. */
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + dialled++ % 250)};
  bind(fd, (struct sockaddr *)&from, sizeof from);
  if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) fail("connect: %s", strerror(errno));
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = data};
  if (epoll_ctl(events_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  return fd;
}

static void must_be_connected(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) fail("connect: %s", strerror(error));
}

/* How many took so many microseconds; what took longer than four seconds counts as that. */
#define MOST_MICROS 4000000
static unsigned micros[MOST_MICROS + 1];

static void took(long long nanos) {
  long long all = nanos / 1000;
  micros[all > MOST_MICROS ? MOST_MICROS : all]++;
}

struct latencies {
  int p50, p99, max;
};

/* Of all that was counted since the last time. */
static struct latencies latencies(void) {
  struct latencies found = {0};
  long long all = 0, seen = 0;
  for (int i = 0; i <= MOST_MICROS; i++) all += micros[i];
  for (int i = 0; i <= MOST_MICROS; i++) {
    if (micros[i] == 0) continue;
    seen += micros[i];
    found.max = i;
    if (found.p50 == 0 && seen * 2 >= all) found.p50 = i;
    if (found.p99 == 0 && seen * 100 >= all * 99) found.p99 = i;
  }
  memset(micros, 0, sizeof micros);
  return found;
}
