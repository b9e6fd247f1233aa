/* An echo server with nothing around it: the most that a single thread on this machine can do. Prints its port. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

/* What a peer does not take waits here, and nothing more is read from that peer. */
struct connection {
  int fd;
  char *rest;
  size_t length, done;
};

static void end(struct connection *c) {
  close(c->fd);
  free(c->rest);
  free(c);
}

static int flush(struct connection *c) {
  while (c->done < c->length) {
    ssize_t wrote = send(c->fd, c->rest + c->done, c->length - c->done, MSG_NOSIGNAL);
    if (wrote < 0) return errno == EAGAIN ? 0 : -1;
    c->done += wrote;
  }
  free(c->rest);
  c->rest = NULL;
  return 1;
}

static void serve(struct connection *c) {
  if (c->rest != NULL) {
    int state = flush(c);
    if (state < 0) return end(c);
    if (state == 0) return;
  }
  for (;;) {
    ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(c);
    ssize_t wrote = send(c->fd, buffer, got, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return end(c);
    if (wrote < 0) wrote = 0;
    if (wrote < got) {
      c->length = got - wrote;
      c->done = 0;
      c->rest = malloc(c->length);
      for (size_t i = 0; i < c->length; i++) c->rest[i] = buffer[wrote + i];
      return;
    }
    if ((size_t)got < sizeof buffer) return;
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop = epoll_create1(0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 511) < 0) return perror("listen"), 1;
  getsockname(listener, (struct sockaddr *)&at, &length);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  struct epoll_event event = {.events = EPOLLIN}, events[256];
  epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(loop, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr != NULL) {
        serve(events[i].data.ptr);
        continue;
      }
      for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        struct epoll_event each = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &each);
      }
    }
  }
}
