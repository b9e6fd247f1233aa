/* What the servers of one thread have in common: a free port of this machine, which they print, and a loop of events. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener, loop;

/* The events of the listener have no data. */
static int begin(void) {
  signal(SIGPIPE, SIG_IGN);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  loop = epoll_create1(0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 511) < 0) return perror("listen"), -1;
  getsockname(listener, (struct sockaddr *)&at, &length);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  struct epoll_event event = {.events = EPOLLIN};
  return epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
}

/* The next of those who have connected; less than 0 when there is none. */
static int next_connection(void) {
  int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

/* An event comes when there is something new to read, or room to write again. */
static void watch(int fd, void *data) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = data};
  epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}
